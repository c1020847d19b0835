"""Pages of subjects: filters and orders, and how to read them without scanning every subject."""

from __future__ import annotations

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

from badge.catalogue.expectation import has_status, is_overdue, overdue_at
from badge.catalogue.schema import subject_paths, subjects
from badge.catalogue.subjects import KEY, may_be_in, selected, subject_of
from badge.catalogue.totals import stored_totals
from badge.listing import (
    WORST_FIRST,
    ListingFilter,
    ListingOrder,
    ListingTotals,
    cursor_at,
    marks_in,
)
from badge.model import CASELESS_PLATFORMS, BackupStatus, Visibility
from badge.subject_pattern import EVERY_SUBJECT, Selection

MOST_SORTED = 10_000
"""Up to this many matching subjects are looked up by ID, sorted and counted. If more match, a scan in the requested
order soon fills a page."""

READ_ON_BY = 1_000
"""Number of subjects to read at a time while searching for those that an API key's patterns select."""
MOST_PASSED_OVER = 100_000
"""Maximum number of subjects to read for one page; reading that many takes a few seconds."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """Subjects in the order of an index: by `parts`, which together are unique, all ascending or all descending."""

    parts: Sequence[ColumnElement[Any]]
    condition: ColumnElement[bool] | None = None
    is_descending: bool = False
    rank: int | None = None
    """A sort value that precedes `parts` and is the same for all subjects of the stream."""

    def page(self, connection: Connection, query: Select[Any], after: list[Any] | None, limit: int) -> list[_Marked]:
        """Return the query's first rows in this stream after the row with these marks, which are its sort values."""
        marks = [part.label(f"mark_{place}") for place, part in enumerate(self.parts)]
        wanted = query.add_columns(*marks)
        if self.condition is not None:
            wanted = wanted.where(self.condition)
        if after is not None and (after := self._after(after)):
            here, there = tuple_(*self.parts), tuple_(*after)
            wanted = wanted.where(here < there if self.is_descending else here > there)
        order = [part.desc() if self.is_descending else part.asc() for part in self.parts]
        return [self._marked(row) for row in connection.execute(wanted.order_by(*order).limit(limit))]

    def is_before(self, marks: list[Any] | None) -> bool:
        """Whether all of these subjects come before the one with these marks."""
        return marks is not None and self.rank is not None and self.rank < marks[0]

    def _after(self, marks: list[Any]) -> list[Any]:
        if self.rank is None:
            return marks
        return marks[1:] if marks[0] == self.rank else []

    def _marked(self, row: Row[Any]) -> _Marked:
        rank = [] if self.rank is None else [self.rank]
        return _Marked(row, [*rank, *(getattr(row, f"mark_{place}") for place in range(len(self.parts)))])


@dataclass(frozen=True, slots=True)
class _Marked:
    """A row and its sort values."""

    row: Row[Any]
    marks: list[Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of subjects, as of `now`."""

    filter: ListingFilter
    order: ListingOrder
    now: datetime
    most_sorted: int = MOST_SORTED
    overdue_despite_end: Sequence[int] = ()
    """From `expectation.overdue_despite_end`."""
    within: Selection = EVERY_SUBJECT
    most_passed_over: int = MOST_PASSED_OVER

    @property
    def _overdue(self) -> ColumnElement[bool]:
        return is_overdue(self.now, self.overdue_despite_end)

    def page(self, connection: Connection, cursor: str | None, limit: int) -> tuple[Sequence[Row[Any]], str | None]:
        """Return the first rows in `within` after the cursor, and the cursor of the next page, if there is one.

        Anyone can decode a cursor, so it is only ever made from a row in `within`. Raises `ValueError` for a cursor
        that this service did not issue, and if none of the next `most_passed_over` rows is in `within`.
        """
        after = None if cursor is None else marks_in(cursor, self.order, _MARKS[self.order])
        query = selected(self.now).where(*self._conditions(connection))
        found: list[_Marked] = []
        size, read = limit + 1, 0
        while True:
            some = self._read(connection, query, after, size)
            found += (one for one in some if self.within.covers(subject_of(one.row)))
            read += len(some)
            if len(found) > limit or len(some) < size:
                break
            if read >= self.most_passed_over:
                return self._cut_short(found)
            after, size = some[-1].marks, READ_ON_BY
        rows = [one.row for one in found[:limit]]
        return rows, cursor_at(self.order, found[limit - 1].marks) if len(found) > limit else None

    def _read(
        self, connection: Connection, query: Select[Any], after: list[Any] | None, limit: int
    ) -> Sequence[_Marked]:
        found: list[_Marked] = []
        for stream in self._streams():
            if stream.is_before(after):
                continue
            found += stream.page(connection, query, after, limit)
            if self.order is ListingOrder.WORST and len(found) >= limit:
                break
        if self.order is ListingOrder.LATEST:
            found.sort(key=lambda one: one.marks, reverse=True)
        return found[:limit]

    def _cut_short(self, found: Sequence[_Marked]) -> tuple[Sequence[Row[Any]], str]:
        if not found:
            raise ValueError(
                f"the API key's patterns select none of the next {self.most_passed_over} subjects; "
                "filter by `platform` or `account`, or use a key with narrower patterns"
            )
        return [one.row for one in found], cursor_at(self.order, found[-1].marks)

    def totals(self, connection: Connection) -> ListingTotals:
        """Return the totals of the matching subjects. If more than `most_sorted` match, only some are counted."""
        if _is_unrestricted(self.filter):
            return stored_totals(connection, self.now, self._overdue, is_public_only=self.filter.is_public_only)
        shown = _shown_as(self.now, self._overdue)
        last_succeeded = subjects.c.last_finished == BackupStatus.SUCCEEDED.value
        is_protected = and_(last_succeeded, ~self._overdue, shown != BackupStatus.UNKNOWN.value)
        protected: ColumnElement[int] = func.sum(case((is_protected, 1), else_=0))
        some = select(subjects.c.id).where(*self._conditions(connection)).limit(self.most_sorted + 1)
        counts = select(shown, func.count(), protected).where(subjects.c.id.in_(some)).group_by(shown)
        rows = connection.execute(counts).all()
        by_status = {BackupStatus(status): int(number) for status, number, _ in rows}
        return ListingTotals(
            by_status=by_status,
            protected=sum(int(number) for status, _, number in rows if status != BackupStatus.DELETED),
            is_whole=sum(by_status.values()) <= self.most_sorted,
        )

    def _conditions(self, connection: Connection) -> Sequence[ColumnElement[bool]]:
        if "\0" in f"{self.filter.platform}{self.filter.account}{''.join(self.filter.words)}":
            return [false()]  # no subject's name contains it, and PostgreSQL would refuse the query
        return [
            *_conditions(self.filter, self.now, self._overdue),
            *may_be_in(self.within),
            *self._narrowed(connection),
        ]

    def _narrowed(self, connection: Connection) -> Iterator[ColumnElement[bool]]:
        """Yield a condition with the IDs that one index finds, if these are few.

        Without it, databases scan all subjects in the requested order to find the few that match.
        """
        for ids in _indexed(self.filter, self.now, self._overdue):
            found = connection.scalars(ids.limit(self.most_sorted + 1)).all()
            if len(found) <= self.most_sorted:
                yield subjects.c.id.in_(found)
                return

    def _streams(self) -> Sequence[_Stream]:
        """Return the streams to read: for WORST one after the other, for LATEST all of them, to be merged."""
        match self.order:
            case ListingOrder.NAME:
                return [_Stream(KEY)]
            case ListingOrder.LATEST:
                moment = overdue_at(self.now) if self.overdue_despite_end else subjects.c.overdue_at
                return [_latest(moment, self._overdue), _latest(subjects.c.updated_at, ~self._overdue)]
            case ListingOrder.WORST:
                shown = [self.filter.shown_as] if self.filter.shown_as else WORST_FIRST
                return [
                    _Stream(KEY, _is_shown_as(status, self.now, self._overdue), rank=WORST_FIRST.index(status))
                    for status in shown
                ]


# The Python types of the marks in a cursor.
_MARKS: dict[ListingOrder, list[type]] = {
    ListingOrder.NAME: [str] * len(KEY),
    ListingOrder.LATEST: [int, int],
    ListingOrder.WORST: [int] + [str] * len(KEY),
}


def _latest(moment: ColumnElement[Any], condition: ColumnElement[bool]) -> _Stream:
    # As a number, because a cursor can't hold a time.
    return _Stream((type_coerce(moment, BigInteger), subjects.c.id), condition, is_descending=True)


def _is_unrestricted(filter: ListingFilter) -> bool:
    """Whether all subjects pass the filter, or all public ones."""
    given = (filter.platform, filter.account, filter.status, filter.shown_as, filter.updated_since, *filter.words)
    return not any(given)


def _indexed(filter: ListingFilter, now: datetime, overdue: ColumnElement[bool]) -> Iterator[Select[Any]]:
    """Yield a query for each part of the filter: the IDs that pass it, from an index or the narrow table of paths."""
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


def _of_time(filter: ListingFilter, now: datetime) -> Iterator[ColumnElement[bool]]:
    if filter.updated_since is not None:
        fell_overdue = subjects.c.overdue_at.between(filter.updated_since, now)
        yield or_(subjects.c.updated_at >= filter.updated_since, fell_overdue)


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


def _shown_as(now: datetime, overdue: ColumnElement[bool]) -> ColumnElement[str]:
    """The status on the badge: unknown once the report is outdated."""
    lapsed = (overdue, BackupStatus.FAILED.value), (_is_stale(now), BackupStatus.UNKNOWN.value)
    return case(*lapsed, else_=subjects.c.status)


def _is_shown_as(status: BackupStatus, now: datetime, overdue: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a subject's badge shows this status; the same rule as `_shown_as`, in a form that can use indexes."""
    recorded = and_(subjects.c.status == status.value, ~_is_stale(now))
    if status is BackupStatus.FAILED:
        return or_(overdue, recorded)
    if status is BackupStatus.UNKNOWN:
        recorded = or_(_is_stale(now), subjects.c.status == status.value)
    return and_(recorded, ~overdue)


def _is_stale(now: datetime) -> ColumnElement[bool]:
    return and_(subjects.c.stale_after.is_not(None), subjects.c.stale_after <= now)
