"""Checks on real databases: one per subject, UUIDs stored as hashes, and every query finds the overdue ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from badge.catalogue.checks import CheckExists, NoSuchCheck, slug_for
from badge.catalogue.events import ReportedVerification, VerificationEvent
from badge.catalogue.expectation import overdue_despite_future_end
from badge.listing import ListingFilter, ListingOrder
from badge.model import BackupStatus, Subject, VerificationOutcome, Visibility
from tests.doubles import START
from tests.store import WEB, Store

API = Subject.legacy("acme", "api")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def names(store: Store, **narrowed: object) -> list[str]:
    return [item.subject.name for item in store.catalogue.list(ListingFilter(**narrowed)).items]  # type: ignore[arg-type] # passed through


def test_a_check_makes_its_subject_scheduled_and_is_found_by_its_uuid(store: Store) -> None:
    uuid = store.checks.create(WEB, DAY, HOUR)
    assert store.checks.subject_pinged(uuid) == WEB
    assert store.checks.subject_pinged(uuid[:-1] + "x") is None
    report = store.report()
    assert (report.status, report.next_run_at, report.stale_after) == (
        BackupStatus.SCHEDULED,
        START + DAY,
        START + DAY + HOUR,
    )


def test_a_check_of_a_known_subject_leaves_its_status_alone(store: Store) -> None:
    store.record(BackupStatus.FAILED)
    store.checks.create(Subject.legacy("ACME", "Web"), DAY, HOUR)
    assert store.status() is BackupStatus.FAILED


def test_a_subject_has_one_check(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    with pytest.raises(CheckExists):
        store.checks.create(Subject.legacy("Acme", "WEB"), DAY, HOUR)
    store.checks.create(API, DAY, HOUR)
    assert [check.subject for check in store.checks.list()] == [API, WEB]


def test_a_subject_s_check_is_found_by_its_name(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR, slug="nightly")
    found = store.checks.of(Subject.legacy("Acme", "WEB"))
    assert found is not None
    assert [found] == [*store.checks.list()]
    assert (found.slug, found.overdue_at) == ("nightly", START + DAY + HOUR)
    assert store.checks.of(API) is None


def test_only_a_hash_of_the_uuid_is_stored(store: Store) -> None:
    uuid = store.checks.create(WEB, DAY, HOUR)
    kept = store.content()
    assert uuid[:8].encode() in kept
    assert uuid[9:].encode() not in kept


def test_rotating_the_uuid_keeps_the_terms(store: Store) -> None:
    first = store.checks.create(WEB, DAY, HOUR, slug="nightly")
    store.clock.advance(hours=1)
    second = store.checks.rotate(WEB)
    assert store.checks.subject_pinged(first) is None
    assert store.checks.subject_pinged(second) == WEB
    assert [(check.slug, check.expectation.since) for check in store.checks.list()] == [("nightly", START)]


def test_a_check_that_does_not_exist_can_be_neither_rotated_nor_deleted(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    for subject in (WEB, API):
        with pytest.raises(NoSuchCheck):
            store.checks.rotate(subject)
        with pytest.raises(NoSuchCheck):
            store.checks.delete(subject)


def test_deleting_a_check_keeps_the_history(store: Store) -> None:
    uuid = store.checks.create(WEB, DAY, HOUR)
    store.record(BackupStatus.SUCCEEDED)
    store.clock.advance(days=9)
    assert store.status() is BackupStatus.FAILED
    store.checks.delete(WEB)
    assert (store.status(), store.report().next_run_at) == (BackupStatus.SUCCEEDED, None)
    assert store.checks.subject_pinged(uuid) is None


def test_a_subject_never_reported_is_deleted_with_its_check_and_returns_with_a_higher_revision(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    before = store.report().revision
    store.checks.delete(WEB)
    assert store.status() is None
    store.clock.advance(seconds=1)
    store.checks.create(WEB, DAY, HOUR)
    assert store.report().revision > before


def test_deleting_the_check_of_a_subject_without_runs_keeps_its_verification(store: Store) -> None:
    verified = VerificationEvent(WEB, ReportedVerification(VerificationOutcome.FAILED))
    store.catalogue.record(verified)
    store.checks.create(WEB, DAY, HOUR)
    store.checks.delete(WEB)
    report = store.report()
    assert (report.status, report.next_run_at) == (BackupStatus.UNKNOWN, None)
    assert report.has_failed_verification


def test_a_deleted_subject_stays_deleted_until_a_run_begins(store: Store) -> None:
    store.record(BackupStatus.DELETED)
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(days=9)
    assert store.status() is BackupStatus.DELETED
    store.record(BackupStatus.SUCCEEDED)
    assert store.status() is BackupStatus.SUCCEEDED


def test_a_subject_can_be_private_from_the_start(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR, visibility=Visibility.PRIVATE)
    store.record(BackupStatus.SUCCEEDED)
    assert store.report().visibility is Visibility.PRIVATE


@pytest.mark.parametrize(
    ("every", "grace", "slug"),
    [
        (HOUR / 61, HOUR, None),
        (367 * DAY, HOUR, None),
        (DAY, HOUR / 61, None),
        (DAY, HOUR, "Web"),
        (DAY, HOUR, "x" * 101),
    ],
)
def test_terms_have_limits(store: Store, every: timedelta, grace: timedelta, slug: str | None) -> None:
    with pytest.raises(ValueError, match=r"365 days|a-z"):
        store.checks.create(WEB, every, grace, slug=slug)
    assert store.status() is None


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Web Shop/storefront", "web-shop-storefront"),
        ("a__b", "a__b"),
        ("日本", None),
        ("-x-", "x"),
        ("y" * 300, "y" * 100),
    ],
)
def test_the_default_slug_is_derived_from_the_name(name: str, slug: str | None) -> None:
    assert slug_for(Subject.legacy("acme", name)) == slug


@pytest.mark.parametrize("slug", ["", "\0", "É", "x" * 101])
def test_an_invalid_slug_belongs_to_no_check(store: Store, slug: str) -> None:
    store.checks.create(WEB, DAY, HOUR)
    assert store.checks.subjects_with_slug(slug) == []


def test_every_query_finds_overdue_backups(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.record(BackupStatus.SUCCEEDED)
    store.record(BackupStatus.SUCCEEDED, API)
    store.clock.advance(hours=24.9)
    assert (names(store, status=BackupStatus.FAILED), names(store, status=BackupStatus.SUCCEEDED)) == (
        [],
        ["api", "web"],
    )
    store.clock.advance(hours=0.1)
    assert store.status() is BackupStatus.FAILED
    assert (names(store, status=BackupStatus.FAILED), names(store, status=BackupStatus.SUCCEEDED)) == (["web"], ["api"])
    assert [check.report.status for check in store.checks.list()] == [BackupStatus.FAILED]
    # It changed when it became overdue, although nothing was written.
    assert names(store, updated_since=START + timedelta(hours=24)) == ["web"]
    assert names(store, updated_since=START + timedelta(hours=25.5)) == []


def test_a_late_backup_has_a_higher_revision_than_the_overdue_status(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(hours=25, minutes=1)
    missing = store.report()
    assert missing.status is BackupStatus.FAILED
    # The clock of another host is behind.
    store.clock.advance(minutes=-3)
    store.record(BackupStatus.SUCCEEDED)
    assert store.report().revision > missing.revision


def test_reports_count_as_well_as_pings(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(hours=20)
    store.record(BackupStatus.SUCCEEDED)
    store.clock.advance(hours=20)
    assert store.status() is BackupStatus.SUCCEEDED
    assert store.report().next_run_at == START + timedelta(hours=44)


IN_2099 = timedelta(days=26_000)


def test_a_success_dated_2099_does_not_keep_a_backup_from_being_overdue(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.checks.create(API, DAY, HOUR)
    store.clock.advance(hours=10)
    for subject in (WEB, API):
        store.receive(BackupStatus.SUCCEEDED, subject)
    store.clock.advance(days=IN_2099.days)
    store.receive(BackupStatus.SUCCEEDED)
    store.clock.advance(days=-IN_2099.days, hours=24.9)
    assert (store.status(), names(store, status=BackupStatus.FAILED)) == (BackupStatus.SUCCEEDED, [])
    # The last known end was ten hours after the start.
    store.clock.advance(hours=0.1)
    assert (store.status(), store.report().finished_at) == (BackupStatus.FAILED, START + timedelta(hours=35))
    store.clock.advance(hours=1)
    for order in ListingOrder:
        found = store.catalogue.list(ListingFilter(), order=order).items
        assert {item.subject.name: item.report.status for item in found} == {
            "web": BackupStatus.FAILED,
            "api": BackupStatus.FAILED,
        }
    assert names(store, status=BackupStatus.FAILED) == names(store, shown_as=BackupStatus.FAILED) == ["api", "web"]
    assert names(store, shown_as=BackupStatus.SUCCEEDED) == []
    for narrowed in (ListingFilter(), ListingFilter(words=("acme",))):
        assert store.catalogue.totals(narrowed).by_status == {BackupStatus.FAILED: 2}
    assert {check.overdue_at for check in store.checks.list()} == {START + timedelta(hours=35)}
    store.receive(BackupStatus.SUCCEEDED)
    assert store.status() is BackupStatus.SUCCEEDED
    store.clock.advance(hours=25)
    assert store.status() is BackupStatus.FAILED


def test_the_number_of_successes_dated_2099_that_are_looked_up_is_limited(store: Store) -> None:
    for subject in (WEB, API):
        store.checks.create(subject, DAY, HOUR)
    store.clock.advance(days=IN_2099.days)
    for subject in (WEB, API):
        store.receive(BackupStatus.SUCCEEDED, subject)
    store.clock.advance(days=-IN_2099.days, hours=25)
    with store.catalogue.database.reading() as connection:
        assert len(overdue_despite_future_end(connection, store.clock())) == 2
        assert len(overdue_despite_future_end(connection, store.clock(), most=1)) == 1


def test_a_single_success_dated_2099_does_not_keep_a_backup_from_becoming_overdue(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(days=IN_2099.days)
    store.receive(BackupStatus.SUCCEEDED)
    store.clock.advance(days=-IN_2099.days, hours=24.9)
    assert store.status() is BackupStatus.SUCCEEDED
    store.clock.advance(hours=0.1)
    assert store.status() is BackupStatus.FAILED


def test_a_failure_dated_2099_is_never_overdue(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(days=IN_2099.days)
    store.receive(BackupStatus.FAILED)
    store.clock.advance(days=-IN_2099.days)
    before = store.report().revision
    store.clock.advance(days=9)
    assert (store.status(), store.report().revision) == (BackupStatus.FAILED, before)


def test_a_host_that_is_an_hour_behind_sees_no_overdue_backup(store: Store) -> None:
    store.checks.create(WEB, DAY, HOUR)
    store.clock.advance(hours=20)
    store.receive(BackupStatus.SUCCEEDED)
    store.clock.advance(hours=-1)
    assert store.status() is BackupStatus.SUCCEEDED
