"""Lists of subjects: filters, orders, pages, totals, and the cursors that lead to the next page."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from badge.events import FailureKind
from badge.model import BackupStatus, PastRun, Report, Subject
from badge.ports import SourceUnavailable

# The largest integer a database column holds.
_LARGEST_INTEGER = 2**63 - 1


class ListUnavailable(SourceUnavailable):
    """None of the sources that can list their subjects answered."""

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(FailureKind.NO_LIST)
        self.sources = sources


class NoList(Exception):
    """The source can't list its subjects. A definitive answer: there is no point in retrying."""


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Which subjects to list; `None` means all."""

    platform: str | None = None
    account: str | None = None
    status: BackupStatus | None = None
    updated_since: datetime | None = None
    shown_as: BackupStatus | None = None
    """The status on the badge: an outdated report counts as unknown, whatever its status was."""
    words: Sequence[str] = ()
    """Each must occur in the subject's coordinates, ignoring case."""
    is_public_only: bool = False


class ListingOrder(StrEnum):
    """How a listing is sorted."""

    NAME = "name"
    """By subject key, which keeps an account's subjects together."""
    LATEST = "latest"
    """Most recently updated first."""
    WORST = "worst"
    """By status in the order of `WORST_FIRST`, then by name."""


WORST_FIRST = (
    BackupStatus.FAILED,
    BackupStatus.UNKNOWN,
    BackupStatus.IN_PROGRESS,
    BackupStatus.SCHEDULED,
    BackupStatus.SUCCEEDED,
    BackupStatus.DELETED,
)
"""The order of `ListingOrder.WORST`: what needs attention first."""


@dataclass(frozen=True, slots=True)
class ListedSubject:
    """One row of a listing."""

    subject: Subject
    report: Report


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Rows in the requested order, and a cursor if there are more."""

    items: Sequence[ListedSubject]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ListingTotals:
    """Number of subjects by the status their badges show."""

    by_status: Mapping[BackupStatus, int]
    protected: int
    """Subjects whose last finished backup succeeded and whose report is not outdated."""
    is_whole: bool = True
    """False if there are more subjects than could be counted."""
    silent: Sequence[str] = ()
    """Sources whose subjects are missing because they did not answer."""

    @property
    def all(self) -> int:
        """All subjects, including deleted ones."""
        return sum(self.by_status.values())

    @property
    def to_protect(self) -> int:
        """Subjects that should be protected: all that are not deleted, including those never backed up."""
        return self.all - self.by_status.get(BackupStatus.DELETED, 0)


class StatusListing(Protocol):
    """A source that can list its subjects."""

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """Return one page.

        Raises `ValueError` for a cursor it did not issue, `SourceUnavailable` if the source fails, and `NoList`
        if the source turns out to have no list.
        """
        ...

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """Return the totals over all pages. Raises `SourceUnavailable` and `NoList`."""
        ...


class RunHistory(Protocol):
    """A source that keeps a history of runs."""

    def history(self, subject: Subject, limit: int, *, public_only: bool = False) -> Sequence[PastRun]:
        """Return the latest runs, newest first; none for an unknown subject, or a private one if `public_only`.

        Raises `SourceUnavailable`.
        """
        ...


def search_texts(subject: Subject) -> tuple[str, str]:
    """Return the strings that searches look in: the coordinates in lower case, with and without the type."""
    short = f"{subject.platform}/{subject.account}/{subject.name}"
    return str(subject).lower(), short.lower()


def cursor_at(order: ListingOrder, marks: Sequence[object]) -> str:
    """Return the cursor for what follows a row; `marks` are the row's sort values, as numbers and strings."""
    return base64.urlsafe_b64encode(json.dumps([order, *marks]).encode()).decode().rstrip("=")


def marks_in(cursor: str, order: ListingOrder, kinds: Sequence[type]) -> list[Any]:
    """Return the sort values in a cursor of this order; raises `ValueError` unless they have the given types."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found[:1] == [order] and list(map(type, found[1:])) == list(kinds):
        marks = found[1:]
        if all(map(_is_storable, marks)):
            return marks
    raise ValueError("this cursor was not issued by this service")


def _is_storable(mark: int | str) -> bool:
    """Whether every database accepts this value: JSON can also express NUL, lone surrogates and huge integers."""
    if isinstance(mark, int):
        return abs(mark) <= _LARGEST_INTEGER
    return "\0" not in mark and not any("\ud800" <= each <= "\udfff" for each in mark)
