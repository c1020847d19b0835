"""Edge cases of the native contract that no sample covers: how upstreams write "never", and limits."""

from __future__ import annotations

from datetime import datetime

import pytest

from badge.contract import LARGEST_SIZE, ContractBroken, report_from, status_document
from badge.model import BackupStatus, Report, Subject
from tests.doubles import START

WEB = Subject.legacy("acme", "web")
PLAIN = status_document(WEB, Report(status=BackupStatus.SUCCEEDED, observed_at=START))

NEVER = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "9999-12-31T23:59:59Z"]
OPTIONAL_MOMENTS = {
    "startedAt": "started_at",
    "finishedAt": "finished_at",
    "lastSuccessAt": "last_success_at",
    "nextRunAt": "next_run_at",
    "staleAfter": "stale_after",
    "deletedAt": "deleted_at",
}


def read(**changes: object) -> Report:
    return report_from({**PLAIN, **changes}, asked_for=WEB, now=START).report


@pytest.mark.parametrize("written", NEVER)
@pytest.mark.parametrize("name", OPTIONAL_MOMENTS)
def test_a_zero_time_counts_as_missing(name: str, written: str) -> None:
    moment: datetime | None = getattr(read(**{name: written}), OPTIONAL_MOMENTS[name])
    assert moment is None


@pytest.mark.parametrize("written", NEVER)
def test_observed_at_cannot_be_a_zero_time(written: str) -> None:
    with pytest.raises(ContractBroken, match=r"^badField$"):
        read(observedAt=written)


def test_the_largest_revision_is_the_largest_a_database_holds() -> None:
    assert read(revision=LARGEST_SIZE - 1).revision == LARGEST_SIZE - 1
    with pytest.raises(ContractBroken, match=r"^badField$"):
        read(revision=LARGEST_SIZE)


def test_an_answer_may_spell_the_subject_in_another_case_where_the_platform_folds_case() -> None:
    assert read(platform="github", account="ACME", subjectName="Web").status is BackupStatus.SUCCEEDED
    with pytest.raises(ContractBroken, match=r"^otherSubject$"):
        read(subjectName="web2")


@pytest.mark.parametrize("name", ["status", "observedAt", "revision", "visibility", "platform", "subjectName"])
def test_a_missing_required_field_breaks_the_contract(name: str) -> None:
    document = {field: value for field, value in PLAIN.items() if field != name}
    with pytest.raises(ContractBroken, match=r"^badField$"):
        report_from(document, asked_for=WEB, now=START)


@pytest.mark.parametrize("spelling", ["in-progress", "running", "INPROGRESS"])
def test_an_upstream_s_status_is_read_strictly(spelling: str) -> None:
    parsed = report_from({**PLAIN, "status": spelling}, asked_for=WEB, now=START)
    assert (parsed.report.status, parsed.has_unknown_status) == (BackupStatus.UNKNOWN, True)
