"""Lists of subjects: filter, order, page, totals, and the cursor at which a list's next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from badge.model import BackupStatus, PastRun, Report, Subject
from badge.ports import SourceUnavailable

# Of databases.
_LARGEST_INTEGER = 2**63 - 1


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


def cursor_at(order: ListingOrder, marks: Sequence[object]) -> str:
    """The cursor for what comes after these marks: what the list is sorted by, as numbers and texts."""
    return base64.urlsafe_b64encode(json.dumps([order, *marks]).encode()).decode().rstrip("=")


def marks_in(cursor: str, order: ListingOrder, kinds: Sequence[type]) -> list[Any]:
    """The marks in a cursor of this order, one of each kind; raises `ValueError` for what `cursor_at` never gave."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found[:1] == [order] and list(map(type, found[1:])) == list(kinds):
        marks = found[1:]
        if all(map(_can_be_kept, marks)):
            return marks
    raise ValueError("this cursor was not given by this service")


def _can_be_kept(mark: int | str) -> bool:
    """Whether every database takes it: JSON can spell NUL, halves of surrogate pairs and any number."""
    if isinstance(mark, int):
        return abs(mark) <= _LARGEST_INTEGER
    return "\0" not in mark and not any("\ud800" <= each <= "\udfff" for each in mark)
