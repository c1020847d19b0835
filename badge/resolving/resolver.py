"""Resolving: from a subject to its report, with origin, age and freshness.

Failures of sources and of the cache never raise here: they are values with an `Origin`. Bugs in a source are not
caught; the web layer answers them with an image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cache

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
    StatusSource,
)
from badge.resilience.single_flight import Flight
from badge.resolving.fetcher import Fetched, Fetcher, FetchJob
from badge.resolving.lifetimes import Lifetimes

Permission = Callable[[], bool | None]
"""Whether the caller may see a private subject; None if that can't be determined now.

Called at most once, and never if a public subject is answered from the cache without waiting for its source.
"""


def nobody() -> bool:
    """Permission of callers who may not see private subjects."""
    return False


def anybody() -> bool:
    """Permission of callers who may see private subjects."""
    return True


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

    def resolve(self, subject: Subject, *, may_see_private: Permission = nobody) -> Resolution:
        """Return the resolution for a caller with this permission; failures are values, not exceptions."""
        permission = cache(may_see_private)
        lookup = self._look_up(subject, Deadline.after(self.wait_seconds), permission)
        return _Reader(self.lifetimes, self.clock, permission).resolution_for(lookup)

    def key(self, subject: Subject) -> CacheKey:
        """Return the subject's cache key."""
        source = self.routing.source_for(subject)
        return subject.key(fold_case=False) if source is None else source.cache_key(subject)

    def invalidate(self, subject: Subject) -> None:
        """Drop the cached report, so that the next caller fetches a new one."""
        self.cache.invalidate(self.key(subject))

    def renew(self, subject: Subject) -> None:
        """Drop the cached report of a subject that has changed; from a local source, fetch the new one at once.

        Otherwise the next request for its badge would have to fetch it. That request would take longer, which would
        reveal that a private subject exists.
        """
        self.invalidate(subject)
        source = self.routing.source_for(subject)
        if source is not None and source.is_local(subject):
            self._call_local_source(FetchJob(subject, source.cache_key(subject), source), None)

    def _look_up(self, subject: Subject, deadline: Deadline, permission: Permission) -> _Lookup:
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
        # A run event invalidates the shared entry, but not the local copies of other processes.
        entry = self.cache.shared(job.key) if is_local else self.cache.get(job.key)
        if entry is not None and now < entry.fresh_until:
            lookup = _Lookup(entry, _origin_of(entry))
        elif is_local:
            lookup = self._call_local_source(job, entry)
        else:
            lookup = self._refresh(job, entry, now, deadline, permission)
        return self._doubted(lookup, source)

    def _doubted(self, lookup: _Lookup, source: StatusSource) -> _Lookup:
        """Return the look-up, with its `doubt` replaced if the subject is absent or private.

        Such a subject must be answered like one never seen before, even if it is in the cache. So it gets the doubt
        that a new subject would get now, unless its report was just fetched.
        """
        report = lookup.entry.report if lookup.entry else None
        if lookup.origin is Origin.UPSTREAM or (report is not None and report.is_public):
            return lookup
        refusal = self.fetcher.refusal_of_new(source)
        if self.fetcher.is_failing(source) or (refusal is not None and refusal.is_outage):
            return replace(lookup, doubt=Doubt.OUTAGE)
        return replace(lookup, doubt=Doubt.UNASKED) if refusal and lookup.doubt is Doubt.NONE else lookup

    def _call_local_source(self, job: FetchJob, entry: CacheEntry | None) -> _Lookup:
        """Return a local source's answer, or the cached entry if it fails or too many callers are waiting for it."""
        if not self._waiting.acquire(timeout=LOCAL_QUEUE_SECONDS):
            self.events.emit(CallerWaited(Wait.NOT_ADMITTED))
            return _unconfirmed(entry or self.cache.recall(job.key), None)
        try:
            fetched = self.fetcher.fetch_directly(job, entry)
        finally:
            self._waiting.release()
        if fetched.entry is None:
            return _unconfirmed(entry or self.cache.recall(job.key), fetched.refusal)
        return _lookup_by(fetched.entry)

    def _refresh(
        self, job: FetchJob, entry: CacheEntry | None, now: datetime, deadline: Deadline, permission: Permission
    ) -> _Lookup:
        """Return the cached entry and refresh it in the background, or wait for the new report if that is worth it.

        An entry older than an hour would be shown as stale. Since most badges are viewed less than once an hour,
        it is better to make the reader wait briefly.
        """
        begun = self.fetcher.begin(job, is_new=entry is None)
        if isinstance(begun, Refusal):
            return _unconfirmed(entry, begun)
        if entry is not None and entry.report is not None and now - entry.confirmed_at < STALE_AGE:
            self.events.emit(RefreshBegun())
            return _provisional(entry, Doubt.OUTAGE if entry.failures else Doubt.NONE)
        permission()  # while the fetch is under way, because there may be no time left afterwards
        return self._await(begun, entry, deadline)

    def _await(self, flight: Flight[Fetched], entry: CacheEntry | None, deadline: Deadline) -> _Lookup:
        if not self._waiting.acquire(blocking=False):
            self.events.emit(CallerWaited(Wait.NOT_ADMITTED))
            return _unconfirmed(entry, None)
        try:
            fetched = flight.wait(deadline.remaining)
        finally:
            self._waiting.release()
        self.events.emit(CallerWaited(Wait.SERVED if fetched else Wait.GAVE_UP))
        if fetched is None or fetched.entry is None:
            return _unconfirmed(entry, fetched.refusal if fetched else None)
        return _lookup_by(fetched.entry)


class Doubt(Enum):
    """Why a source can't confirm a cached entry now."""

    NONE = auto()
    """It can, or it did so recently and is being queried again."""
    UNASKED = auto()
    """The caller did not wait for it, or our limits refused the call."""
    OUTAGE = auto()
    """It is failing."""


@dataclass(frozen=True, slots=True)
class _Lookup:
    """What is known about a subject, regardless of who may see it."""

    entry: CacheEntry | None
    origin: Origin
    doubt: Doubt = Doubt.NONE
    is_provisional: bool = False


def _origin_of(entry: CacheEntry) -> Origin:
    return Origin.STALE if entry.failures else Origin.CACHE


def _lookup_by(entry: CacheEntry) -> _Lookup:
    return _Lookup(entry, Origin.STALE if entry.failures else Origin.UPSTREAM)


def _unconfirmed(entry: CacheEntry | None, refusal: Refusal | None) -> _Lookup:
    is_outage = (entry is not None and entry.failures > 0) or (refusal is not None and refusal.is_outage)
    return _provisional(entry, Doubt.OUTAGE if is_outage else Doubt.UNASKED)


def _provisional(entry: CacheEntry | None, doubt: Doubt) -> _Lookup:
    origin = Origin.STALE if entry is None or doubt is Doubt.OUTAGE else Origin.CACHE
    return _Lookup(entry, origin, doubt, is_provisional=True)


def absent_resolution(lifetimes: Lifetimes, now: datetime) -> Resolution:
    """Return the resolution of every subject that does not exist, or that the reader may not see."""
    return Resolution(
        report=Report.absent(now),
        origin=Origin.CACHE,
        age=timedelta(0),
        fresh_for=lifetimes.absent,
        now=now,
        confirmed_at=now,
        usable_for=lifetimes.too_old,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a look-up into the resolution that this reader may see."""

    lifetimes: Lifetimes
    clock: Clock
    permission: Permission

    def resolution_for(self, lookup: _Lookup) -> Resolution:
        now, entry = self.clock(), lookup.entry
        if entry is None or entry.report is None:
            return self._undetermined(now, lookup.doubt)
        report, age = entry.report, max(timedelta(0), now - entry.confirmed_at)
        # The permission is called for absent subjects too, so that checking a token takes as long as for private ones.
        if not report.is_public and not (self.permission() and report.exists):
            return self._invisible(now, lookup)
        usable_for = self._usable_for(report, age, now)
        if usable_for <= timedelta(0):
            return self._undetermined(now, Doubt.OUTAGE)
        fresh_for = entry.fresh_until - now if lookup.origin is not Origin.STALE else self.lifetimes.failure
        return Resolution(
            report=replace(report, validator=None),
            origin=lookup.origin,
            age=age,
            fresh_for=min(self.lifetimes.provisional if lookup.is_provisional else fresh_for, usable_for),
            now=now,
            confirmed_at=now - age,
            usable_for=usable_for,
            is_provisional=lookup.is_provisional,
        )

    def _invisible(self, now: datetime, lookup: _Lookup) -> Resolution:
        """Return the resolution for absent subjects and for private ones that this reader may not see.

        It is "no such subject", or undetermined if the source or the permission can't be relied on now. Nothing in it
        depends on the cached report, so that it is the same for both at any time.
        """
        is_failing = lookup.origin is Origin.STALE or self.permission() is None
        if is_failing or lookup.doubt is not Doubt.NONE:
            return self._undetermined(now, Doubt.OUTAGE if is_failing else lookup.doubt)
        return absent_resolution(self.lifetimes, now)

    def _usable_for(self, report: Report, age: timedelta, now: datetime) -> timedelta:
        left = self.lifetimes.too_old - age
        return left if report.stale_after is None else min(left, report.stale_after - now)

    def _undetermined(self, now: datetime, doubt: Doubt) -> Resolution:
        return Resolution(
            report=Report(status=BackupStatus.UNKNOWN, observed_at=now, exists=False),
            origin=Origin.FALLBACK,
            age=timedelta(0),
            fresh_for=self.lifetimes.provisional if doubt is Doubt.UNASKED else self.lifetimes.failure,
            now=now,
        )
