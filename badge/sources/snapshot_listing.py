"""A list of subjects that is fetched whole, cached briefly, and searched, sorted and counted in memory.

Upstream lists need not support search, order or totals. However often the dashboard is opened within the snapshot's
lifetime, the upstream's list is fetched once.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from badge.listing import (
    KnownFacts,
    KnownTotals,
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
    NoList,
    Place,
    StatusListing,
    SummaryQuery,
    attention_of,
    facts_of,
    microseconds,
    place_at,
    search_texts,
    totals_of,
)
from badge.model import STALE_AGE, BackupStatus, Report, Subject
from badge.ports import Clock, SourceUnavailable

MOST_SUBJECTS = 10_000
ITEMS_A_PAGE = 500
FRESH_FOR = timedelta(seconds=30)
FAILURE_REPEATED_FOR = timedelta(seconds=5)
BATCH_SIZE = 1_000
"""Number of subjects whose facts are read at a time."""
MOST_SUMS = 256
"""Maximum number of summaries whose totals are kept."""
EPOCH = datetime.fromtimestamp(0, UTC)

SortKey = list[Any]
"""What a subject is sorted by, in types that JSON can hold; cursors contain it."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The subjects found by one walk."""

    items: Sequence[ListedSubject]
    is_whole: bool
    """False if a limit was reached or a source did not answer."""
    silent: Sequence[str] = ()
    """Names of the sources that did not answer."""
    read: Mapping[str, bool] | None = None
    """The sources that answered with a list, by name, and whether each list was read to the end.

    None if there is only one source.
    """
    listless: Sequence[str] = ()
    """Names of the sources that answered that they have no list."""


Walk = Callable[[], Walked]
"""Fetches all subjects, within limits; raises `SourceUnavailable`, or `NoList` if the system has no list."""


@dataclass(frozen=True, slots=True)
class CatalogueWalk:
    """Reads all pages of a listing."""

    listing: StatusListing
    filter: ListingFilter = field(default_factory=ListingFilter)
    most: int = MOST_SUBJECTS

    def __call__(self) -> Walked:
        """Return the subjects of all pages, within the limits; raises `SourceUnavailable`."""
        items: list[ListedSubject] = []
        cursor: str | None = None
        while len(items) < self.most:
            page = self.listing.list(self.filter, cursor, ITEMS_A_PAGE)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return Walked(items, is_whole=True)
        return Walked(items, is_whole=False)


@dataclass(slots=True)
class SnapshotListing:
    """A `SummaryListing` over the result of a walk; raises what the walk raises."""

    walk: Walk
    clock: Clock
    fresh_for: timedelta = FRESH_FOR
    _last: Walked | None = None
    _last_at: datetime = EPOCH
    _failure: Exception | None = None
    _failed_at: datetime = EPOCH
    _sums: tuple[Walked | None, dict[SummaryQuery, ListingTotals]] = field(default_factory=lambda: (None, {}))
    """The totals of summaries of the last snapshot."""
    _walking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_snapshot(self) -> bool:
        """Return True: summaries are as of the last `refresh`."""
        return True

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """Return one page of the current snapshot."""
        now, key_of = self.clock(), _SORT_KEYS[order]
        at = None if cursor is None else place_at(cursor, order, _KINDS[order])
        keyed = sorted(((key_of(item, now), item) for item in self._wanted(filter)), key=lambda pair: pair[0])
        keys = [key for key, _ in keyed]
        if at is not None and at.is_before:
            end = bisect_left(keys, [*at.marks])
            begin = max(0, end - limit)
        else:
            begin = 0 if at is None else bisect_right(keys, [*at.marks])
            end = begin + limit
        return ListingPage(
            [item for _, item in keyed[begin:end]],
            Place(keys[end - 1]).cursor(order) if end < len(keys) and end else None,
            Place(keys[begin], is_before=True).cursor(order) if 0 < begin < len(keys) else None,
        )

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """Return the totals of the current snapshot."""
        now, read = self.clock(), self._snapshot()
        return _totals(read, totals_of((item for item in read.items if _fits(item, filter, now)), now))

    def summary(self, query: SummaryQuery) -> KnownTotals | None:
        """Return the totals of a summary of the last snapshot, however old that is."""
        at, last = self._last_at, self._last  # in this order, so that the time is never that of a later snapshot
        if last is None:
            return None
        now = self.clock()
        totals = self._summed(last, query, now)
        return KnownTotals(totals, at, is_fresh=now - at < self.fresh_for, is_failing=self._failure is not None)

    def _summed(self, last: Walked, query: SummaryQuery, now: datetime) -> ListingTotals:
        walked, sums = self._sums
        if walked is not last or len(sums) >= MOST_SUMS:
            self._sums = (last, sums := {})
        known = sums.get(query)
        if known is None or (known.changes_at is not None and known.changes_at <= now):
            items = (item for item in last.items if _is_summarised(item, query))
            totals = totals_of(items, now, query.max_age, query.verified_within)
            known = sums[query] = _totals(last, totals)
        return known

    def facts(self, most: int) -> KnownFacts | None:
        """Return the facts about the subjects of the last snapshot."""
        now, at, last = self.clock(), self._last_at, self._last
        if last is None or self._failure is not None or now - at >= STALE_AGE:
            return None
        items = last.items
        if len(items) > most:  # sorted, so that the choice doesn't depend on the order of the source's list
            items = sorted(items, key=lambda item: _by_name(item, now))[:most]
        batches = (
            [facts_of(item, now) for item in items[first : first + BATCH_SIZE]]
            for first in range(0, len(items), BATCH_SIZE)
        )
        return KnownFacts(batches, len(last.items), last.is_whole, last.read)

    def refresh(self) -> None:
        """Take a new snapshot unless the last one is recent."""
        self._snapshot()

    def _wanted(self, filter: ListingFilter) -> Sequence[ListedSubject]:
        now = self.clock()
        return [item for item in self._snapshot().items if _fits(item, filter, now)]

    def _snapshot(self) -> Walked:
        if (known := self._known()) is not None:
            return known
        with self._walking:  # one walk serves all waiting threads
            known = self._known()
            return self._walked() if known is None else known

    def _known(self) -> Walked | None:
        """Return the last walk's result while it is recent; raise its failure while that is recent."""
        now = self.clock()
        if self._failure is not None and now - self._failed_at < FAILURE_REPEATED_FOR:
            # The same exception is raised many times, and its traceback would otherwise grow each time.
            raise self._failure.with_traceback(None)
        return self._last if now - self._last_at < self.fresh_for else None

    def _walked(self) -> Walked:
        # The snapshot's age counts from here, because the subjects read first are that old.
        began = self.clock()
        try:
            self._last, self._last_at, self._failure = self.walk(), began, None
        except (SourceUnavailable, NoList) as failure:
            self._failure, self._failed_at = failure, self.clock()
            raise
        return self._last


def _fits(item: ListedSubject, filter: ListingFilter, now: datetime) -> bool:
    subject, report = item.subject, item.report
    texts = search_texts(subject)
    return (
        (filter.platform is None or subject.platform.lower() == filter.platform.lower())
        and (filter.account is None or _is_account(subject, filter.account))
        and (filter.status is None or report.status is filter.status)
        and (filter.shown_as is None or report.status_at(now) is filter.shown_as)
        and (filter.updated_since is None or _newest_event_at(report) >= filter.updated_since)
        and (not filter.is_public_only or report.is_public)
        and _fits_times(report, filter, now)
        and all(any(word.lower() in text for text in texts) for word in filter.words)
    )


def _is_account(subject: Subject, account: str) -> bool:
    key = subject.key(fold_case=True)[1]
    return key == replace(subject, account=account).key(fold_case=True)[1]


def _fits_times(report: Report, filter: ListingFilter, now: datetime) -> bool:
    if filter.failed_since is not None:
        failed_at = report.finished_at or filter.failed_since
        if report.status_at(now) is not BackupStatus.FAILED or failed_at < filter.failed_since:
            return False
    if filter.no_success_since is None:
        return True
    succeeded_at = report.succeeded_at(now)
    is_late = succeeded_at is None or succeeded_at < filter.no_success_since
    return is_late and report.status is not BackupStatus.DELETED


def _is_summarised(item: ListedSubject, query: SummaryQuery) -> bool:
    return (
        (query.scope is None or query.scope.covers(item.subject))
        and (not query.is_public_only or item.report.is_public)
        and (query.name is None or query.name.matches(item.subject))
    )


def _totals(read: Walked, totals: ListingTotals) -> ListingTotals:
    return replace(totals, is_whole=read.is_whole, silent=read.silent, read=read.read)


def _newest_event_at(report: Report) -> datetime:
    """Return the newest event's time, because the contract has no time of the last change."""
    return report.deleted_at or report.finished_at or report.started_at or EPOCH


def _by_name(item: ListedSubject, now: datetime) -> SortKey:  # noqa: ARG001 - the signature of all sort keys
    return [*item.subject.key(fold_case=True)]


def _by_time(item: ListedSubject, now: datetime) -> SortKey:
    return [-microseconds(_newest_event_at(item.report)), *_by_name(item, now)]


def _by_need(item: ListedSubject, now: datetime) -> SortKey:
    return [*attention_of(item, now), *_by_name(item, now)]


_SORT_KEYS: Mapping[ListingOrder, Callable[[ListedSubject, datetime], SortKey]] = {
    ListingOrder.NAME: _by_name,
    ListingOrder.LATEST: _by_time,
    ListingOrder.WORST: _by_need,
}

_KINDS: Mapping[ListingOrder, Sequence[type]] = {
    ListingOrder.NAME: [str] * 4,
    ListingOrder.LATEST: [int] + [str] * 4,
    ListingOrder.WORST: [int, int] + [str] * 4,
}
