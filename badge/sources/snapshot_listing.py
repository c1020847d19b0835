"""Subjects that were read whole and are kept for a moment, searched, sorted and counted here.

Not every system's list can do that: one look at the dashboard then costs it as much as a hundred.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from badge.listing import (
    WORST_FIRST,
    ListBusy,
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
    NoList,
    cursor_at,
    marks_in,
)
from badge.model import BackupStatus, Report
from badge.ports import Clock, SourceUnavailable

MOST_SUBJECTS = 10_000
KEPT_FOR = timedelta(seconds=30)
FAILURE_KEPT_FOR = timedelta(seconds=5)
# Of a worker's threads; a walk may take 10 s, and badges are answered by the others.
MOST_WAITING = 2
EPOCH = datetime.fromtimestamp(0, UTC)

Mark = list[Any]
"""What a subject is sorted by, as JSON holds it."""


@dataclass(frozen=True, slots=True)
class Walked:
    """All subjects that there were at one moment, or as many as were read."""

    items: Sequence[ListedSubject]
    is_whole: bool
    silent: Sequence[str] = ()
    """The sources that did not answer."""


Walk = Callable[[], Walked]
"""Reads them all, within limits; raises `SourceUnavailable`, and `NoList` where there is none to read."""


@dataclass(slots=True)
class SnapshotListing:
    """`StatusListing` over what a walk brought. Raises what the walk does, and `ListBusy`."""

    walk: Walk
    clock: Clock
    kept_for: timedelta = KEPT_FOR
    _kept: Walked | None = None
    _kept_at: datetime = EPOCH
    _failure: Exception | None = None
    _failed_at: datetime = EPOCH
    _walking: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_WAITING))

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """One page of what there was a moment ago."""
        now, mark_of = self.clock(), _MARKS[order]
        after = None if cursor is None else marks_in(cursor, order, _kinds(order))
        marked = sorted(((mark_of(item, now), item) for item in self._wanted(filter)), key=lambda pair: pair[0])
        rest = ((mark, item) for mark, item in marked if after is None or mark > after)
        found = [*islice(rest, limit + 1)]
        has_more = len(found) > limit
        return ListingPage(
            [item for _, item in found[:limit]], cursor_at(order, found[limit - 1][0]) if has_more else None
        )

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """How many there were a moment ago."""
        now, by_status, protected = self.clock(), dict.fromkeys(BackupStatus, 0), 0
        for item in self._wanted(filter):
            shown = item.report.status_at(now)
            by_status[shown] += 1
            protected += _is_protected(item.report, shown)
        counted = {status: number for status, number in by_status.items() if number}
        read = self._snapshot()
        return ListingTotals(counted, protected, is_whole=read.is_whole, silent=read.silent)

    def _wanted(self, filter: ListingFilter) -> Sequence[ListedSubject]:
        now = self.clock()
        return [item for item in self._snapshot().items if _fits(item, filter, now)]

    def _snapshot(self) -> Walked:
        if (known := self._known()) is not None:
            return known
        if not self._places.acquire(blocking=False):
            raise ListBusy
        try:
            with self._walking:  # one walk serves all who wait
                known = self._known()
                return self._walked() if known is None else known
        finally:
            self._places.release()

    def _known(self) -> Walked | None:
        """What the last walk brought, if that is not long ago; raises what it raised."""
        now = self.clock()
        if self._failure is not None and now - self._failed_at < FAILURE_KEPT_FOR:
            raise self._failure.with_traceback(None)
        return self._kept if now - self._kept_at < self.kept_for else None

    def _walked(self) -> Walked:
        began = self.clock()
        try:
            self._kept, self._kept_at, self._failure = self.walk(), began, None
        except (SourceUnavailable, NoList) as failure:
            self._failure, self._failed_at = failure, self.clock()
            raise
        return self._kept


def _fits(item: ListedSubject, filter: ListingFilter, now: datetime) -> bool:
    subject, report = item.subject, item.report
    # People leave the type out.
    coordinates = (str(subject).lower(), f"{subject.platform}/{subject.account}/{subject.name}".lower())
    return (
        (filter.platform is None or subject.platform.lower() == filter.platform.lower())
        and (filter.account is None or subject.key(fold_case=True)[1] in (filter.account, filter.account.lower()))
        and (filter.status is None or report.status is filter.status)
        and (filter.shown_as is None or report.status_at(now) is filter.shown_as)
        and (filter.updated_since is None or _last_heard_of(report) >= filter.updated_since)
        and (not filter.is_public_only or report.is_public)
        and all(any(word.lower() in spelling for spelling in coordinates) for word in filter.words)
    )


def _is_protected(report: Report, shown: BackupStatus) -> bool:
    is_there = shown not in (BackupStatus.UNKNOWN, BackupStatus.DELETED)
    return is_there and report.last_finished is BackupStatus.SUCCEEDED


def _last_heard_of(report: Report) -> datetime:
    """The contract does not say when something changed; its newest event is as near as can be told."""
    return report.deleted_at or report.finished_at or report.started_at or EPOCH


def _by_name(item: ListedSubject, now: datetime) -> Mark:  # noqa: ARG001 - the signature of all marks
    return [*item.subject.key(fold_case=True)]


def _by_time(item: ListedSubject, now: datetime) -> Mark:
    return [-round(_last_heard_of(item.report).timestamp() * 1_000_000), *_by_name(item, now)]


def _by_status(item: ListedSubject, now: datetime) -> Mark:
    return [WORST_FIRST.index(item.report.status_at(now)), *_by_name(item, now)]


_MARKS: Mapping[ListingOrder, Callable[[ListedSubject, datetime], Mark]] = {
    ListingOrder.NAME: _by_name,
    ListingOrder.LATEST: _by_time,
    ListingOrder.WORST: _by_status,
}


def _kinds(order: ListingOrder) -> Sequence[type]:
    return ([] if order is ListingOrder.NAME else [int]) + [str] * 4
