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
    SourceFailed,
    SourceSpared,
)
from badge.model import Kept, Report, Subject
from badge.ports import (
    BY_CHANCE,
    LONGEST_PAUSE,
    Chance,
    Claim,
    Clock,
    Events,
    Lease,
    SourceUnavailable,
    StatusCache,
    StatusSource,
    SubjectKey,
)
from badge.resilience.single_flight import Flight, SingleFlight
from badge.resolving.leases import LeaseKeeper
from badge.resolving.lifetimes import Lifetimes, back_off, shortened
from badge.resolving.source_limiter import SourceGuard

# Clocks of different hosts: a difference up to this is no age (reference: upstreams, section 5).
CLOCK_TOLERANCE = timedelta(minutes=5)
# How often to look for another process' result: soon at first, for most answer quickly.
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of finding out: something to show, or why the source was not asked; neither if time was over."""

    end: FlightEnd
    kept: Kept | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Which subject, under which key, is asked of which source."""

    subject: Subject
    key: SubjectKey
    source: StatusSource


@dataclass
class Fetcher:
    """Asks sources, and keeps what they say. One for each process."""

    cache: StatusCache
    clock: Clock
    events: Events
    guard_of: Callable[[StatusSource], SourceGuard]
    lifetimes: Lifetimes
    fetch_seconds: float = 5.0
    """The longest that one question may take in all; callers have left by then, the cache is filled for the next."""
    direct_seconds: float = 1.7
    """The same for a question that a caller waits for itself."""
    chance: Chance = BY_CHANCE
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    _flights: SingleFlight[SubjectKey, Fetched] = field(default_factory=SingleFlight, init=False)

    def __post_init__(self) -> None:
        self._leases = LeaseKeeper(self.cache.renew)

    def begin(self, question: Question, *, is_new: bool) -> Flight[Fetched] | Refusal:
        """Join the key's flight, or have one begun in the background; or why the source won't be asked now."""
        flight, is_ours = self._flights.board(question.key)
        if not is_ours:
            return flight
        guard = self.guard_of(question.source)
        refusal = guard.refusal(is_new=is_new)
        if refusal is None and not guard.crew.take(lambda: self._fly(question, guard, flight)):
            refusal = Refusal.QUEUE
        if refusal is None:
            return flight
        self._flights.over(question.key)
        flight.land(self._spared(question.source, refusal))
        return refusal

    def ask_directly(self, question: Question, known: Kept | None) -> Fetched:
        """Ask a source that is at hand, while the caller waits: without lease, line or budget."""
        guard = self.guard_of(question.source)
        if not guard.breaker.admits():
            return self._spared(question.source, Refusal.BREAKER)
        deadline = Deadline.after(self.direct_seconds)
        return self._ask(question, Claim(None, known), self.cache.fetch_began(question.key), deadline, guard)

    def _fly(self, question: Question, guard: SourceGuard, flight: Flight[Fetched]) -> None:
        try:
            fetched = self._shared_or_asked(question, guard)
        except Exception as error:  # noqa: BLE001 - a bug: those who wait get to see it, and it is told once
            self.events.emit(AnswerCrashed("fetch", error))
            self.events.emit(FlightEnded(FlightEnd.CRASHED))
            self._flights.over(question.key)
            flight.crash(error)
            return
        self.events.emit(FlightEnded(fetched.end))
        self._flights.over(question.key)
        flight.land(fetched)

    def _shared_or_asked(self, question: Question, guard: SourceGuard) -> Fetched:
        deadline = Deadline.after(self.fetch_seconds)
        look = FIRST_LOOK_SECONDS
        while True:
            claim = self.cache.claim(question.key)
            if claim.kept is not None and self.clock() < claim.kept.fresh_until:
                if claim.lease is not None:
                    self.cache.release(claim.lease)
                return Fetched(FlightEnd.SHARED, claim.kept)
            if claim.lease is not None:
                return self._asked_under_lease(question, guard, claim, claim.lease)
            if deadline.remaining == 0:
                return Fetched(FlightEnd.FAILED)
            self.pause(min(look, deadline.remaining) * (0.5 + self.chance()))
            look = min(2 * look, LONGEST_LOOK_SECONDS)

    def _asked_under_lease(self, question: Question, guard: SourceGuard, claim: Claim, lease: Lease) -> Fetched:
        name = question.source.name
        refusal = guard.admit(is_new=claim.kept is None, paused_until=lambda: self.cache.paused_until(name))
        if refusal is not None:
            self.cache.release(lease)
            return self._spared(question.source, refusal)
        with self._leases.holding(lease):
            return self._ask(question, claim, lease.began, Deadline.after(self.fetch_seconds), guard)

    def _ask(
        self, question: Question, claim: Claim, began: datetime, deadline: Deadline, guard: SourceGuard
    ) -> Fetched:
        source, known, lease, asked_for = question.source, claim.kept, claim.lease, deadline.remaining
        try:
            report = source.fetch(question.subject, known.report if known else None, deadline)
        except SourceUnavailable as unavailable:
            took = asked_for - deadline.remaining
            self.events.emit(SourceFailed(source.name, unavailable.kind, took, unavailable.is_about_subject))
            if (until := guard.failed(unavailable)) is not None:
                self.cache.pause(source.name, until)
            failed = self._failed(known or self.cache.recall(question.key), began, unavailable.retry_after)
            return Fetched(FlightEnd.FAILED, self._commit(question.key, failed, lease))
        except Exception:
            if lease is not None:
                self.cache.release(lease)
            raise
        self.events.emit(SourceAnswered(source.name, asked_for - deadline.remaining))
        guard.answered()
        return Fetched(FlightEnd.FETCHED, self._commit(question.key, self._answered(report, began), lease))

    def _commit(self, key: SubjectKey, kept: Kept, lease: Lease | None) -> Kept:
        """Keep it; where something newer is there already, that is the result."""
        if self.cache.put(key, kept, lease):
            return kept
        return self.cache.get(key) or kept

    def _answered(self, report: Report, began: datetime) -> Kept:
        now = self.clock()
        return Kept(
            report=report,
            fetched_at=began,
            confirmed_at=_confirmed_at(report, now),
            fresh_until=now + shortened(self.lifetimes.of(report, now), self.chance()),
        )

    def _failed(self, known: Kept | None, began: datetime, retry_after: timedelta | None) -> Kept:
        now = self.clock()
        failures = (known.failures if known else 0) + 1
        pause = max(back_off(failures, self.chance()), min(retry_after or timedelta(0), LONGEST_PAUSE))
        return Kept(
            report=known.report if known else None,
            fetched_at=began,
            confirmed_at=known.confirmed_at if known else now,
            fresh_until=now + pause,
            failures=failures,
        )

    def _spared(self, source: StatusSource, refusal: Refusal) -> Fetched:
        self.events.emit(SourceSpared(source.name, refusal))
        return Fetched(FlightEnd.SPARED, refusal=refusal)


def _confirmed_at(report: Report, now: datetime) -> datetime:
    """When the source stood behind this: now, unless it says itself that its knowledge is older."""
    return report.observed_at if report.observed_at < now - CLOCK_TOLERANCE else now
