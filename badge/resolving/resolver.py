"""Resolving: from a subject to its report, with origin, age and freshness.

Failures of sources and of the cache never raise here: they are values with an `Origin`. Bugs in a source are not
caught; the web layer answers them with an image.
"""

from __future__ import annotations

import threading
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime, timedelta

from badge.deadline import Deadline
from badge.events import (
    CallerWaited,
    RefreshBegun,
    Refusal,
    SubjectUnmatched,
    Wait,
)
from badge.model import (
    STALE_AGE,
    BackupStatus,
    CacheEntry,
    Origin,
    Report,
    Resolution,
    Subject,
)
from badge.ports import (
    CacheKey,
    Clock,
    Events,
    SourceRouting,
    StatusCache,
)
from badge.resilience.single_flight import Flight
from badge.resolving.fetcher import Fetched, Fetcher, FetchJob
from badge.resolving.lifetimes import Lifetimes

# A local source answers in a millisecond. If it hangs, later callers must not queue up behind it for long.
LOCAL_QUEUE_SECONDS = 0.1


@dataclass
class Resolver:
    """Resolves subjects from their sources through one cache."""

    routing: SourceRouting
    cache: StatusCache
    fetcher: Fetcher
    clock: Clock
    events: Events
    lifetimes: Lifetimes
    wait_seconds: float = 1.7
    """Longest wait for the source: the badge must be answered within 2 s."""
    most_waiting: InitVar[int] = 4
    """How many callers may wait at a time, so that threads stay free for badges in the cache."""
    _waiting: threading.Semaphore = field(init=False)

    def __post_init__(self, most_waiting: int) -> None:
        self._waiting = threading.Semaphore(most_waiting)

    def resolve(self, subject: Subject, *, may_see_private: bool = False) -> Resolution:
        """Return the resolution for a caller who may or may not see private subjects; never raises for failures."""
        lookup = self._look_up(subject, Deadline.after(self.wait_seconds))
        return _Reader(self.lifetimes, self.clock, may_see_private=may_see_private).resolution_for(lookup)

    def key(self, subject: Subject) -> CacheKey:
        """Return the key of the subject in the cache."""
        source = self.routing.source_for(subject)
        return subject.key(fold_case=False) if source is None else source.cache_key(subject)

    def invalidate(self, subject: Subject) -> None:
        """Drop the cached report, so that the next caller fetches a new one."""
        self.cache.invalidate(self.key(subject))

    def _look_up(self, subject: Subject, deadline: Deadline) -> _Lookup:
        source = self.routing.source_for(subject)
        now = self.clock()
        if source is None:
            # An answer, not a failure: no source knows the subject.
            self.events.emit(SubjectUnmatched())
            absent = Report.absent(now)
            ends = now + self.lifetimes.absent
            return _Lookup(
                CacheEntry(report=absent, fetched_at=now, confirmed_at=now, fresh_until=ends), Origin.UPSTREAM
            )
        job = FetchJob(subject, source.cache_key(subject), source)
        is_local = source.is_local(subject)
        # A report to the catalogue invalidates the shared entry, but not the local copies of other processes.
        entry = self.cache.shared(job.key) if is_local else self.cache.get(job.key)
        if entry is not None and now < entry.fresh_until:
            return _Lookup(entry, _origin_of(entry))
        return self._call_local_source(job, entry) if is_local else self._refresh(job, entry, now, deadline)

    def _call_local_source(self, job: FetchJob, entry: CacheEntry | None) -> _Lookup:
        """The answer of a local source, or the cached entry if it fails or too many callers are waiting for it."""
        if not self._waiting.acquire(timeout=LOCAL_QUEUE_SECONDS):
            self.events.emit(CallerWaited(Wait.NOT_ADMITTED))
            return _provisional(entry or self.cache.recall(job.key), None)
        try:
            fetched = self.fetcher.fetch_directly(job, entry)
        finally:
            self._waiting.release()
        if fetched.entry is None:
            return _provisional(entry or self.cache.recall(job.key), fetched.refusal)
        return _lookup_by(fetched.entry)

    def _refresh(self, job: FetchJob, entry: CacheEntry | None, now: datetime, deadline: Deadline) -> _Lookup:
        """The cached entry with a refresh in the background, or the new report if that is worth waiting for.

        An entry older than an hour would be shown as stale. Since most badges are viewed less than once an hour,
        readers are better served by a short wait.
        """
        begun = self.fetcher.begin(job, is_new=entry is None)
        if isinstance(begun, Refusal):
            return _provisional(entry, begun)
        if entry is not None and entry.report is not None and now - entry.confirmed_at < STALE_AGE:
            self.events.emit(RefreshBegun())
            return _provisional(entry, None)
        return self._await(begun, entry, deadline)

    def _await(self, flight: Flight[Fetched], entry: CacheEntry | None, deadline: Deadline) -> _Lookup:
        if not self._waiting.acquire(blocking=False):
            self.events.emit(CallerWaited(Wait.NOT_ADMITTED))
            return _provisional(entry, None)
        try:
            fetched = flight.wait(deadline.remaining)
        finally:
            self._waiting.release()
        self.events.emit(CallerWaited(Wait.SERVED if fetched else Wait.GAVE_UP))
        if fetched is None or fetched.entry is None:
            return _provisional(entry, fetched.refusal if fetched else None)
        return _lookup_by(fetched.entry)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """What is known about a subject, regardless of who may see it."""

    entry: CacheEntry | None
    origin: Origin
    is_provisional: bool = False


def _origin_of(entry: CacheEntry) -> Origin:
    return Origin.STALE if entry.failures else Origin.CACHE


def _lookup_by(entry: CacheEntry) -> _Lookup:
    return _Lookup(entry, Origin.STALE if entry.failures else Origin.UPSTREAM)


def _provisional(entry: CacheEntry | None, refusal: Refusal | None) -> _Lookup:
    is_outage = entry is None or entry.failures > 0 or (refusal is not None and refusal.is_outage)
    return _Lookup(entry, Origin.STALE if is_outage else Origin.CACHE, is_provisional=True)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a look-up into the resolution that this reader may see."""

    lifetimes: Lifetimes
    clock: Clock
    may_see_private: bool

    def resolution_for(self, lookup: _Lookup) -> Resolution:
        now, entry = self.clock(), lookup.entry
        provisional = self.lifetimes.provisional if lookup.is_provisional else None
        if entry is None or entry.report is None or (lookup.origin is Origin.STALE and not self._may_see(entry.report)):
            # During an outage, a reader who may not see a private subject must not be able to tell it from one that
            # does not exist or was never requested: all three get this fallback.
            return self._fallback(now, provisional or self.lifetimes.failure)
        report, age = entry.report, max(timedelta(0), now - entry.confirmed_at)
        if not self._may_see(report):
            # Private reports are replaced before lifetimes, headers and pictures are derived from them. Absent ones
            # are replaced too, so that not even their age differs.
            report, age = Report.absent(now), timedelta(0)
        usable_for = self._usable_for(report, age, now)
        if usable_for <= timedelta(0):
            return self._fallback(now, self.lifetimes.failure)
        fresh_for = entry.fresh_until - now if lookup.origin is not Origin.STALE else self.lifetimes.failure
        return Resolution(
            report=replace(report, validator=None),
            origin=lookup.origin,
            age=age,
            fresh_for=min(provisional or fresh_for, usable_for),
            now=now,
            confirmed_at=now - age,
            usable_for=usable_for,
            is_provisional=lookup.is_provisional,
        )

    def _may_see(self, report: Report) -> bool:
        return report.exists and (report.is_public or self.may_see_private)

    def _usable_for(self, report: Report, age: timedelta, now: datetime) -> timedelta:
        left = self.lifetimes.too_old - age
        return left if report.stale_after is None else min(left, report.stale_after - now)

    def _fallback(self, now: datetime, fresh_for: timedelta) -> Resolution:
        return Resolution(
            report=Report(status=BackupStatus.UNKNOWN, observed_at=now, exists=False),
            origin=Origin.FALLBACK,
            age=timedelta(0),
            fresh_for=fresh_for,
            now=now,
        )
