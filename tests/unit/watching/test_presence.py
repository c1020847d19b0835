"""A missing watcher is noticed within about a minute, however often its lease is checked, and no check waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from badge.catalogue.database import Database
from badge.events import CatalogueFailed
from badge.resilience.worker_pool import WorkerPool
from badge.watching.presence import MISSING_SECONDS, WatcherPresence
from badge.watching.store import LeaseState, WatchStore
from tests.doubles import RecordedEvents
from tests.migrated import migrate


def at_once(job: Callable[[], None]) -> bool:
    job()
    return True


@dataclass
class Checks:
    """A watcher's lease, and checks that read it immediately."""

    store: WatchStore
    now: float = 1_000.0
    events: RecordedEvents = field(default_factory=RecordedEvents)

    def __post_init__(self) -> None:
        assert self.store.take(self.store.lease())
        self.presence = WatcherPresence(self.store.lease, self.events, at_once, lambda: self.now)

    def later(self, seconds: float, *, renewed: bool = False) -> bool:
        self.now += seconds
        if renewed:
            self.store.renew()
        return self.presence.is_watched()


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[Checks]:
    migrate(url := f"sqlite:///{tmp_path / 'notify.sqlite3'}")
    with closing(Database(url)) as database:
        yield Checks(WatchStore(database, "first"))


@pytest.mark.parametrize("interval", [1.0, 30.0, 3_600.0])
def test_a_lease_that_is_renewed_means_that_a_watcher_is_running(checks: Checks, interval: float) -> None:
    assert all(checks.later(interval, renewed=True) for _ in range(10))


@pytest.mark.parametrize("interval", [1.0, 30.0, 3_600.0])
def test_a_lease_that_is_not_renewed_means_that_no_watcher_is_running(checks: Checks, interval: float) -> None:
    assert all(checks.later(interval) for _ in range(int(MISSING_SECONDS / interval) + 1))
    assert not checks.later(interval)
    assert checks.later(interval, renewed=True)


def test_a_lease_released_and_not_taken_again_means_that_no_watcher_is_running(checks: Checks) -> None:
    checks.later(4)
    checks.store.release()
    assert checks.later(4)
    assert not checks.later(MISSING_SECONDS + 1)


def test_a_database_that_cannot_be_read_is_logged_and_counts_as_not_renewed(checks: Checks) -> None:
    checks.later(4, renewed=True)
    checks.store.database.is_damaged = True
    assert checks.later(4)  # one failed reading does not prove that no watcher is running
    assert not checks.later(MISSING_SECONDS)
    assert {type(event) for event in checks.events.seen} == {CatalogueFailed}


def test_a_database_that_hangs_holds_up_no_check() -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def lease() -> LeaseState:
        is_asked.set()
        assert may_answer.wait(30)
        return LeaseState("first", 1)

    presence = WatcherPresence(lease, RecordedEvents(), WorkerPool("readings", threads=1, most_waiting=0).submit)
    assert all(presence.is_watched() for _ in range(10))
    assert is_asked.wait(30)
    may_answer.set()
