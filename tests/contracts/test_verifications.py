"""Verifications in the catalogue: stored in order, never inferred, and deleted with the subject."""

from __future__ import annotations

from datetime import timedelta

import pytest

from badge.catalogue.database import Database
from badge.catalogue.events import InvalidEvent, ReportedVerification, RunEvent, VerificationEvent
from badge.catalogue.store import Catalogue, Recorded
from badge.catalogue.verifications import read_verifications
from badge.model import BackupStatus, Subject, Verification, VerificationMethod, VerificationOutcome
from tests.doubles import START, ManualClock
from tests.store import WEB, Store, run_at_once

PASSED, FAILED = VerificationOutcome.PASSED, VerificationOutcome.FAILED
HOUR = timedelta(hours=1)


def verify(
    store: Store, outcome: VerificationOutcome = PASSED, hours_ago: float | None = None, subject: Subject = WEB
) -> Recorded:
    at = None if hours_ago is None else START - hours_ago * HOUR
    event = ReportedVerification(outcome, at, VerificationMethod.RESTORED)
    return store.catalogue.record(VerificationEvent(subject, event))


def latest(store: Store) -> Verification | None:
    return store.report().verification


def test_no_run_counts_as_a_verification(store: Store) -> None:
    for status in (BackupStatus.SCHEDULED, BackupStatus.IN_PROGRESS, BackupStatus.SUCCEEDED):
        store.receive(status)
        assert latest(store) is None


def test_a_verification_changes_nothing_about_the_run(store: Store) -> None:
    store.receive(BackupStatus.FAILED)
    before = store.report()
    recorded = verify(store)
    assert (recorded.applied, recorded.changed) == (True, True)
    after = store.report()
    assert after.verification == Verification(PASSED, START, VerificationMethod.RESTORED)
    assert (after.status, after.finished_at, after.last_success_at) == (BackupStatus.FAILED, before.finished_at, None)
    assert after.revision > before.revision


def test_a_verification_before_the_first_backup_does_not_make_it_a_success(store: Store) -> None:
    verify(store)
    assert (store.status(), latest(store) is not None) == (BackupStatus.UNKNOWN, True)


def test_only_a_later_pass_ends_a_failure(store: Store) -> None:
    assert verify(store, FAILED, 5).applied
    superseded = verify(store, PASSED, 6)
    assert (superseded.applied, superseded.changed) == (False, False)
    store.receive(BackupStatus.SUCCEEDED)
    assert store.report().has_failed_verification
    assert verify(store, PASSED, 4).applied
    assert latest(store) == Verification(PASSED, START - 4 * HOUR, VerificationMethod.RESTORED)
    assert not verify(store, FAILED, 5).applied
    assert not store.report().has_failed_verification


def test_a_repeated_verification_is_applied_but_changes_nothing(store: Store) -> None:
    verify(store, PASSED, 5)
    again = verify(store, PASSED, 5)
    assert (again.applied, again.changed) == (True, False)


def test_a_run_and_its_verification_are_recorded_together(store: Store) -> None:
    event = ReportedVerification(PASSED, START - HOUR)
    run = RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED, at=START - 2 * HOUR, verification=event)
    assert store.catalogue.record(run).applied
    assert latest(store) == Verification(PASSED, START - HOUR)
    older = RunEvent(
        subject=WEB, status=BackupStatus.SUCCEEDED, verification=ReportedVerification(FAILED, START - 3 * HOUR)
    )
    assert not store.catalogue.record(older).applied
    assert latest(store) == Verification(PASSED, START - HOUR)


def test_a_time_in_the_future_is_refused(store: Store) -> None:
    with pytest.raises(InvalidEvent):
        verify(store, PASSED, -1)
    ahead = ReportedVerification(PASSED, START + HOUR)
    with pytest.raises(InvalidEvent):
        store.catalogue.record(RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED, verification=ahead))
    assert store.status() is None


def test_a_verification_stored_with_a_future_time_is_counted_as_ahead_but_not_as_passed(
    store: Store,
) -> None:
    verify(store)
    store.clock.advance(hours=-1)
    store.receive(BackupStatus.SUCCEEDED)
    assert store.catalogue.number_ahead() == 1
    report = store.report()
    assert (report.verified_at(store.clock()), report.has_failed_verification) == (None, False)


def test_a_deletion_discards_earlier_verifications(store: Store) -> None:
    store.receive(BackupStatus.SUCCEEDED)
    verify(store, FAILED, 2)
    verify(store, PASSED, 1)
    store.receive(BackupStatus.DELETED)
    assert latest(store) is None
    store.clock.advance(hours=1)
    store.receive(BackupStatus.SUCCEEDED)
    assert latest(store) is None
    assert not verify(store, PASSED, 1).applied  # a repeated event
    assert latest(store) is None
    assert verify(store, PASSED, -0.5).applied


@pytest.mark.parametrize("hours_ago", [None, -0.5])
def test_a_pass_of_a_deleted_subject_does_not_count_for_later_backups(store: Store, hours_ago: float | None) -> None:
    store.receive(BackupStatus.SUCCEEDED)
    store.receive(BackupStatus.DELETED)
    store.clock.advance(hours=1)
    recorded = verify(store, PASSED, hours_ago)
    assert (recorded.applied, recorded.changed, recorded.report.verification) == (False, False, None)
    store.receive(BackupStatus.SUCCEEDED)
    assert latest(store) is None
    assert verify(store).applied


def test_a_failure_of_a_deleted_subject_counts(store: Store) -> None:
    store.receive(BackupStatus.SUCCEEDED)
    store.receive(BackupStatus.DELETED)
    store.clock.advance(hours=1)
    assert verify(store, FAILED).applied
    store.receive(BackupStatus.SUCCEEDED)
    assert store.report().has_failed_verification


def test_a_pass_reported_with_an_old_run_of_a_deleted_subject_does_not_count(store: Store) -> None:
    old = START - 2 * HOUR
    store.receive(BackupStatus.SUCCEEDED, at=old, started_at=old)
    store.receive(BackupStatus.DELETED)
    event = ReportedVerification(PASSED)
    run = RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED, at=old, started_at=old, verification=event)
    assert not store.catalogue.record(run).applied
    assert (store.status(), latest(store)) == (BackupStatus.DELETED, None)


def test_deleting_the_records_of_a_subject_deletes_its_verifications(store: Store) -> None:
    verify(store)
    store.catalogue.delete(WEB)
    with store.catalogue.database.reading() as connection:
        assert read_verifications(connection, 1).latest is None


def verify_many(url: str, outcome: VerificationOutcome) -> None:
    catalogue = Catalogue(Database(url), ManualClock())
    for _ in range(10):
        catalogue.record(VerificationEvent(WEB, ReportedVerification(outcome)))
    catalogue.database.close()


def test_verifications_that_arrive_at_the_same_time_get_different_numbers(store: Store) -> None:
    run_at_once(verify_many, (store.url, PASSED), (store.url, FAILED))
    with store.catalogue.database.reading() as connection:
        stored = read_verifications(connection, 1)
    numbers = sorted(one.sequence for one in stored.by_outcome.values())
    assert len(set(numbers)) == 2
    assert numbers[-1] == 20
    known = stored.latest
    assert known is not None
    assert latest(store) == Verification(known.outcome, known.at)
