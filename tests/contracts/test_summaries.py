"""Summaries count what a list of the same subjects shows, on each database, and never count a private subject."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from badge.catalogue.migration import migrate
from badge.catalogue.schema import totals
from badge.catalogue.store import Retention
from badge.listing import Standing, SummaryQuery
from badge.model import BackupStatus, Subject, SubjectScope, Visibility
from badge.subject_pattern import NamePattern
from tests.contracts.test_totals import DAY, HOUR, REPORTABLE, STEPS, SUBJECTS, counted, report
from tests.store import Store, plans_of

S = BackupStatus
ACME = SubjectScope.parse("github", "Acme", "repository")
SCOPES = [
    None,
    ACME,
    SubjectScope.parse("GitHub", "contoso"),
    SubjectScope.parse("GitHub", "acme", "Project"),
    SubjectScope.parse("GitLab", "my-group/sub"),
    SubjectScope.parse("Gitea", "Acme"),
    SubjectScope.parse("Gitea", "acme"),
]
QUERIES = st.builds(
    SummaryQuery,
    scope=st.sampled_from(SCOPES),
    name=st.none() | st.sampled_from(["web*", "WEB-api", "*", "[ow]*", "none", "ünï/*"]).map(NamePattern),
    max_age=st.none() | st.sampled_from([HOUR, 2 * HOUR, DAY]),
    verified_within=st.none() | st.sampled_from([HOUR, 3 * HOUR, DAY]),
    is_public_only=st.booleans(),
)
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HISTORIES = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(SUBJECTS)), max_size=12)


@pytest.fixture
def pruned(store: Store) -> Store:
    return replace(store, catalogue=replace(store.catalogue, retention=Retention(DAY, 2)))


def assert_agrees(store: Store, query: SummaryQuery) -> None:
    listing = counted(store)
    listing.refresh()
    known = listing.summary(query)
    assert known is not None
    assert store.catalogue.summary(query) == known.totals


@SLOW
@given(steps=HISTORIES, query=QUERIES)
def test_a_summary_equals_the_list_counted_one_by_one_as_time_passes(
    pruned: Store, steps: list[tuple[str, Subject]], query: SummaryQuery
) -> None:
    for step, subject in steps:
        STEPS[step](pruned, subject)
    assert_agrees(pruned, query)
    while (changes_at := pruned.catalogue.summary(query).changes_at) is not None:
        before = pruned.catalogue.summary(query)
        pruned.clock.now = changes_at - timedelta(microseconds=1)
        assert pruned.catalogue.summary(query) == before
        pruned.clock.now = changes_at
        assert pruned.catalogue.summary(query) != before
        assert_agrees(pruned, query)


@SLOW
@given(steps=HISTORIES, query=QUERIES, private=st.sampled_from(SUBJECTS), more=st.lists(st.sampled_from(REPORTABLE)))
def test_a_private_subject_changes_no_public_summary(
    pruned: Store, steps: list[tuple[str, Subject]], query: SummaryQuery, private: Subject, more: list[BackupStatus]
) -> None:
    for step, subject in steps:
        STEPS[step](pruned, subject)
    for step in ("no longer expected", "deleted with its history"):
        STEPS[step](pruned, private)
    query = replace(query, is_public_only=True)
    before = pruned.catalogue.summary(query)
    for status in more:
        report(pruned, private, status, visibility=Visibility.PRIVATE, stale_after=pruned.clock() + HOUR)
        STEPS["expected"](pruned, private)
        assert pruned.catalogue.summary(query) == before


def test_the_denominator_counts_all_but_deleted_subjects(store: Store) -> None:
    for number, status in enumerate([S.SUCCEEDED, S.FAILED, S.IN_PROGRESS, S.SCHEDULED, S.DELETED]):
        store.record(status, Subject.legacy("acme", str(number)))
    store.checks.create(Subject.legacy("acme", "never"), DAY, HOUR)
    found = store.catalogue.summary(SummaryQuery(ACME))
    assert found.by_standing == {Standing.PROTECTED: 1, Standing.FAILED: 1, Standing.UNKNOWN: 3}
    assert (found.protected, found.to_protect) == (1, 5)


def test_a_deleted_subject_stays_deleted_after_its_last_report_is_outdated(store: Store) -> None:
    store.record(S.SUCCEEDED, stale_after=store.clock() + HOUR)
    store.clock.advance(minutes=1)
    store.record(S.DELETED)
    store.clock.advance(hours=2)
    assert store.status() is S.DELETED
    found = store.catalogue.summary(SummaryQuery(ACME))
    assert (found.to_protect, found.by_status) == (0, {S.DELETED: 1})


def test_overdue_subjects_are_counted_separately(store: Store) -> None:
    store.record(S.SUCCEEDED)
    store.record(S.FAILED, Subject.legacy("acme", "api"))
    store.checks.create(Subject.legacy("acme", "web"), DAY, HOUR)
    store.clock.advance(days=2)
    assert store.catalogue.summary(SummaryQuery(ACME)).by_standing == {Standing.OVERDUE: 1, Standing.FAILED: 1}


def test_a_summary_can_require_verifications(store: Store) -> None:
    names = ("never", "passed", "old", "failed", "running")
    subjects = {name: Subject.legacy("acme", name) for name in names}
    for subject in subjects.values():
        store.record(S.SUCCEEDED, subject)
    store.clock.advance(minutes=1)
    store.record(S.FAILED, subjects["running"])
    for name, step in {"passed": "verified", "old": "verified two hours ago", "failed": "not verified"}.items():
        STEPS[step](store, subjects[name])
    found = store.catalogue.summary(SummaryQuery(ACME, verified_within=2 * HOUR))
    assert found.by_standing == {Standing.PROTECTED: 1, Standing.UNVERIFIED: 2, Standing.FAILED: 2}
    assert found.changes_at == store.clock() + 2 * HOUR
    assert store.catalogue.summary(SummaryQuery(ACME)).by_standing == {Standing.PROTECTED: 4, Standing.FAILED: 1}


def test_subjects_verified_too_long_ago_are_counted_like_those_in_a_list(store: Store) -> None:
    for before, latest in product(REPORTABLE, REPORTABLE):
        for step in ("verified", "verified two hours ago"):
            subject = Subject.legacy("acme", f"{before}, {latest}, {step}")
            report(store, subject, before, visibility=Visibility.PRIVATE if before is S.SCHEDULED else None)
            store.clock.advance(seconds=1)
            report(store, subject, latest)
            STEPS[step](store, subject)
    found = store.catalogue.summary(SummaryQuery(ACME, verified_within=HOUR))
    assert found.by_standing[Standing.UNVERIFIED] > 0 < found.protected
    for limits in product((None, 2 * DAY), (HOUR, DAY), (False, True)):
        assert_agrees(store, SummaryQuery(ACME, None, *limits))


def test_a_report_counts_as_unknown_as_soon_as_it_is_outdated(store: Store) -> None:
    ends = store.clock() + HOUR
    store.record(S.SUCCEEDED, stale_after=ends)
    found = store.catalogue.summary(SummaryQuery(ACME))
    assert (found.protected, found.changes_at) == (1, ends)
    store.clock.now = ends
    found = store.catalogue.summary(SummaryQuery(ACME))
    assert (found.by_standing, found.changes_at) == ({Standing.UNKNOWN: 1}, None)


@pytest.mark.parametrize("name", [None, NamePattern("*")])
def test_a_subject_with_an_outdated_report_still_becomes_overdue(store: Store, name: NamePattern | None) -> None:
    query, now = SummaryQuery(ACME, name), store.clock()
    store.record(S.SUCCEEDED, stale_after=now + HOUR)
    store.checks.create(Subject.legacy("acme", "web"), DAY, HOUR)
    store.clock.advance(hours=2)
    found = store.catalogue.summary(query)
    assert (found.by_standing, found.changes_at) == ({Standing.UNKNOWN: 1}, now + DAY + HOUR)
    store.clock.now = now + DAY + HOUR
    assert store.catalogue.summary(query).by_standing == {Standing.OVERDUE: 1}


@pytest.mark.parametrize("scope", [None, ACME])
def test_changes_at_is_the_earliest_change(store: Store, scope: SubjectScope | None) -> None:
    now = store.clock()
    store.record(S.SUCCEEDED)
    store.checks.create(Subject.legacy("acme", "web"), DAY, HOUR)
    assert store.catalogue.summary(SummaryQuery(scope)).changes_at == now + DAY + HOUR
    assert store.catalogue.summary(SummaryQuery(scope, max_age=2 * HOUR)).changes_at == now + 2 * HOUR
    store.clock.advance(hours=2)
    late = store.catalogue.summary(SummaryQuery(scope, max_age=2 * HOUR))
    assert (late.by_standing, late.changes_at) == ({Standing.OVERDUE: 1}, now + DAY + HOUR)


def test_a_pattern_that_matches_too_many_is_marked_as_incomplete(store: Store) -> None:
    for subject in SUBJECTS[:3]:
        store.record(S.SUCCEEDED, subject)
    few = replace(store.catalogue, most_named=2)
    found = few.summary(SummaryQuery(ACME, NamePattern("*")))
    assert (found.to_protect, found.is_whole) == (2, False)
    assert few.summary(SummaryQuery(ACME)).is_whole


def test_totals_of_accounts_without_subjects_are_deleted(store: Store) -> None:
    for status in REPORTABLE:
        store.clock.advance(seconds=1)
        store.record(status)
    store.catalogue.delete(Subject.legacy("acme", "web"))
    with store.catalogue.database.reading() as connection:
        of_accounts = select(func.count()).select_from(totals).where(totals.c.account_key != "")
        assert connection.scalar(of_accounts) == 0


@pytest.mark.parametrize("scope", [None, ACME, SubjectScope.parse("GitHub", "acme")])
@pytest.mark.parametrize("max_age", [None, DAY])
@pytest.mark.parametrize("verified_within", [None, DAY])
def test_a_summary_reads_subjects_only_through_indexes_on_times(
    tmp_path: Path, scope: SubjectScope | None, max_age: timedelta | None, verified_within: timedelta | None
) -> None:
    """Checked in SQLite's query plans, because a scan would become slower with each subject of the account."""
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    migrate(url)
    with closing(Store.on(url)) as store:
        query = SummaryQuery(scope, max_age=max_age, verified_within=verified_within, is_public_only=True)
        plans = plans_of(store.catalogue.database, lambda: store.catalogue.summary(query))
    searches = [line for _, plan in plans for line in plan if " subjects " in line]
    assert searches
    for line in searches:
        assert line.startswith("SEARCH"), line
        assert any(f"{column}>?" in line or f"{column}<?" in line or f"{column}=?" in line for column in TIMES), line
        assert scope is None or "USING COVERING INDEX ix_subjects_account_" in line or "ended_at" in line, line


TIMES = ("overdue_at", "stale_after", "last_success_at", "verified_at", "ended_at")
