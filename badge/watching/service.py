"""The watcher's process: waits for the lease, then watches and delivers messages.

It ends when it is stopped or loses the lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.faults import failure
from badge.events import AnswerCrashed, MessagesGivenUp, WatchBegun
from badge.ports import Clock, Events
from badge.resilience.worker_pool import start_thread
from badge.watching.delivery import Courier
from badge.watching.store import LeaseLost, LeaseState, WatchStore
from badge.watching.watcher import Watcher

END_SECONDS = 2.0
"""How long to wait for the threads when the process is to end."""
INTERVAL_PER_CPU_SECOND = 20
"""Minimum seconds between the starts of two full scans, for each second of CPU time that the earlier one took.

This limits full scans to 5 % of one CPU.
"""


@dataclass(frozen=True, slots=True)
class Timings:
    """Intervals and time limits, in seconds."""

    lease: float = 15.0
    """Another process takes over if the lease has not been renewed for this long."""
    renew: float = 4.0
    hold: float = 10.0
    """Messages are sent only if the lease was renewed within this time, which is less than `lease`."""
    tick: float = 1.0
    quick_scan: float = 2.0
    """The pause between two quick scans."""


@dataclass(slots=True)
class WatchService:
    """One of the processes that share a database. Only the one that holds the lease watches."""

    watcher: Watcher
    store: WatchStore
    clock: Clock
    events: Events
    every: timedelta
    """How often to do a full scan."""
    give_up_after: timedelta
    couriers: Sequence[Courier] = ()
    timings: Timings = Timings()
    is_orphaned: Callable[[], bool] = lambda: False
    """Whether the parent process has ended."""
    monotonic: Callable[[], float] = time.monotonic
    busy: Callable[[], float] = time.thread_time
    """Returns the CPU time of the calling thread, in seconds."""
    stopping: threading.Event = field(default_factory=threading.Event)
    _held_until: float = 0.0

    def run(self) -> None:
        """Work until `stopping` is set, the parent has ended, the lease is lost, or a thread fails or can't be started.

        An unexpected exception in a thread is logged.
        """
        if self._got_lease():
            self._watch()

    def may_send(self) -> bool:
        """Whether the lease is ours for certain, and the process is not about to end."""
        return not self.stopping.is_set() and self.monotonic() < self._held_until

    def _got_lease(self) -> bool:
        """Wait until no process holds the lease, or its holder has stopped renewing it; then take it."""
        seen: LeaseState | None = None
        since = self.monotonic()
        while not self._must_end():
            try:
                now, current = self.monotonic(), self.store.lease()
                if current != seen:
                    seen, since = current, now
                is_free = not current.holder or now - since >= self.timings.lease
                if is_free and self.store.take(current):
                    self._held_until = now + self.timings.hold
                    return True
            except SQLAlchemyError as error:
                self.events.emit(failure("watch", error))
            self.stopping.wait(self.timings.tick)
        return False

    def _must_end(self) -> bool:
        return self.stopping.is_set() or self.is_orphaned()

    def _watch(self) -> None:
        threads = [self._scan, *(self._delivering(courier) for courier in self.couriers)]
        ended = [threading.Event() for _ in threads]
        for work, end in zip(threads, ended, strict=True):
            if not start_thread(self._until_stopped(work, end), "watch"):
                end.set()
                self.stopping.set()  # the next process may have more luck
        renewed = self.monotonic()
        while not self._must_end():
            if self.monotonic() - renewed >= self.timings.renew:
                renewed = self.monotonic()
                self._renew(renewed)
            self.stopping.wait(self.timings.tick)
        self.stopping.set()
        ends = self.monotonic() + END_SECONDS
        for end in ended:
            end.wait(max(0.0, ends - self.monotonic()))
        self._try(self.store.release)

    def _renew(self, now: float) -> None:
        try:
            self.store.renew(self.watcher.seen_until)
            self._held_until = now + self.timings.hold
        except LeaseLost:
            self.stopping.set()
        except SQLAlchemyError as error:
            self.events.emit(failure("watch", error))

    def _until_stopped(self, work: Callable[[], None], end: threading.Event) -> Callable[[], None]:
        """Wrap `work` for a thread: if it raises, the whole process ends, and its master starts another one."""

        def run() -> None:
            try:
                work()
            except LeaseLost:
                pass
            except Exception as error:  # noqa: BLE001 - logged; the process ends
                self.events.emit(AnswerCrashed("watcher", error))
            finally:
                self.stopping.set()
                end.set()

        return run

    def _scan(self) -> None:
        while not (self.stopping.is_set() or self._try(self.watcher.load)):
            self.stopping.wait(self.timings.tick)
        next_full, is_first = self.monotonic(), True
        while not self.stopping.is_set():
            # Quick scan first: it alone reports superseded runs, even those from a time when no process was watching.
            self._try(self.watcher.quick_scan)
            began, busy = self.monotonic(), self.busy()
            if began >= next_full:
                if self._try(self._full_scan) and is_first:
                    self.events.emit(WatchBegun())
                    is_first = False
                next_full = began + max(self.every.total_seconds(), INTERVAL_PER_CPU_SECOND * (self.busy() - busy))
            self.stopping.wait(max(0.0, min(self.timings.quick_scan, next_full - self.monotonic())))

    def _full_scan(self) -> None:
        self.watcher.full_scan()
        now = self.clock()
        if number := self.store.give_up(now - self.give_up_after, now, self.watcher.reporting.bounds):
            self.events.emit(MessagesGivenUp(number))

    def _delivering(self, courier: Courier) -> Callable[[], None]:
        def deliver() -> None:
            while not self.stopping.is_set():
                if not self._try(courier.deliver):
                    self.stopping.wait(self.timings.tick)

        return deliver

    def _try(self, work: Callable[[], object]) -> bool:
        """Run `work`, and report a database error. Returns False after an error, or if `work` returned False."""
        try:
            return work() is not False
        except SQLAlchemyError as error:
            self.events.emit(failure("watch", error))
            return False
