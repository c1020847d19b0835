"""Events through hosts whose clocks differ and jump: the last one counts, and backups still become overdue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from badge.catalogue.checks import Checks
from badge.catalogue.database import Database
from badge.catalogue.events import InvalidEvent, RunEvent
from badge.catalogue.schema import subjects
from badge.catalogue.store import Catalogue, Recorded, Retention
from badge.model import CLOCK_TOLERANCE, BackupStatus, Visibility
from tests.doubles import START, ManualClock
from tests.migrated import migrate
from tests.store import WEB, Store, run_at_once

S, F, R, D = BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.IN_PROGRESS, BackupStatus.DELETED
EVERY, GRACE = timedelta(hours=24), timedelta(hours=2)
IN_2099 = datetime(2099, 1, 1, tzinfo=UTC)


@dataclass
class Host:
    """One of a service's hosts, which share a database but not a clock."""

    url: str
    now: datetime = START
    """The true time."""
    error: timedelta = timedelta(0)
    most_ahead: timedelta = CLOCK_TOLERANCE
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        database = Database(self.url)
        self.catalogue = Catalogue(database, self.clock)
        self.checks = Checks(database, self.clock)

    def clock(self) -> datetime:
        return self.now + self.error

    def receive(self, event: RunEvent, *, at: datetime | None = None) -> Recorded:
        """Record an event while the host's clock shows the given time, if any."""
        usual = self.error
        self.error = at - self.now if at else usual
        try:
            return self.catalogue.record(event)
        finally:
            self.error = usual

    @property
    def shown(self) -> BackupStatus:
        report = self.catalogue.report_for(WEB)
        assert report is not None
        return report.status


@dataclass(frozen=True)
class Step:
    """An event that one of two hosts receives."""

    status: BackupStatus
    host: int
    after: timedelta
    """Time that passes before the event."""
    jump: timedelta
    """How far the host's clock jumps before the event."""
    run_id: str | None
    started_ago: timedelta | None
    """When the run began, by the reporter's clock, which is right; None if the report has no times."""
    is_2099: bool

    def event(self, now: datetime) -> RunEvent:
        if self.started_ago is None:
            return RunEvent(subject=WEB, status=self.status, run_id=self.run_id)
        if self.status is D:
            return RunEvent(subject=WEB, status=D, at=now)
        ended_at = None if self.status is R else now
        return RunEvent(subject=WEB, status=self.status, started_at=now - self.started_ago, finished_at=ended_at)


def minutes(least: float, most: float) -> st.SearchStrategy[timedelta]:
    return st.floats(least, most).map(lambda number: timedelta(minutes=number))


NO_JUMP = st.just(timedelta(0))
STEPS = st.builds(
    Step,
    status=st.sampled_from([S, F, R, D]),
    host=st.integers(0, 1),
    after=minutes(0.1, 90),  # no two events in the same microsecond
    jump=NO_JUMP | minutes(-90, 4),
    run_id=st.sampled_from([None, "a", "b"]),
    started_ago=st.none() | minutes(1, 120),
    is_2099=st.just(value=False),
)


@st.composite
def interleavings(draw: st.DrawFn) -> list[Step]:
    """Generate events through two hosts, one of them received while a clock shows 2099."""
    steps = draw(st.lists(STEPS, min_size=1, max_size=7))
    poisoned = Step(draw(st.sampled_from([S, F, R, D])), 0, timedelta(0), timedelta(0), None, None, is_2099=True)
    steps.insert(draw(st.integers(0, len(steps))), poisoned)
    return steps


@contextmanager
def two_hosts(url: str, ahead: timedelta) -> Iterator[list[Host]]:
    """Yield a host whose clock is ahead, and one whose clock is right."""
    hosts = [Host(url, error=ahead, most_ahead=max(ahead, CLOCK_TOLERANCE)), Host(url)]
    with closing(hosts[0].catalogue.database), closing(hosts[1].catalogue.database):
        yield hosts


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'catalogue.sqlite3'}"
        migrate(url)
        yield url


def receive(hosts: list[Host], step: Step, earlier_starts: list[datetime]) -> None:
    """Let a host receive the event, and check that its status is shown.

    There are two exceptions. An event is not shown if its run started before the run of an event that was received
    earlier. And if a clock is far ahead, a success with times may be placed below an event without times; a failure
    never is.
    """
    for each in hosts:
        each.now += step.after
    host, right = hosts[step.host], hosts[1]
    host.error = max(timedelta(hours=-2), min(host.error + step.jump, host.most_ahead))
    event = step.event(right.now)
    try:
        recorded = host.receive(event, at=IN_2099 if step.is_2099 else None)
    except InvalidEvent:
        # To this host, the event is in the future.
        assert step.started_ago is not None
        assert host.error < -CLOCK_TOLERANCE
        return
    if step.status is D:
        earlier_starts.clear()  # A run that brings the subject back is newer than all of them.
    if step.status is not R:
        is_older = event.started_at is not None and any(start > event.started_at for start in earlier_starts)
        may_be_hidden = step.status is S and step.started_ago is not None and hosts[0].most_ahead > CLOCK_TOLERANCE
        assert recorded.applied is not is_older or (may_be_hidden and not recorded.applied)
        assert not recorded.applied or hosts[1 - step.host].shown is host.shown is step.status
    if event.started_at is not None:
        earlier_starts.append(event.started_at)


@settings(max_examples=40, deadline=None)
@given(steps=interleavings(), ahead=st.just(timedelta(seconds=90)) | minutes(20, 60))
def test_the_last_event_is_shown_and_a_backup_still_becomes_overdue(
    url: str, steps: list[Step], ahead: timedelta
) -> None:
    with two_hosts(url, ahead) as hosts:
        right = hosts[1]
        with right.catalogue.database.writing() as connection:
            connection.execute(delete(subjects))
        right.checks.create(WEB, EVERY, GRACE)
        earlier_starts: list[datetime] = []
        for step in steps:
            receive(hosts, step, earlier_starts)
        right.error = timedelta(0)
        is_deleted = right.shown is D
        right.now += EVERY + GRACE + hosts[0].most_ahead
        assert right.shown is (D if is_deleted else F)
        right.receive(RunEvent(subject=WEB, status=S))
        assert right.shown is S
        right.now += EVERY + GRACE
        assert right.shown is F


def test_events_of_two_hosts_count_in_the_order_of_arrival(store: Store) -> None:
    for behind in (timedelta(seconds=90), timedelta(hours=1)):
        assert store.receive(S)
        store.clock.now -= behind
        assert store.receive(F)
        assert store.status() is F
        assert store.receive(S, visibility=Visibility.PRIVATE, enabled=False)
        store.clock.now -= behind
        assert store.receive(BackupStatus.DELETED, visibility=Visibility.PUBLIC, enabled=True)
        assert (store.status(), store.report().visibility, store.report().enabled) == (
            BackupStatus.DELETED,
            Visibility.PUBLIC,
            True,
        )
        store.clock.now += 2 * behind


def record_many(url: str, behind: timedelta) -> None:
    clock = ManualClock(START - behind)
    with closing(Database(url)) as database:
        catalogue = Catalogue(database, clock, Retention(timedelta(days=90), 1_000))
        for _ in range(50):
            catalogue.record(RunEvent(subject=WEB, status=F))
            clock.advance(seconds=1)


def test_events_that_arrive_at_the_same_time_get_different_numbers(store: Store) -> None:
    run_at_once(record_many, *[(store.url, timedelta(hours=hours)) for hours in range(3)])
    assert [run.sequence for run in store.catalogue.runs(WEB, 1_000)] == list(range(150, 0, -1))


def test_a_superseded_report_can_hide_a_subject_but_not_publish_it(store: Store) -> None:
    older, newer = START - timedelta(hours=2), START - timedelta(hours=1)
    store.receive(S, started_at=newer, visibility=Visibility.PRIVATE, enabled=False)
    assert not store.receive(S, started_at=older, visibility=Visibility.PUBLIC, enabled=True)
    assert (store.report().visibility, store.report().enabled) == (Visibility.PRIVATE, False)
    store.receive(S, started_at=newer, visibility=Visibility.PUBLIC, enabled=True)
    assert (store.report().visibility, store.report().enabled) == (Visibility.PUBLIC, True)
    assert not store.receive(S, started_at=older, visibility=Visibility.PRIVATE, enabled=False)
    assert (store.report().visibility, store.report().enabled) == (Visibility.PRIVATE, False)


def test_a_repeated_report_changes_nothing(store: Store) -> None:
    began = START - timedelta(hours=1)
    store.receive(F, started_at=began, finished_at=START, size_bytes=7)
    before, runs = store.report(), store.catalogue.runs(WEB)
    store.clock.advance(seconds=5)
    assert store.receive(F, started_at=began, finished_at=START, size_bytes=7)
    assert (store.report().revision, store.catalogue.runs(WEB)) == (before.revision, runs)


def test_times_ahead_of_now_are_noticed_and_not_shown(store: Store) -> None:
    store.clock.advance(minutes=6)
    store.receive(S)
    store.clock.advance(minutes=-5)
    assert (store.catalogue.number_ahead(), store.report().finished_at) == (0, START + timedelta(minutes=6))
    store.clock.advance(minutes=-1)
    assert (store.catalogue.number_ahead(), store.report().finished_at) == (1, None)
    assert store.catalogue.record(RunEvent(subject=WEB, status=F)).is_ahead
