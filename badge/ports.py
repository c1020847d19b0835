"""What the core needs from outside: a place to ask, a place to keep, a place to tell.

Every adapter implements one of these; the resolver knows nothing else of the world.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from badge.model import BackupStatus, Event, Kept, PastRun, Report, Subject

Clock = Callable[[], datetime]
"""The time now, aware, in UTC. Shared by all hosts, so lifetimes are reckoned in it."""

Chance = Callable[[], float]
"""A number from 0 to 1, by which waits are spread."""

# The operating system's: a generator of our own would give forked workers the same numbers, and their
# waits would end in step.
BY_CHANCE: Chance = random.SystemRandom().random

# A source that names a longer pause (Retry-After) is asked again by then: its clock, or its mind, may be wrong.
LONGEST_PAUSE = timedelta(minutes=15)

SubjectKey = tuple[str, str, str, str]
"""`Subject.key(...)`: what the cache and the catalogue compare subjects by."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock at which waiting has to end."""

    at: float
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Deadline:
        """The deadline that lies so many seconds ahead."""
        return cls(monotonic() + seconds, monotonic)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.monotonic())


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


class ListUnavailable(SourceUnavailable):
    """Of several sources that can list their subjects none did just now."""

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__("list")
        self.sources = sources


class ListBusy(SourceUnavailable):
    """The list is being read just now, and as many wait for it as may."""

    def __init__(self) -> None:
        super().__init__("busy")


class NoList(Exception):
    """The source answers for subjects, but has no list of them: an answer, and asking again brings the same."""


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
class ListingFilter:
    """Which subjects to list; `None` means all."""

    platform: str | None = None
    account: str | None = None
    status: BackupStatus | None = None
    updated_since: datetime | None = None
    shown_as: BackupStatus | None = None
    """What the badge says: what its source no longer vouches for is unknown, whatever it was."""
    words: Sequence[str] = ()
    """Each occurs in the subject's coordinates, whatever its case."""
    is_public_only: bool = False


class ListingOrder(StrEnum):
    """What comes first in a listing."""

    NAME = "name"
    """By the subjects' keys, so that those of one account stand together."""
    LATEST = "latest"
    """What was last heard of."""
    WORST = "worst"
    """What wants looking at, each kind by name."""


WORST_FIRST = (
    BackupStatus.FAILED,
    BackupStatus.UNKNOWN,
    BackupStatus.IN_PROGRESS,
    BackupStatus.SCHEDULED,
    BackupStatus.SUCCEEDED,
    BackupStatus.DELETED,
)
"""What `ListingOrder.WORST` means."""


@dataclass(frozen=True, slots=True)
class ListedSubject:
    """One row of a listing."""

    subject: Subject
    report: Report


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Rows in the order asked for, and where to go on, if there is more."""

    items: Sequence[ListedSubject]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ListingTotals:
    """How many subjects there are, by what their badges say."""

    by_status: Mapping[BackupStatus, int]
    protected: int
    """Whose last finished backup succeeded and is still vouched for."""
    is_whole: bool = True
    """False where there are more than could be counted."""
    silent: Sequence[str] = ()
    """The sources whose subjects are missing since they did not answer."""

    @property
    def all(self) -> int:
        """How many there are, deleted ones too."""
        return sum(self.by_status.values())

    @property
    def to_protect(self) -> int:
        """How many have to be protected: all that are not deleted, also those never backed up."""
        return self.all - self.by_status.get(BackupStatus.DELETED, 0)


class StatusListing(Protocol):
    """A source that can tell which subjects it has."""

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """One page. Raises `ValueError` for a cursor that it did not give, `SourceUnavailable` as a source does.

        Where the system behind it turns out to have no list, `NoList`.
        """
        ...

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """How many there are in all pages. Raises `SourceUnavailable` and `NoList`."""
        ...


class RunHistory(Protocol):
    """A source that remembers how a subject's backups went."""

    def history(self, subject: Subject, limit: int) -> Sequence[PastRun]:
        """The last runs, the newest first; none for a subject never heard of. Raises `SourceUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch one subject's report, for the whole fleet, until it runs out or is given back."""

    key: SubjectKey
    token: str
    began: datetime
    """When it was given, by the cache's own clock: the fence for what is fetched under it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller finds who wants to fetch: the right to do so, unless another has it, and what is kept."""

    lease: Lease | None
    kept: Kept | None


class StatusCache(Protocol):
    """A place to keep reports. Nothing here ever raises: what is lost is a miss."""

    def get(self, key: SubjectKey) -> Kept | None:
        """What is kept, fresh or not."""
        ...

    def shared(self, key: SubjectKey) -> Kept | None:
        """The same, but only from where every process would find it, and where any of them can have it forgotten."""
        ...

    def recall(self, key: SubjectKey) -> Kept | None:
        """What this process itself last knew, where nothing else can be had: the cache lost it, and the source is out.

        Never what this process knows to be forgotten.
        """
        ...

    def fetch_began(self, key: SubjectKey) -> datetime:
        """The moment, by the cache's own clock, to be handed to `put` with what is fetched from now on."""
        ...

    def claim(self, key: SubjectKey) -> Claim:
        """Ask for the right to fetch. Who is refused looks again in a moment, for the result or for the right."""
        ...

    def renew(self, lease: Lease) -> None:
        """Hold it for a while longer. It runs out soon after its holder dies."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back without a result."""
        ...

    def put(self, key: SubjectKey, kept: Kept, lease: Lease | None = None) -> bool:
        """Keep it, unless the result of a fetch that began later is there, or the key was forgotten since.

        The lease, if there is one and it is still ours, is given back either way.
        """
        ...

    def forget(self, key: SubjectKey) -> None:
        """Drop what is kept, and refuse what was fetched from before now."""
        ...

    def pause(self, source: str, until: datetime) -> None:
        """Remember for all that a source wants not to be asked until then."""
        ...

    def paused_until(self, source: str) -> datetime | None:
        """When a source may be asked again, if that lies ahead."""
        ...

    def is_up(self) -> bool:
        """Whether it works right now, for health checks."""
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
