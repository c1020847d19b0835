"""The facts that metrics show are those of the list, on each database, and are read in bounded batches."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from badge.catalogue.events import ReportedVerification, VerificationEvent
from badge.catalogue.facts import batches_of_facts
from badge.catalogue.store import Retention
from badge.listing import SubjectFacts
from badge.model import BackupStatus, Subject, VerificationMethod, VerificationOutcome, Visibility
from tests.contracts.test_totals import DAY, HOUR, STEPS, SUBJECTS, Step, counted, report
from tests.migrated import migrate
from tests.store import WEB, Store, plans_of

S = BackupStatus


def a_verification(outcome: VerificationOutcome, how: VerificationMethod | None = None) -> Step:
    event = ReportedVerification(outcome, how=how)
    return lambda store, subject: store.catalogue.record(VerificationEvent(subject, event))


def an_hour_long(status: BackupStatus, *, began: timedelta = HOUR) -> Step:
    return lambda store, subject: report(
        store, subject, status, started_at=store.clock() - began, finished_at=store.clock(), size_bytes=1_000
    )


MORE_STEPS: dict[str, Step] = {
    **STEPS,
    "an hour": an_hour_long(S.SUCCEEDED),
    "a failure after an hour": an_hour_long(S.FAILED),
    "no time at all": an_hour_long(S.SUCCEEDED, began=timedelta(0)),
    "verified": a_verification(VerificationOutcome.PASSED, VerificationMethod.RESTORED),
    "found damaged": a_verification(VerificationOutcome.FAILED),
    "the clock is set back": lambda store, _: store.clock.advance(hours=-5),
}


def read(store: Store, most: int = 10_000) -> list[SubjectFacts]:
    return [one for batch in store.catalogue.facts(most) for one in batch]


def counted_one_by_one(store: Store) -> list[SubjectFacts]:
    listing = counted(store)
    listing.refresh()
    known = listing.facts(10_000)
    assert known is not None
    return [one for batch in known.batches for one in batch]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(MORE_STEPS)), st.sampled_from(SUBJECTS[:3])), max_size=8))
@example(steps=[(step, SUBJECTS[0]) for step in ("an hour", "verified", "the clock is set back")])
@example(steps=[(step, SUBJECTS[0]) for step in ("an hour", "verified", "expected", "the clock is set back")])
def test_the_catalogue_reads_the_same_facts_as_a_list_of_reports(
    store: Store, steps: list[tuple[str, Subject]]
) -> None:
    store = replace(store, catalogue=replace(store.catalogue, retention=Retention(DAY, 2)))
    for step, subject in steps:
        MORE_STEPS[step](store, subject)
    for _ in range(2):
        assert sorted(read(store), key=str) == sorted(counted_one_by_one(store), key=str)
        store.clock.advance(hours=3)


def test_every_fact_of_a_subject_is_read(store: Store) -> None:
    ended = store.clock()
    an_hour_long(S.SUCCEEDED)(store, WEB)
    (found,) = read(store)
    assert found == SubjectFacts(
        *("GitHub", "acme", "Repository", "web"),
        status="succeeded",
        is_overdue=None,
        last_finished="succeeded",
        succeeded_at=round(ended.timestamp() * 1_000_000),
        took=3_600_000_000,
        size_bytes=1_000,
        verification=None,
        verified_how=None,
        verified_at=None,
    )
    store.checks.create(WEB, DAY, HOUR)
    assert read(store) == [found._replace(is_overdue=False)]
    store.clock.advance(days=2)
    (late,) = read(store)
    assert late == found._replace(status="failed", is_overdue=True, last_finished="failed", took=None, size_bytes=None)


def test_private_subjects_are_included(store: Store) -> None:
    store.record(S.SUCCEEDED, visibility=Visibility.PRIVATE)
    assert [one.name for one in read(store)] == ["web"]


@pytest.mark.parametrize(("most", "sizes"), [(10, [2, 2, 1]), (5, [2, 2, 1]), (4, [2, 2]), (3, [2, 1]), (1, [1])])
def test_subjects_are_read_in_batches_and_the_oldest_are_chosen(store: Store, most: int, sizes: list[int]) -> None:
    names = ["e", "d", "c", "b", "a"]
    for name in names:
        store.record(S.SUCCEEDED, Subject.legacy("acme", name))
    with store.catalogue.database.reading() as connection:
        batches = list(batches_of_facts(connection, store.clock(), most, batch_size=2))
    assert [len(batch) for batch in batches] == sizes
    assert [one.name for batch in batches for one in batch] == names[:most]


def test_each_batch_is_one_query_along_the_primary_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    migrate(url)
    with closing(Store.on(url)) as store:
        store.record(S.SUCCEEDED)
        [_times_ahead_of_now, (_, plan)] = plans_of(store.catalogue.database, lambda: read(store))
    assert plan == ["SEARCH subjects USING INTEGER PRIMARY KEY (rowid>?)"]
