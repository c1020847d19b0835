"""What the core needs from outside: a place to ask, a place to keep, a place to tell.

Every adapter implements one of these; the resolver knows nothing else of the world.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from badge.deadline import Deadline
from badge.events import Event
from badge.model import (
    CacheEntry,
    Report,
    Subject,
)

Clock = Callable[[], datetime]
"""The time now, aware, in UTC. Shared by all hosts, so lifetimes are reckoned in it."""

Jitter = Callable[[], float]
"""A number from 0 to 1, by which waits are spread."""

# The operating system's: a generator of our own would give forked workers the same numbers, and their
# waits would end in step.
RANDOM_JITTER: Jitter = random.SystemRandom().random

# A source that names a longer pause (Retry-After) is asked again by then: its clock, or its mind, may be wrong.
LONGEST_PAUSE = timedelta(minutes=15)

SubjectKey = tuple[str, str, str, str]
"""`Subject.key(...)`: what the cache and the catalogue compare subjects by."""


class SourceUnavailable(Exception):
    """The source could not be asked or gave no answer: the lack of an answer, never an answer.

    `kind` is one of a small closed set of words for logs and metrics; nothing the source sent.
    `is_about_subject`: only this question failed, and nothing follows for the next one; so that odd
    names can't make a healthy source look broken.
    """

    def __init__(self, kind: str, retry_after: timedelta | None = None, *, is_about_subject: bool = False) -> None:
        super().__init__(kind)
        self.kind = kind
        self.retry_after = retry_after
        self.is_about_subject = is_about_subject


class StatusSource(Protocol):
    """A place to ask how a subject's last backup went."""

    @property
    def name(self) -> str:
        """For logs and metrics; no address."""
        ...

    def folds_case(self, subject: Subject) -> bool:
        """Whether the source compares this subject's account and name without case."""
        ...

    def is_local(self, subject: Subject) -> bool:
        """Whether asking is as near as the cache: a budget, a lease or a second opinion would only cost."""
        ...

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """What the source says now. `known` is what it said before, with its validator.

        Raises `SourceUnavailable` and nothing else. "No such subject" is a report.
        """
        ...


class SourceRouting(Protocol):
    """Which source answers for a subject."""

    @property
    def sources(self) -> Sequence[StatusSource]:
        """All there are."""
        ...

    def source_for(self, subject: Subject) -> StatusSource | None:
        """The first that claims it; None where none does, which is an answer: nobody knows of it."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch one subject's report, for the whole fleet, until it runs out or is given back."""

    key: SubjectKey
    token: str
    began: datetime
    """When it was given, by the cache's own clock: the fence for what is fetched under it."""


@dataclass(frozen=True, slots=True)
class LeaseAttempt:
    """What a caller finds who wants to fetch: the right to do so, unless another has it, and what is kept."""

    lease: Lease | None
    entry: CacheEntry | None


class StatusCache(Protocol):
    """A place to keep reports. Nothing here ever raises: what is lost is a miss."""

    def get(self, key: SubjectKey) -> CacheEntry | None:
        """What is kept, fresh or not."""
        ...

    def shared(self, key: SubjectKey) -> CacheEntry | None:
        """The same, but only from where every process would find it, and where any of them can have it forgotten."""
        ...

    def recall(self, key: SubjectKey) -> CacheEntry | None:
        """What this process itself last knew, where nothing else can be had: the cache lost it, and the source is out.

        Never what this process knows to be forgotten.
        """
        ...

    def fetch_began(self, key: SubjectKey) -> datetime:
        """The moment, by the cache's own clock, to be handed to `put` with what is fetched from now on."""
        ...

    def claim(self, key: SubjectKey) -> LeaseAttempt:
        """Ask for the right to fetch. Who is refused looks again in a moment, for the result or for the right."""
        ...

    def renew(self, lease: Lease) -> None:
        """Hold it for a while longer. It runs out soon after its holder dies."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back without a result."""
        ...

    def put(self, key: SubjectKey, entry: CacheEntry, lease: Lease | None = None) -> bool:
        """Keep it, unless the result of a fetch that began later is there, or the key was forgotten since.

        The lease, if there is one and it is still ours, is given back either way.
        """
        ...

    def invalidate(self, key: SubjectKey) -> None:
        """Drop what is kept, and refuse what was fetched from before now."""
        ...

    def is_up(self) -> bool:
        """Whether it works right now, for health checks."""
        ...


class SourcePauses(Protocol):
    """A place where all processes remember which sources want not to be asked. Nothing here ever raises."""

    def pause(self, source: str, until: datetime) -> None:
        """Remember for all that a source wants not to be asked until then."""
        ...

    def paused_until(self, source: str) -> datetime | None:
        """When a source may be asked again, if that lies ahead."""
        ...


class PictureStore(Protocol):
    """A place that all processes share for pictures. Nothing here ever raises, and it is bounded."""

    def get(self, name: str) -> bytes | None:
        """The picture of that name, if it is kept."""
        ...

    def put(self, name: str, picture: bytes) -> bool:
        """Keep it, if there is room."""
        ...


class Events(Protocol):
    """Where facts about what happens inside are told."""

    def emit(self, event: Event) -> None:
        """Take note of it; never raises, never blocks."""
        ...
