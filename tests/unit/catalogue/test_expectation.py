"""When a missing backup becomes a failure, and how long a status is valid."""

from dataclasses import replace
from datetime import timedelta

import pytest

from badge.catalogue.expectation import Expectation, as_expected
from badge.model import BackupStatus, Reason, Report
from tests.doubles import START

DAILY = Expectation(timedelta(hours=24), timedelta(hours=2), START)
HOUR = timedelta(hours=1)
OVERDUE_AT = START + 26 * HOUR


def seen(status: BackupStatus, hours: float, **more: object) -> Report:
    """Return a recorded report as it is read this many hours after the start."""
    report = Report(status=status, observed_at=START + hours * HOUR, started_at=START, revision=7)
    report = replace(report, **more)  # type: ignore[arg-type] # a report's own fields
    return as_expected(report, DAILY.overdue_at(status, None))


def test_the_next_backup_is_due_after_the_last_one_or_after_the_check_was_created() -> None:
    assert DAILY.due_at(None) == START + 24 * HOUR
    assert DAILY.overdue_at(BackupStatus.SCHEDULED, None) == OVERDUE_AT
    assert DAILY.due_at(START + 5 * HOUR) == START + 29 * HOUR


def test_an_end_from_before_the_check_was_created_does_not_make_it_overdue_at_once() -> None:
    assert DAILY.overdue_at(BackupStatus.SUCCEEDED, START - timedelta(days=9)) == OVERDUE_AT


@pytest.mark.parametrize("status", [BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED])
def test_a_succeeded_running_or_scheduled_backup_becomes_failed_when_it_is_overdue(status: BackupStatus) -> None:
    before, after = seen(status, 25.99), seen(status, 26)
    assert (before.status, before.stale_after) == (status, OVERDUE_AT)
    assert (after.status, after.finished_at, after.stale_after) == (BackupStatus.FAILED, OVERDUE_AT, None)
    assert after.last_finished is BackupStatus.FAILED
    assert after.revision > before.revision


@pytest.mark.parametrize("status", [BackupStatus.FAILED, BackupStatus.DELETED, BackupStatus.UNKNOWN])
def test_other_statuses_are_never_overdue(status: BackupStatus) -> None:
    assert seen(status, 99, reason=Reason.STORAGE if status is BackupStatus.FAILED else None).revision == 7
    assert seen(status, 99).status is status


def test_an_earlier_stale_after_is_kept() -> None:
    assert seen(BackupStatus.SUCCEEDED, 1, stale_after=START + 3 * HOUR).stale_after == START + 3 * HOUR


def test_a_hanging_run_keeps_its_start_unless_it_began_too_late() -> None:
    assert seen(BackupStatus.IN_PROGRESS, 27).started_at == START
    assert seen(BackupStatus.IN_PROGRESS, 28, started_at=START + 27 * HOUR).started_at is None
    assert seen(BackupStatus.SUCCEEDED, 28).started_at is None


def test_an_overdue_report_keeps_the_last_success_but_not_the_last_run_s_details() -> None:
    report = seen(BackupStatus.SUCCEEDED, 27, last_success_at=START, size_bytes=5, url="https://x.example/1")
    assert (report.last_success_at, report.size_bytes, report.url) == (START, None, None)


def test_without_a_check_nothing_is_overdue() -> None:
    report = Report(status=BackupStatus.SUCCEEDED, observed_at=START)
    assert as_expected(report, None) is report
