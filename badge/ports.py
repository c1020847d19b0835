"""The ports: protocols for sources, caches, stores and events, which adapters implement.

The resolver knows the outside world only through them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from badge.deadline import Deadline
from badge.events import Event, FailureKind
from badge.model import (
    CacheEntry,
    Report,
    Subject,
)

Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware, in UTC.

Lifetimes are measured with this clock, because values of the monotonic clock can't be compared between hosts.
"""

Jitter = Callable[[], float]
"""Returns a random number in [0, 1], used for jitter."""

# From the operating system: a seeded generator would give forked workers the same numbers, and their waits would end at
# the same time.
RANDOM_JITTER: Jitter = random.SystemRandom().random

# Upper limit for Retry-After: a source may send an absurd value.
LONGEST_PAUSE = timedelta(minutes=15)

CacheKey = tuple[str, ...]
"""Identifies an entry in the cache: the `place` of the source, then `Subject.key(...)`."""


class SourceUnavailable(Exception):
    """The source gave no answer. "No such subject" is an answer and never raises this.

    If `is_about_subject` is set, only this subject's fetch failed. That does not count against the source, so that odd
    names can't make a healthy source look broken.
    """

    def __init__(
        self, kind: FailureKind, retry_after: timedelta | None = None, *, is_about_subject: bool = False
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.retry_after = retry_after
        self.is_about_subject = is_about_subject


class StatusSource(Protocol):
    """A system that can be queried for the status of a subject."""

    @property
    def name(self) -> str:
        """Name for logs and metrics; contains no address."""
        ...

    @property
    def place(self) -> str:
        """Name of the source, and a digest of its address, its credentials and how it reads the answers.

        Part of every key in the cache: two deployments on one Redis share entries only if these are equal.
        """
        ...

    def cache_key(self, subject: Subject) -> CacheKey:
        """Return the key of this subject's report; equal for spellings that the source does not distinguish."""
        ...

    def is_local(self, subject: Subject) -> bool:
        """Whether the source is local and as fast as the cache, so that budget and lease aren't worth their cost."""
        ...

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """Fetch the current report. `known` is the previous one, with its validator.

        Raises `SourceUnavailable` and nothing else. "No such subject" is a report.
        """
        ...


class SourceRouting(Protocol):
    """Which source answers for a subject."""

    @property
    def sources(self) -> Sequence[StatusSource]:
        """All sources, in order."""
        ...

    def source_for(self, subject: Subject) -> StatusSource | None:
        """Return the first source that matches; None means that no source matches the subject, which is an answer."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The fleet-wide right to fetch one subject's report, until it expires or is released."""

    key: CacheKey
    token: str
    began: datetime
    """When it was granted, by the cache's clock; counts as the start of the fetch."""


@dataclass(frozen=True, slots=True)
class LeaseAttempt:
    """Outcome of trying to get a lease: the lease, if it was granted, and the cached entry, if it could be read."""

    lease: Lease | None
    entry: CacheEntry | None


class StatusCache(Protocol):
    """A store for reports. No method raises: a lost server is a miss."""

    def get(self, key: CacheKey) -> CacheEntry | None:
        """Return the cached entry, fresh or expired."""
        ...

    def shared(self, key: CacheKey) -> CacheEntry | None:
        """Return the entry from the shared store only, where every process sees it and can invalidate it."""
        ...

    def recall(self, key: CacheKey) -> CacheEntry | None:
        """Return this process's own copy, as a last resort when the cache lost the entry and the source fails.

        Never an entry that this process knows to be invalidated.
        """
        ...

    def fetch_began(self, key: CacheKey) -> datetime:
        """Return the current time by the cache's clock: the `fetched_at` of a fetch that starts now."""
        ...

    def claim(self, key: CacheKey) -> LeaseAttempt:
        """Try to get the lease. If refused, retry shortly: by then there is a result, or the lease is free again."""
        ...

    def renew(self, lease: Lease) -> None:
        """Extend the lease. It expires soon after its holder dies."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back without a result."""
        ...

    def put(self, key: CacheKey, entry: CacheEntry, lease: Lease | None = None) -> bool:
        """Store the entry, unless it is out of date; returns whether it was stored.

        It is out of date if a later result is stored, or if the key was invalidated after the fetch began. A lease that
        is still ours is released either way.
        """
        ...

    def invalidate(self, key: CacheKey) -> None:
        """Drop the entry, and reject results of fetches that began before now."""
        ...

    def is_up(self) -> bool:
        """Whether the cache works right now, for health checks."""
        ...


class SourcePauses(Protocol):
    """The pauses that sources asked for (Retry-After), shared by all processes. No method raises."""

    def pause(self, source: str, until: datetime) -> None:
        """Record that a source must not be called until then."""
        ...

    def paused_until(self, source: str) -> datetime | None:
        """Return when a source may be called again, if that is in the future."""
        ...


class PictureStore(Protocol):
    """A bounded picture store shared by all processes. No method raises."""

    def get(self, name: str) -> bytes | None:
        """Return the picture with that name, if it is stored."""
        ...

    def put(self, name: str, picture: bytes) -> bool:
        """Store a picture if there is room; returns whether it was stored."""
        ...


class Events(Protocol):
    """Receives events, for logs and metrics."""

    def emit(self, event: Event) -> None:
        """Record an event; never raises, never blocks."""
        ...
