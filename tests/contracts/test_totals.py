"""The catalogue's stored totals agree with subjects counted one by one, whatever happens to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, func, insert, select

from badge.catalogue.checks import CheckExists, NoSuchCheck
from badge.catalogue.database import new_engine
from badge.catalogue.events import ReportedVerification, RunEvent, VerificationEvent
from badge.catalogue.migration import migrate, upgrade
from badge.catalogue.schema import subject_paths, subjects
from badge.catalogue.store import IsExpected, NothingKnown, Retention
from badge.catalogue.totals import _SHARDS
from badge.listing import ListedSubject, ListingFilter, ListingOrder, attention_of
from badge.model import BackupStatus, Subject, VerificationOutcome, Visibility
from badge.sources.snapshot_listing import SnapshotListing, Walked
from tests.doubles import START
from tests.store import Store

SUBJECTS = [
    *(Subject.legacy(account, name) for account in ("acme", "contoso") for name in ("web", "Web-API", "old")),
    Subject.from_path("GitLab/my-group%2Fsub/Repository/Äpfel%20%25_x"),
    Subject.from_path("Gitea/Acme/Wiki/ünï/web"),
]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPORTABLE = [status for status in BackupStatus if status is not BackupStatus.UNKNOWN]

Step = Callable[[Store, Subject], object]


def report(store: Store, subject: Subject, status: BackupStatus, **more: object) -> None:
    event = RunEvent(subject=subject, status=status, at=store.clock())
    store.catalogue.record(replace(event, **more))  # type: ignore[arg-type] # an event's own fields


def delete(store: Store, subject: Subject) -> None:
    with suppress(NothingKnown, IsExpected):
        store.catalogue.delete(subject)


def expect(store: Store, subject: Subject) -> None:
    with suppress(CheckExists):
        store.checks.create(subject, HOUR, HOUR, visibility=Visibility.PRIVATE if "old" in subject.name else None)


def expect_nothing(store: Store, subject: Subject) -> None:
    with suppress(NoSuchCheck):
        store.checks.delete(subject)


def wait(store: Store, subject: Subject) -> None:
    store.clock.advance(minutes=50)


def a_report(status: BackupStatus) -> Step:
    return lambda store, subject: report(store, subject, status)


def a_report_for_an_hour(status: BackupStatus) -> Step:
    return lambda store, subject: report(store, subject, status, stale_after=store.clock() + HOUR)


def a_verification(outcome: VerificationOutcome, age: timedelta | None = None) -> Step:
    def verify(store: Store, subject: Subject) -> None:
        at = None if age is None else store.clock() - age
        store.catalogue.record(VerificationEvent(subject, ReportedVerification(outcome, at)))

    return verify


STEPS: dict[str, Step] = {
    **{status: a_report(status) for status in REPORTABLE},
    **{f"{status} for an hour": a_report_for_an_hour(status) for status in REPORTABLE},
    "an old run": lambda store, subject: report(
        store, subject, BackupStatus.SUCCEEDED, at=store.clock() - DAY, started_at=store.clock() - DAY
    ),
    "private": lambda store, subject: report(store, subject, BackupStatus.FAILED, visibility=Visibility.PRIVATE),
    "public": lambda store, subject: report(store, subject, BackupStatus.SUCCEEDED, visibility=Visibility.PUBLIC),
    "deleted with its history": delete,
    "expected": expect,
    "no longer expected": expect_nothing,
    "time passes": wait,
    "verified": a_verification(VerificationOutcome.PASSED),
    "verified two hours ago": a_verification(VerificationOutcome.PASSED, 2 * HOUR),
    "not verified": a_verification(VerificationOutcome.FAILED),
}


@pytest.fixture
def pruned(store: Store) -> Store:
    """A store that keeps two runs of each subject."""
    return replace(store, catalogue=replace(store.catalogue, retention=Retention(DAY, 2)))


def counted(store: Store) -> SnapshotListing:
    """Return all subjects as a list that is searched, sorted and counted one by one in memory."""

    def walk() -> Walked:
        return Walked(everything(store, ListingFilter(), ListingOrder.NAME, 500), is_whole=True)

    return SnapshotListing(walk, store.clock, fresh_for=timedelta(0))


def everything(store: Store, filter: ListingFilter, order: ListingOrder, limit: int) -> list[ListedSubject]:
    found: list[ListedSubject] = []
    cursor = None
    for _ in range(100):
        page = store.catalogue.list(filter, cursor, limit, order)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found
    raise AssertionError("the pages do not end")


def assert_totals_agree(store: Store) -> None:
    for is_public_only in (False, True):
        filter = ListingFilter(is_public_only=is_public_only)
        assert store.catalogue.totals(filter) == replace(counted(store).totals(filter), changes_at=None)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(SUBJECTS)), max_size=12))
def test_the_stored_totals_equal_the_counted_ones(pruned: Store, steps: list[tuple[str, Subject]]) -> None:
    for step, subject in steps:
        STEPS[step](pruned, subject)
    assert_totals_agree(pruned)
    pruned.clock.advance(hours=3)
    assert_totals_agree(pruned)


WORDS = st.lists(
    st.sampled_from(["w", "web", "WEB", "acme/web", "github/acme/repository", "ÄPFEL", "%_", "sub", "none", "i/a"]),
    min_size=1,
    max_size=2,
).map(tuple)
STATUSES = st.sampled_from(BackupStatus)
TIMES = st.sampled_from([START - DAY, START, START + HOUR / 2, START + DAY])
FILTERS = st.one_of(
    st.builds(ListingFilter, words=WORDS),
    st.builds(ListingFilter, words=WORDS, shown_as=STATUSES),
    st.builds(ListingFilter, account=st.sampled_from(["ACME", "contoso"]), words=st.just(("web",))),
    st.builds(ListingFilter, platform=st.just("github"), shown_as=STATUSES),
    st.builds(ListingFilter, failed_since=TIMES, shown_as=st.none() | STATUSES),
    st.builds(ListingFilter, no_success_since=TIMES),
    st.builds(ListingFilter, status=STATUSES, is_public_only=st.booleans()),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=FILTERS, most_counted=st.sampled_from([0, 2, 10_000]), limit=st.integers(1, 5), seed=st.integers(0, 99))
def test_each_way_to_read_a_list_finds_the_same_as_a_full_scan(
    store: Store, filter: ListingFilter, most_counted: int, limit: int, seed: int
) -> None:
    chance = random.Random(seed)
    for subject in SUBJECTS:
        report(store, subject, chance.choice(REPORTABLE))
    for _ in range(3):
        STEPS[chance.choice(sorted(STEPS))](store, chance.choice(SUBJECTS))
    tried = replace(store, catalogue=replace(store.catalogue, most_counted=most_counted))
    whole = counted(store)
    for order in ListingOrder:
        found = everything(tried, filter, order, limit)
        wanted = list(whole.list(filter, None, 100, order).items)
        if order is ListingOrder.WORST:
            needs = [attention_of(item, store.clock()) for item in found]
            assert needs == sorted(needs)
        # In memory, the time of change is approximate, and subjects that need equal attention are sorted by name.
        if order is not ListingOrder.NAME:
            found, wanted = sorted(found, key=_name), sorted(wanted, key=_name)
        assert [item.subject for item in found] == [item.subject for item in wanted]
    assert_is_sample(tried.catalogue.totals(filter).all, len(wanted), most_counted)


def _name(item: ListedSubject) -> str:
    return str(item.subject)


def assert_is_sample(number: int, whole: int, most: int) -> None:
    assert number == whole or most < number <= whole


def test_totals_beyond_the_limit_are_marked_as_incomplete(store: Store) -> None:
    for subject in SUBJECTS:
        store.record(BackupStatus.SUCCEEDED, subject)
    few = replace(store.catalogue, most_counted=3)
    assert (few.totals(ListingFilter(words=("web",))).all, few.totals(ListingFilter(words=("web",))).is_whole) == (
        4,
        False,
    )
    assert (few.totals(ListingFilter()).all, few.totals(ListingFilter()).is_whole) == (len(SUBJECTS), True)


def test_concurrent_transactions_keep_the_totals_correct(store: Store) -> None:
    """On PostgreSQL, they would deadlock if they updated the totals in different orders."""
    pair = [Subject.legacy("acme", str(number)) for number in range(_SHARDS + 1)]
    for subject in pair:
        report(store, subject, BackupStatus.FAILED)

    def flip(number: int) -> None:
        other = Store.on(store.url)
        with closing(other):
            for turn in range(50):
                other.clock.advance(seconds=1 + turn)
                report(other, pair[-number], [BackupStatus.SUCCEEDED, BackupStatus.FAILED][(turn + number) % 2])
                report(other, Subject.legacy(f"account-{number}", str(turn)), BackupStatus.SUCCEEDED)
                delete(other, Subject.legacy(f"account-{1 - number}", str(turn)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(flip, range(2)))  # the first and the last subject are in the same shard
    assert_totals_agree(store)


def test_an_older_catalogue_gets_its_totals_and_paths(new_url: str) -> None:
    upgrade(new_url, to="0002")
    engine, old = new_engine(new_url), MetaData()
    with engine.begin() as connection:
        old.reflect(connection)
        for number, subject in enumerate(SUBJECTS):
            connection.execute(insert(old.tables["subjects"]).values(**old_row(subject, number)))
    engine.dispose()
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        assert_totals_agree(store)
        assert store.catalogue.totals(ListingFilter()).all == len(SUBJECTS)
        (found,) = store.catalogue.list(ListingFilter(words=("ÄPFEL",))).items
        assert found.subject.name == "Äpfel %_x"
        report(store, found.subject, BackupStatus.SUCCEEDED)
        store.catalogue.delete(SUBJECTS[0])
        assert_totals_agree(store)


def old_row(subject: Subject, number: int) -> dict[str, object]:
    """Return a row of `subjects` as it was before totals were stored."""
    names = {"platform": subject.platform, "account": subject.account, "type": subject.type, "name": subject.name}
    keys = zip(("platform_key", "account_key", "type_key", "name_key"), subject.key(fold_case=True), strict=True)
    return {
        **names,
        **dict(keys),
        "status": REPORTABLE[number % len(REPORTABLE)].value,
        "last_finished": BackupStatus.SUCCEEDED.value if number % 2 else None,
        "visibility": Visibility.PRIVATE.value if number % 3 == 0 else Visibility.PUBLIC.value,
        "visibility_at": 0,
        "revision": 1,
        "updated_at": 0,
    }


def test_paths_are_deleted_with_their_subjects(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    store.catalogue.delete(Subject.legacy("acme", "web"))
    with store.catalogue.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(subject_paths)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(subjects)).scalar_one() == 0
