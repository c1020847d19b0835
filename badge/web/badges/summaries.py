"""Reads summaries: from the catalogue, or from a list of the sources' subjects that is refreshed in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from badge.deadline import Deadline
from badge.events import AnswerCrashed
from badge.listing import KnownTotals, NoList, SummaryListing, SummaryQuery
from badge.model import STALE_AGE, BackupStatus, Origin, Report, Resolution, SubjectScope
from badge.ports import Clock, Events, SourceUnavailable
from badge.resilience.single_flight import Flight, SingleFlight
from badge.resilience.worker_pool import WorkerPool
from badge.resolving.lifetimes import Lifetimes
from badge.summary import Summary, summary_of
from badge.web.badges.answer import unknown_for
from badge.web.badges.bounded_reads import BoundedReads

QUEUE_SECONDS = 0.3
"""How long a summary may wait for its turn to be counted; the dashboard requests one for each account on a page."""

SourceNames = Callable[[SubjectScope | None], Collection[str]]
"""Returns the names of the sources that can have subjects in a scope."""


def no_names(_: SubjectScope | None) -> Collection[str]:
    """Return nothing: with a single source, names are not needed."""
    return ()


class Determined(NamedTuple):
    """A summary, or None if it could not be determined, and how fresh the numbers are."""

    summary: Summary | None
    resolution: Resolution


@dataclass
class Summaries:
    """Reads summaries within a deadline, from one list of all subjects."""

    listing: SummaryListing | None
    """None if no source can list its subjects."""
    clock: Clock
    events: Events
    lifetimes: Lifetimes
    serves_all: bool = False
    """Whether there is a summary of all subjects."""
    names_within: SourceNames = no_names
    wait_seconds: float = 1.7
    """Longest wait for the list: the badge must be answered within 2 s."""
    most_waiting: int = 4
    """How many callers may wait for the list at a time, so that threads stay free for other badges."""
    _pool: WorkerPool = field(init=False)
    _flights: SingleFlight[str, bool] = field(default_factory=SingleFlight, init=False)
    _reads: BoundedReads = field(init=False)

    def __post_init__(self) -> None:
        # Few reads at a time, because counting keeps a processor busy, and a hanging database must not block all
        # threads.
        self._reads = BoundedReads(queue_seconds=QUEUE_SECONDS)
        self._pool = WorkerPool("summaries", threads=1, most_waiting=1)
        self._waiting = threading.Semaphore(self.most_waiting)

    def of(self, query: SummaryQuery, deadline: Deadline) -> Determined:
        """Return the summary.

        A list that is not fresh is refreshed; the call waits for the refresh only if the list is stale or missing.
        """
        if self.listing is None:
            return self._undetermined(self.lifetimes.failure)
        known = self._reads.result_of(partial(self.listing.summary, query), deadline)
        flight = None
        if self.listing.is_snapshot and (known is None or not known.is_fresh):
            flight = self.refresh(self.listing)
            if known is None or self.clock() - known.as_of >= STALE_AGE:
                self._wait_for(flight)
                known = self.listing.summary(query)
        if known is None:
            is_under_way = flight is not None and not flight.has_ended
            return self._undetermined(self.lifetimes.provisional if is_under_way else self.lifetimes.failure)
        return self._determined(query, known)

    def refresh(self, listing: SummaryListing) -> Flight[bool] | None:
        """Fetch the list in the background, once for all callers; None if there is no thread for it."""
        flight, is_new = self._flights.board(_LIST)
        if is_new and not self._pool.submit(partial(self._fetch, listing, flight)):
            self._flights.over(_LIST)
            flight.land(_ENDED)
            return None
        return flight

    def _fetch(self, listing: SummaryListing, flight: Flight[bool]) -> None:
        try:
            listing.refresh()
        except (SourceUnavailable, NoList):
            pass  # The numbers that were known before are used, if there are any.
        except Exception as error:  # noqa: BLE001 - a job must not raise
            self.events.emit(AnswerCrashed("summary", error))
        self._flights.over(_LIST)
        flight.land(_ENDED)

    def _wait_for(self, flight: Flight[bool] | None) -> None:
        if flight is not None and self._waiting.acquire(blocking=False):
            try:
                flight.wait(self.wait_seconds)
            finally:
                self._waiting.release()

    def _determined(self, query: SummaryQuery, known: KnownTotals) -> Determined:
        now, lifetimes = self.clock(), self.lifetimes
        age = max(timedelta(0), now - known.as_of)
        summary = summary_of(known.totals, self.names_within(query.scope))
        if age >= lifetimes.too_old or not summary.is_determined:
            return self._undetermined(lifetimes.failure)
        is_provisional = not known.is_fresh
        lifetime = lifetimes.failure if summary.silent else lifetimes.finished
        if summary.is_empty:
            # A constant, so that it does not reveal when the list was last read.
            age, lifetime = timedelta(0), lifetimes.absent
        return Determined(
            summary,
            Resolution(
                report=Report(status=_status_of(summary), observed_at=now, exists=not summary.is_empty),
                origin=_origin_of(known, age),
                age=age,
                fresh_for=lifetimes.provisional if is_provisional else lifetime,
                now=now,
                confirmed_at=now - age,
                usable_for=lifetimes.too_old - age,
                is_provisional=is_provisional,
            ),
        )

    def _undetermined(self, fresh_for: timedelta) -> Determined:
        return Determined(None, unknown_for(fresh_for, self.clock()))


_LIST, _ENDED = "list", True
"""The key of the only flight, and its result."""


def _origin_of(known: KnownTotals, age: timedelta) -> Origin:
    if known.is_failing:
        return Origin.STALE
    return Origin.CACHE if age else Origin.UPSTREAM


def _status_of(summary: Summary) -> BackupStatus:
    """Return the status by which a summary is counted in metrics."""
    if summary.is_all_protected:
        return BackupStatus.SUCCEEDED
    return BackupStatus.FAILED if summary.protected < summary.total else BackupStatus.UNKNOWN
