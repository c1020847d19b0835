"""Pages of subjects: filters and orders, and how to read them without scanning every subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)

from badge.catalogue.expectation import has_status, is_overdue, latest_believed, overdue_at
from badge.catalogue.schema import subject_paths, subjects
from badge.catalogue.subjects import KEY, may_be_in, selected, subject_of
from badge.catalogue.totals import StoredTotals
from badge.listing import (
    NEEDS,
    ListingFilter,
    ListingOrder,
    ListingTotals,
    Need,
    Place,
    Standing,
    attention_rank,
    place_at,
    standing_of,
)
from badge.model import CASELESS_PLATFORMS, CLOCK_TOLERANCE, BackupStatus, Visibility
from badge.subject_pattern import EVERY_SUBJECT, Selection

MOST_COUNTED = 10_000
"""Up to this many matching subjects are looked up by ID and counted."""
MOST_LOOKED_UP = 1_000
"""Up to this many are looked up by ID and sorted for a page. If more match, reading in the requested order soon fills
the page, and costs less than a query with thousands of IDs."""

BATCH_SIZE = 1_000
"""Number of subjects to read at a time while searching for those that an API key's patterns select."""
MOST_PASSED_OVER = 100_000
"""Maximum number of subjects to read for one page; reading that many takes a few seconds."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """Subjects in the order of one index.

    They are sorted by `parts`, which are unique in combination and either all ascending or all descending.
    """

    parts: Sequence[ColumnElement[Any]]
    condition: ColumnElement[bool] | None = None
    is_descending: bool = False
    lead: Sequence[int] = ()
    """Sort values that precede `parts` and are the same for all subjects of the stream."""

    def page(self, connection: Connection, query: Select[Any], at: Place | None, limit: int, *, back: bool) -> _Rows:
        """Return the query's first rows in this stream after a place, or its last ones before it if `back` is set."""
        marks = [part.label(f"mark_{place}") for place, part in enumerate(self.parts)]
        wanted = query.add_columns(*marks)
        is_descending = self.is_descending != back
        if self.condition is not None:
            wanted = wanted.where(self.condition)
        if at is not None and self._is_inside(at):
            here, there = tuple_(*self.parts), tuple_(*at.marks[len(self.lead) :])
            wanted = wanted.where(here < there if is_descending else here > there)
        order = [part.desc() if is_descending else part.asc() for part in self.parts]
        return [self._marked(row) for row in connection.execute(wanted.order_by(*order).limit(limit))]

    def is_passed(self, at: Place | None, *, back: bool) -> bool:
        """Whether this place lies beyond all of these subjects."""
        if at is None or not self.lead or self._is_inside(at):
            return False
        rank: int = at.marks[0]
        return self.lead[0] > rank if back else self.lead[0] < rank

    def _is_inside(self, at: Place) -> bool:
        return not self.lead or self.lead[0] == at.marks[0]

    def _marked(self, row: Row[Any]) -> _Marked:
        return _Marked(row, [*self.lead, *(getattr(row, f"mark_{place}") for place in range(len(self.parts)))])


@dataclass(frozen=True, slots=True)
class _Marked:
    """A row and its sort values."""

    row: Row[Any]
    marks: list[Any]


_Rows = list[_Marked]


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows in the requested order, and the cursors of the pages around them."""

    rows: Sequence[Row[Any]]
    previous_cursor: str | None
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of subjects, as of `now`."""

    filter: ListingFilter
    order: ListingOrder
    now: datetime
    most_counted: int = MOST_COUNTED
    overdue_despite_future_end: Sequence[int] = ()
    """From `expectation.overdue_despite_future_end`."""
    within: Selection = EVERY_SUBJECT
    most_passed_over: int = MOST_PASSED_OVER

    @property
    def _overdue(self) -> ColumnElement[bool]:
        return is_overdue(self.now, self.overdue_despite_future_end)

    def page(self, connection: Connection, cursor: str | None, limit: int) -> RowsPage:
        """Return the first rows in `within` after the cursor's place, or the last ones before it.

        Anyone can decode a cursor, so it is only ever made from a row in `within`. Raises `ValueError` for a cursor
        that this service did not issue, and if none of the next `most_passed_over` rows is in `within`.
        """
        start = None if cursor is None else place_at(cursor, self.order, _MARKS[self.order])
        back = start is not None and start.is_before
        narrowed = self._narrowed(connection, min(self.most_counted, MOST_LOOKED_UP))
        query = selected(self.now).where(*self._conditions(narrowed))
        groups = self._groups(is_narrowed=narrowed is not None)
        found: _Rows = []
        at, size, read = start, limit + 1, 0
        while True:
            some = self._read(connection, query, groups[::-1] if back else groups, at, size, back=back)
            found += (one for one in some if self.within.covers(subject_of(one.row)))
            read += len(some)
            if len(found) > limit or len(some) < size:
                return self._page_of(found[:limit], start, has_more=len(found) > limit, back=back)
            if read >= self.most_passed_over:
                break
            at, size = Place(some[-1].marks), BATCH_SIZE
        if not found:
            raise ValueError(
                f"the API key's patterns select none of the next {self.most_passed_over} subjects; "
                "filter by `platform` or `account`, or use a key with narrower patterns"
            )
        return self._page_of(found, start, has_more=True, back=back)

    def _page_of(self, found: _Rows, start: Place | None, *, has_more: bool, back: bool) -> RowsPage:
        """Make a page of the rows read from `start` on; if `start` is given, there is also a page on its other side."""
        first, last = (found[0], found[-1]) if found else (None, None)
        onwards = Place(last.marks, is_before=back).cursor(self.order) if last and has_more else None
        backwards = Place(first.marks, is_before=not back).cursor(self.order) if first and start else None
        if back:
            return RowsPage([one.row for one in reversed(found)], onwards, backwards)
        return RowsPage([one.row for one in found], backwards, onwards)

    @staticmethod
    def _read(
        connection: Connection,
        query: Select[Any],
        groups: Sequence[_Group],
        at: Place | None,
        limit: int,
        *,
        back: bool,
    ) -> _Rows:
        found: _Rows = []
        for group in groups:
            some: _Rows = []
            for stream in group:
                if not stream.is_passed(at, back=back):
                    some += stream.page(connection, query, at, limit - len(found), back=back)
            if len(group) > 1:
                some.sort(key=lambda one: one.marks, reverse=group[0].is_descending != back)
            found += some
            if len(found) >= limit:
                break
        return found[:limit]

    def totals(self, connection: Connection) -> ListingTotals:
        """Return the totals of the matching subjects. If more than `most_counted` match, only some are counted."""
        if self.filter.is_unrestricted or (self.filter.scope is not None and not _has_nul(self.filter)):
            stored = StoredTotals(
                self.filter.scope, self.now, self.overdue_despite_future_end, self.filter.is_public_only
            )
            return stored.read(connection)
        conditions = self._conditions(self._narrowed(connection, self.most_counted))
        some = select(subjects.c.id).where(*conditions).limit(self.most_counted + 1)
        is_overdue = case((self._overdue, 1), else_=0)
        kinds = (subjects.c.status, shown_as(self.now, self._overdue), subjects.c.last_finished, is_overdue)
        rows = connection.execute(select(*kinds, func.count()).where(subjects.c.id.in_(some)).group_by(*kinds)).all()
        by_status: Counter[BackupStatus] = Counter()
        by_standing: Counter[Standing | None] = Counter()
        for recorded, shown, outcome, overdue, number in rows:
            last_finished = BackupStatus(outcome) if outcome else None
            standing = standing_of(BackupStatus(recorded), BackupStatus(shown), last_finished, is_overdue=bool(overdue))
            by_status[BackupStatus(shown)] += int(number)
            by_standing[standing] += int(number)
        return ListingTotals(
            by_status,
            {standing: number for standing, number in by_standing.items() if standing},
            is_whole=by_status.total() <= self.most_counted,
        )

    def _conditions(self, narrowed: ColumnElement[bool] | None) -> Sequence[ColumnElement[bool]]:
        if _has_nul(self.filter):
            return [false()]  # no subject's name contains it, and PostgreSQL would refuse the query
        conditions = [*_conditions(self.filter, self.now, self._overdue), *may_be_in(self.within)]
        return conditions if narrowed is None else [*conditions, narrowed]

    def _narrowed(self, connection: Connection, most: int) -> ColumnElement[bool] | None:
        """Return a condition that lists the IDs found through one index; None if each index finds more than `most`.

        Without the condition, databases scan all subjects in the requested order to find the few that match.
        """
        if _has_nul(self.filter):
            return None
        for ids in _indexed(self.filter, self.now, self._overdue):
            found = connection.scalars(ids.limit(most + 1)).all()
            if len(found) <= most:
                return subjects.c.id.in_(found)
        return None

    def _groups(self, *, is_narrowed: bool) -> Sequence[_Group]:
        """Return groups of streams: groups are read one after the other, and the streams of a group are merged."""
        match self.order:
            case ListingOrder.NAME:
                return [[_Stream(KEY)]]
            case ListingOrder.LATEST:
                return [[_latest(self._overdue_at, self._overdue), _latest(subjects.c.updated_at, ~self._overdue)]]
            case ListingOrder.WORST if is_narrowed:
                return [[_Stream((self._rank, self._rank_time, subjects.c.id))]]
            case ListingOrder.WORST:
                return [*self._worst_first()]

    @property
    def _overdue_at(self) -> ColumnElement[Any]:
        return overdue_at(latest_believed(self.now)) if self.overdue_despite_future_end else subjects.c.overdue_at

    @property
    def _rank(self) -> ColumnElement[Any]:
        """The rank by `attention_rank`, to sort a few subjects; `_worst_first` reads the same order from indexes."""
        ranks = {status.value: attention_rank(need, has_time=False) for status, need in NEEDS.items()}
        recorded = case(ranks, value=subjects.c.status) + case((_succeeded_by(self.now), 1), else_=0)
        return case(
            (self._overdue, attention_rank(Need.OVERDUE, has_time=True)),
            (_is_stale(self.now), attention_rank(Need.OUTDATED, has_time=True)),
            else_=recorded,
        )

    @property
    def _rank_time(self) -> ColumnElement[Any]:
        succeeded_at = case((_succeeded_by(self.now), _number(subjects.c.last_success_at)), else_=0)
        overdue, stale = _number(self._overdue_at), _number(subjects.c.stale_after)
        return case((self._overdue, overdue), (_is_stale(self.now), stale), else_=succeeded_at)

    def _worst_first(self) -> Iterator[_Group]:
        """Yield the streams of each need in turn; those of needs that the filter excludes are left out."""
        stale = and_(_is_stale(self.now), ~self._overdue)
        for need in Need:
            if need is Need.OVERDUE:
                if self.filter.shown_as in (None, BackupStatus.FAILED):
                    yield [_by_time(need, self._overdue_at, self._overdue)]
            elif need is Need.OUTDATED:
                if self.filter.shown_as in (None, BackupStatus.UNKNOWN):
                    yield [_by_time(need, subjects.c.stale_after, stale)]
            else:
                yield from self._by_last_success(need)

    def _by_last_success(self, need: Need) -> Iterator[_Group]:
        """Yield the streams of a need: first subjects without a known success, then those whose last one is oldest."""
        shown = self.filter.shown_as
        statuses = [status for status in BackupStatus if NEEDS[status] is need and shown in (None, status)]
        if not statuses:
            return
        is_as_recorded = and_(~self._overdue, ~_is_stale(self.now))
        recorded = [and_(subjects.c.status == status.value, is_as_recorded) for status in statuses]
        succeeded_at, first = subjects.c.last_success_at, [attention_rank(need, has_time=False), 0]
        # Two streams instead of one with OR, because no index could return "null or ahead of now" in order.
        without_time = (succeeded_at.is_(None), succeeded_at > self.now + CLOCK_TOLERANCE)
        yield [
            _Stream((subjects.c.id,), and_(condition, without), lead=first)
            for condition in recorded
            for without in without_time
        ]
        yield [_by_time(need, succeeded_at, and_(condition, _succeeded_by(self.now))) for condition in recorded]


_Group = Sequence[_Stream]

# The Python types of the sort values in a cursor.
_MARKS: dict[ListingOrder, list[type]] = {
    ListingOrder.NAME: [str] * len(KEY),
    ListingOrder.LATEST: [int, int],
    ListingOrder.WORST: [int, int, int],
}


def _number(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time as a number, because a cursor can't hold a time."""
    return type_coerce(moment, BigInteger)


def _latest(moment: ColumnElement[Any], condition: ColumnElement[bool]) -> _Stream:
    return _Stream((_number(moment), subjects.c.id), condition, is_descending=True)


def _by_time(need: Need, moment: ColumnElement[Any], condition: ColumnElement[bool]) -> _Stream:
    return _Stream((_number(moment), subjects.c.id), condition, lead=[attention_rank(need, has_time=True)])


def _succeeded_by(now: datetime) -> ColumnElement[bool]:
    """Whether the time of the last success is known and not ahead of now."""
    return subjects.c.last_success_at <= now + CLOCK_TOLERANCE


def _has_nul(filter: ListingFilter) -> bool:
    return "\0" in f"{filter.platform}{filter.account}{''.join(filter.words)}"


def _indexed(filter: ListingFilter, now: datetime, overdue: ColumnElement[bool]) -> Iterator[Select[Any]]:
    """Yield, for each condition on words, times or statuses, a query for the IDs that meet it.

    Each reads an index, or the narrow table of paths.
    """
    if filter.words:
        yield select(subject_paths.c.subject_id).where(*map(_contains, filter.words))
    for condition in (*_of_time(filter, now), *_of_status(filter, now, overdue)):
        yield select(subjects.c.id).where(condition)


def _conditions(filter: ListingFilter, now: datetime, overdue: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    yield from _coordinates(filter)
    yield from _of_status(filter, now, overdue)
    yield from _of_time(filter, now)
    if filter.is_public_only:
        yield subjects.c.visibility == Visibility.PUBLIC.value


def _of_status(filter: ListingFilter, now: datetime, overdue: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    if filter.status is not None:
        yield has_status(filter.status, overdue)
    if filter.shown_as is not None:
        yield _is_shown_as(filter.shown_as, now, overdue)
    if filter.failed_since is not None:
        failed_at = case((overdue, overdue_at(latest_believed(now))), else_=subjects.c.finished_at)
        is_recent = or_(failed_at.is_(None), failed_at >= filter.failed_since)
        yield and_(_is_shown_as(BackupStatus.FAILED, now, overdue), is_recent)


def _of_time(filter: ListingFilter, now: datetime) -> Iterator[ColumnElement[bool]]:
    if filter.updated_since is not None:
        fell_overdue = subjects.c.overdue_at.between(filter.updated_since, now)
        yield or_(subjects.c.updated_at >= filter.updated_since, fell_overdue)
    if filter.no_success_since is not None:
        is_late = subjects.c.last_success_at < filter.no_success_since
        is_success_unknown = or_(subjects.c.last_success_at.is_(None), ~_succeeded_by(now))
        yield and_(or_(is_late, is_success_unknown), subjects.c.status != BackupStatus.DELETED.value)


def _coordinates(filter: ListingFilter) -> Iterator[ColumnElement[bool]]:
    if filter.platform is not None:
        yield subjects.c.platform_key == filter.platform.lower()
    if filter.account is not None:
        folds = subjects.c.platform_key.in_(sorted(CASELESS_PLATFORMS))
        folded = and_(folds, subjects.c.account_key == filter.account.lower())
        yield or_(subjects.c.account_key == filter.account, folded)
    if filter.words:
        yield exists().where(subject_paths.c.subject_id == subjects.c.id, *map(_contains, filter.words))


def _contains(word: str) -> ColumnElement[bool]:
    """Whether a subject's path contains a word; `account/name` is found too, because people omit the type."""
    columns = (subject_paths.c.path, subject_paths.c.short_path) if "/" in word else (subject_paths.c.path,)
    return or_(*(column.contains(word.lower(), autoescape=True) for column in columns))


def shown_as(now: datetime, overdue: ColumnElement[bool]) -> ColumnElement[str]:
    """The status on the badge: failed if overdue, unknown if the report is outdated, otherwise as recorded."""
    lapsed = (overdue, BackupStatus.FAILED.value), (_is_stale(now), BackupStatus.UNKNOWN.value)
    return case(*lapsed, else_=subjects.c.status)


def _is_shown_as(status: BackupStatus, now: datetime, overdue: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a subject's badge shows this status; the same rule as `shown_as`, in a form that can use indexes."""
    recorded = and_(subjects.c.status == status.value, ~_is_stale(now))
    if status is BackupStatus.FAILED:
        return or_(overdue, recorded)
    if status is BackupStatus.UNKNOWN:
        recorded = or_(_is_stale(now), subjects.c.status == status.value)
    return and_(recorded, ~overdue)


def _is_stale(now: datetime) -> ColumnElement[bool]:
    return and_(subjects.c.stale_after.is_not(None), subjects.c.stale_after <= now)
