"""Finding out a subject's status: one question to the source for the whole fleet, its result shared by all.

In a process, callers for one key share a flight. Among processes, the one that gets the key's lease
asks; the others look for its result, and for its lease, should it die. What fails is shared like a
result, so that a herd at a broken source is one question too.
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
from badge.model import CacheEntry, Report, Subject
from badge.ports import (
    LONGEST_PAUSE,
    RANDOM_JITTER,
    Clock,
    Events,
    Jitter,
    Lease,
    LeaseAttempt,
    SourcePauses,
    SourceUnavailable,
    StatusCache,
    StatusSource,
    SubjectKey,
)
from badge.resilience.single_flight import Flight, SingleFlight
from badge.resolving.leases import LeaseKeeper
from badge.resolving.lifetimes import Lifetimes, back_off, shortened
from badge.resolving.source_limiter import SourceLimiter

# Clocks of different hosts: a difference up to this is no age (reference: upstreams, section 5).
CLOCK_TOLERANCE = timedelta(minutes=5)
# How often to look for another process' result: soon at first, for most answer quickly.
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of finding out: something to show, or why the source was not asked; neither if time was over."""

    end: FlightEnd
    entry: CacheEntry | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class FetchJob:
    """Which subject, under which key, is asked of which source."""

    subject: Subject
    key: SubjectKey
    source: StatusSource


@dataclass
class Fetcher:
    """Asks sources, and keeps what they say. One for each process."""

    cache: StatusCache
    pauses: SourcePauses
    clock: Clock
    events: Events
    limiter_of: Callable[[StatusSource], SourceLimiter]
    lifetimes: Lifetimes
    fetch_seconds: float = 5.0
    """The longest that one question may take in all; callers have left by then, the cache is filled for the next."""
    direct_seconds: float = 1.7
    """The same for a question that a caller waits for itself."""
    jitter: Jitter = RANDOM_JITTER
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    _flights: SingleFlight[SubjectKey, Fetched] = field(default_factory=SingleFlight, init=False)

    def __post_init__(self) -> None:
        self._leases = LeaseKeeper(self.cache.renew)

    def begin(self, job: FetchJob, *, is_new: bool) -> Flight[Fetched] | Refusal:
        """Join the key's flight, or have one begun in the background; or why the source won't be asked now."""
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

    def ask_directly(self, job: FetchJob, known: CacheEntry | None) -> Fetched:
        """Ask a source that is at hand, while the caller waits: without lease, line or budget."""
        limiter = self.limiter_of(job.source)
        if not limiter.breaker.admits():
            return self._suppressed(job.source, Refusal.BREAKER)
        deadline = Deadline.after(self.direct_seconds)
        return self._ask(job, LeaseAttempt(None, known), self.cache.fetch_began(job.key), deadline, limiter)

    def _fly(self, job: FetchJob, limiter: SourceLimiter, flight: Flight[Fetched]) -> None:
        try:
            fetched = self._shared_or_asked(job, limiter)
        except Exception as error:  # noqa: BLE001 - a bug: those who wait get to see it, and it is logged once
            self.events.emit(AnswerCrashed("fetch", error))
            self.events.emit(FlightEnded(FlightEnd.CRASHED))
            self._flights.over(job.key)
            flight.crash(error)
            return
        self.events.emit(FlightEnded(fetched.end))
        self._flights.over(job.key)
        flight.land(fetched)

    def _shared_or_asked(self, job: FetchJob, limiter: SourceLimiter) -> Fetched:
        deadline = Deadline.after(self.fetch_seconds)
        look = FIRST_LOOK_SECONDS
        while True:
            attempt = self.cache.claim(job.key)
            if attempt.entry is not None and self.clock() < attempt.entry.fresh_until:
                if attempt.lease is not None:
                    self.cache.release(attempt.lease)
                return Fetched(FlightEnd.SHARED, attempt.entry)
            if attempt.lease is not None:
                return self._asked_under_lease(job, limiter, attempt, attempt.lease)
            if deadline.remaining == 0:
                return Fetched(FlightEnd.FAILED)
            self.pause(min(look, deadline.remaining) * (0.5 + self.jitter()))
            look = min(2 * look, LONGEST_LOOK_SECONDS)

    def _asked_under_lease(self, job: FetchJob, limiter: SourceLimiter, attempt: LeaseAttempt, lease: Lease) -> Fetched:
        # `begin` asked the limiter too, before there was a flight: what is refused anyhow costs no thread and no lease.
        # Only now is it certain that this process asks the source, so only now is the right to do so used up, and
        # only now is it worth a round trip to learn of pauses that other processes were asked for.
        name = job.source.name
        refusal = limiter.admit(is_new=attempt.entry is None, paused_until=lambda: self.pauses.paused_until(name))
        if refusal is not None:
            self.cache.release(lease)
            return self._suppressed(job.source, refusal)
        with self._leases.holding(lease):
            return self._ask(job, attempt, lease.began, Deadline.after(self.fetch_seconds), limiter)

    def _ask(
        self, job: FetchJob, attempt: LeaseAttempt, began: datetime, deadline: Deadline, limiter: SourceLimiter
    ) -> Fetched:
        source, known, lease, asked_for = job.source, attempt.entry, attempt.lease, deadline.remaining
        try:
            report = source.fetch(job.subject, known.report if known else None, deadline)
        except SourceUnavailable as unavailable:
            took = asked_for - deadline.remaining
            self.events.emit(SourceFailed(source.name, unavailable.kind, took, unavailable.is_about_subject))
            if (until := limiter.failed(unavailable)) is not None:
                self.pauses.pause(source.name, until)
            failed = self._failed(known or self.cache.recall(job.key), began, unavailable.retry_after)
            return Fetched(FlightEnd.FAILED, self._commit(job.key, failed, lease))
        except Exception:
            if lease is not None:
                self.cache.release(lease)
            raise
        self.events.emit(SourceAnswered(source.name, asked_for - deadline.remaining))
        limiter.answered()
        return Fetched(FlightEnd.FETCHED, self._commit(job.key, self._answered(report, began), lease))

    def _commit(self, key: SubjectKey, entry: CacheEntry, lease: Lease | None) -> CacheEntry:
        """Keep it; where something newer is there already, that is the result."""
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
    """When the source stood behind this: now, unless it says itself that its knowledge is older."""
    return report.observed_at if report.observed_at < now - CLOCK_TOLERANCE else now
