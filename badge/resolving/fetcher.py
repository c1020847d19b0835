"""Fetching reports: one call to the source for the whole fleet, its result shared by all.

Callers in one process share a flight per key. Among processes, the one that gets the key's lease calls the
source; the others poll for its result, and for the lease in case its holder dies. Failures are shared like
results, so a herd of requests makes one call to a failing source too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from badge.deadline import Deadline
from badge.events import (
    AnswerCrashed,
    FlightEnd,
    FlightEnded,
    Refusal,
    SourceAnswered,
    SourceCallSuppressed,
    SourceFailed,
)
from badge.model import CLOCK_TOLERANCE, CacheEntry, Report, Subject
from badge.ports import (
    LONGEST_PAUSE,
    RANDOM_JITTER,
    CacheKey,
    Clock,
    Events,
    Jitter,
    Lease,
    LeaseAttempt,
    SourcePauses,
    SourceUnavailable,
    StatusCache,
    StatusSource,
)
from badge.resilience.single_flight import Flight, SingleFlight
from badge.resolving.leases import LeaseKeeper
from badge.resolving.lifetimes import Lifetimes, back_off, shortened
from badge.resolving.source_limiter import SourceLimiter

# How often to poll for another process's result: soon at first, because most sources answer quickly.
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """Outcome of a fetch: a result, a refusal, or neither on timeout."""

    end: FlightEnd
    entry: CacheEntry | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class FetchJob:
    """Subject, key and source of one fetch."""

    subject: Subject
    key: CacheKey
    source: StatusSource


@dataclass
class Fetcher:
    """Fetches reports from sources and caches them. One per process."""

    cache: StatusCache
    pauses: SourcePauses
    clock: Clock
    events: Events
    limiter_of: Callable[[StatusSource], SourceLimiter]
    lifetimes: Lifetimes
    fetch_seconds: float = 5.0
    """Time limit of a background fetch. Callers stop waiting earlier; the result goes to the cache."""
    direct_seconds: float = 1.7
    """Time limit of a fetch on the caller's own thread."""
    jitter: Jitter = RANDOM_JITTER
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    _flights: SingleFlight[CacheKey, Fetched] = field(default_factory=SingleFlight, init=False)

    def __post_init__(self) -> None:
        self._leases = LeaseKeeper(self.cache.renew)

    def is_failing(self, source: StatusSource) -> bool:
        """Whether the source is failing, as of this process's most recent call; see `SourceLimiter.is_failing`."""
        return self.limiter_of(source).is_failing

    def refusal_of_new(self, source: StatusSource) -> Refusal | None:
        """Return why a call for a new subject would be refused now, or None if it would be admitted."""
        return self.limiter_of(source).refusal(is_new=True)

    def begin(self, job: FetchJob, *, is_new: bool) -> Flight[Fetched] | Refusal:
        """Join the key's flight or start one in the background; returns a refusal if the source may not be called."""
        flight, is_ours = self._flights.board(job.key)
        if not is_ours:
            return flight
        limiter = self.limiter_of(job.source)
        refusal = limiter.refusal(is_new=is_new)
        if refusal is None and not limiter.pool.submit(lambda: self._fly(job, limiter, flight)):
            refusal = Refusal.QUEUE
        if refusal is None:
            return flight
        self._flights.over(job.key)
        flight.land(self._suppressed(job.source, refusal))
        return refusal

    def fetch_directly(self, job: FetchJob, known: CacheEntry | None) -> Fetched:
        """Fetch from a local source on the caller's thread, without lease, queue or budget."""
        limiter = self.limiter_of(job.source)
        if not limiter.breaker.admits():
            return self._suppressed(job.source, Refusal.BREAKER)
        deadline = Deadline.after(self.direct_seconds)
        return self._fetch(job, LeaseAttempt(None, known), self.cache.fetch_began(job.key), deadline, limiter)

    def _fly(self, job: FetchJob, limiter: SourceLimiter, flight: Flight[Fetched]) -> None:
        try:
            fetched = self._share_or_fetch(job, limiter)
        except Exception as error:  # noqa: BLE001 - a bug: logged once, and raised for every waiting caller
            self.events.emit(AnswerCrashed("fetch", error))
            self.events.emit(FlightEnded(FlightEnd.CRASHED))
            self._flights.over(job.key)
            flight.crash(error)
            return
        self.events.emit(FlightEnded(fetched.end))
        self._flights.over(job.key)
        flight.land(fetched)

    def _share_or_fetch(self, job: FetchJob, limiter: SourceLimiter) -> Fetched:
        deadline = Deadline.after(self.fetch_seconds)
        delay = FIRST_POLL_SECONDS
        while True:
            attempt = self.cache.claim(job.key)
            if attempt.entry is not None and self.clock() < attempt.entry.fresh_until:
                if attempt.lease is not None:
                    self.cache.release(attempt.lease)
                return Fetched(FlightEnd.SHARED, attempt.entry)
            if attempt.lease is not None:
                return self._fetch_under_lease(job, limiter, attempt, attempt.lease)
            if deadline.remaining == 0:
                return Fetched(FlightEnd.FAILED)
            self.pause(min(delay, deadline.remaining) * (0.5 + self.jitter()))
            delay = min(2 * delay, LONGEST_POLL_SECONDS)

    def _fetch_under_lease(self, job: FetchJob, limiter: SourceLimiter, attempt: LeaseAttempt, lease: Lease) -> Fetched:
        # The second check; `begin` made the first, so that a refused fetch costs no thread and no lease. Only now is it
        # certain that this process will call the source. So only now is the budget charged, and only now is it worth a
        # round trip to read the pauses recorded by other processes.
        place = job.source.place
        refusal = limiter.admit(is_new=attempt.entry is None, paused_until=lambda: self.pauses.paused_until(place))
        if refusal is not None:
            self.cache.release(lease)
            return self._suppressed(job.source, refusal)
        with self._leases.holding(lease):
            return self._fetch(job, attempt, lease.began, Deadline.after(self.fetch_seconds), limiter)

    def _fetch(
        self, job: FetchJob, attempt: LeaseAttempt, began: datetime, deadline: Deadline, limiter: SourceLimiter
    ) -> Fetched:
        source, known, lease, allowed = job.source, attempt.entry, attempt.lease, deadline.remaining
        try:
            report = source.fetch(job.subject, known.report if known else None, deadline)
        except SourceUnavailable as unavailable:
            took = allowed - deadline.remaining
            self.events.emit(SourceFailed(source.name, unavailable.kind, took, unavailable.is_about_subject))
            if (until := limiter.failed(unavailable)) is not None:
                self.pauses.pause(source.place, until)
            failed = self._failed(known or self.cache.recall(job.key), began, unavailable.retry_after)
            return Fetched(FlightEnd.FAILED, self._commit(job.key, failed, lease))
        except Exception:
            if lease is not None:
                self.cache.release(lease)
            raise
        self.events.emit(SourceAnswered(source.name, allowed - deadline.remaining))
        limiter.answered()
        return Fetched(FlightEnd.FETCHED, self._commit(job.key, self._answered(report, began), lease))

    def _commit(self, key: CacheKey, entry: CacheEntry, lease: Lease | None) -> CacheEntry:
        """Store the entry and return it, or return the newer one that is already in the cache."""
        if self.cache.put(key, entry, lease):
            return entry
        return self.cache.get(key) or entry

    def _answered(self, report: Report, began: datetime) -> CacheEntry:
        now = self.clock()
        return CacheEntry(
            report=report,
            fetched_at=began,
            confirmed_at=_confirmed_at(report, now),
            fresh_until=now + shortened(self.lifetimes.of(report, now), self.jitter()),
        )

    def _failed(self, known: CacheEntry | None, began: datetime, retry_after: timedelta | None) -> CacheEntry:
        now = self.clock()
        failures = (known.failures if known else 0) + 1
        pause = max(back_off(failures, self.jitter()), min(retry_after or timedelta(0), LONGEST_PAUSE))
        return CacheEntry(
            report=known.report if known else None,
            fetched_at=began,
            confirmed_at=known.confirmed_at if known else now,
            fresh_until=now + pause,
            failures=failures,
        )

    def _suppressed(self, source: StatusSource, refusal: Refusal) -> Fetched:
        self.events.emit(SourceCallSuppressed(source.name, refusal))
        return Fetched(FlightEnd.SUPPRESSED, refusal=refusal)


def _confirmed_at(report: Report, now: datetime) -> datetime:
    """When the source confirmed the report: now, unless the report itself says it is older."""
    return report.observed_at if report.observed_at < now - CLOCK_TOLERANCE else now
