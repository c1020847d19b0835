"""Subjects that were read whole and are kept for a moment, searched, sorted and counted here.

Not every system's list can do that: one look at the dashboard then costs it as much as a hundred.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from badge.model import BackupStatus, Report
from badge.ports import (
    WORST_FIRST,
    Clock,
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
)

MOST_SUBJECTS = 10_000
KEPT_FOR = timedelta(seconds=30)
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
    """`StatusListing` over what a walk brought."""

    walk: Walk
    clock: Clock
    kept_for: timedelta = KEPT_FOR
    _kept: Walked | None = None
    _kept_at: datetime = EPOCH
    _walking: threading.Lock = field(default_factory=threading.Lock)

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """One page of what there was a moment ago."""
        now, mark_of = self.clock(), _MARKS[order]
        after = None if cursor is None else _read_cursor(cursor, order)
        marked = sorted(((mark_of(item, now), item) for item in self._wanted(filter)), key=lambda pair: pair[0])
        rest = ((mark, item) for mark, item in marked if after is None or mark > after)
        found = [*islice(rest, limit + 1)]
        has_more = len(found) > limit
        return ListingPage(
            [item for _, item in found[:limit]], _cursor(order, found[limit - 1][0]) if has_more else None
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
        with self._walking:  # one walk serves all who ask meanwhile
            now = self.clock()
            if self._kept is None or now - self._kept_at >= self.kept_for:
                self._kept, self._kept_at = self.walk(), now
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


def _by_name(item: ListedSubject, now: datetime) -> Mark:
    del now
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


def _cursor(order: ListingOrder, mark: Mark) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *mark]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, order: ListingOrder) -> Mark:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    kinds = ([] if order is ListingOrder.NAME else [int]) + [str] * 4
    is_ours = isinstance(found, list) and found[:1] == [order] and list(map(type, found[1:])) == kinds
    if not is_ours:
        raise ValueError("this cursor was not given by this service")
    mark: Mark = found[1:]
    return mark
