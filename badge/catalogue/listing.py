"""Which subjects to list, in which order, where the next page begins, and how many there are."""

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
    and_,
    case,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)

from badge.catalogue.expectation import has_status, is_overdue
from badge.catalogue.schema import subjects
from badge.catalogue.subjects import KEY, may_be_in
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

# So many are looked up one by one; of more, enough for a page are soon met in the order of the keys.
FEW = 1_000


@dataclass(frozen=True, slots=True)
class _Keyset:
    """What rows are sorted by, all of it in one direction, the last part telling any two apart."""

    parts: Sequence[ColumnElement[Any]]
    is_descending: bool = False

    @property
    def kinds(self) -> Sequence[type]:
        """The parts' Python types, as a cursor holds them."""
        return [part.type.python_type for part in self.parts]

    def after(self, values: Sequence[object]) -> ColumnElement[bool]:
        """Return the condition for all rows after the one with these values."""
        here, there = tuple_(*self.parts), tuple_(*values)
        return here < there if self.is_descending else here > there

    def order(self) -> list[ColumnElement[Any]]:
        """Return the expressions for ORDER BY."""
        return [part.desc() if self.is_descending else part.asc() for part in self.parts]


@dataclass(frozen=True, slots=True)
class Listing:
    """One look at the subjects, at `now`."""

    filter: ListingFilter
    order: ListingOrder
    now: datetime
    within: Selection = EVERY_SUBJECT

    def rows(self, connection: Connection, cursor: str | None, limit: int) -> Sequence[Row[Any]]:
        """The first subjects from the cursor on; raises `ValueError` for one that is none of ours."""
        keyset = _keyset(self.order, self.now)
        conditions = [*_conditions(self.filter, self.now), *may_be_in(self.within)]
        if self.filter.updated_since is not None:
            # Asked for both at once, SQLite reads all subjects in the order of the keys to find the few that changed.
            found = connection.scalars(select(subjects.c.id).where(*conditions).limit(FEW + 1)).all()
            conditions += [subjects.c.id.in_(found)] if len(found) <= FEW else []
        if cursor is not None:
            conditions.append(keyset.after(marks_in(cursor, self.order, keyset.kinds)))
        marks = [part.label(f"mark_{place}") for place, part in enumerate(keyset.parts)]
        wanted = select(subjects, *marks).where(*conditions).order_by(*keyset.order())
        return connection.execute(wanted.limit(limit)).all()

    def cursor_after(self, row: Row[Any]) -> str:
        """Where the page after this row begins."""
        marks = [getattr(row, f"mark_{place}") for place in range(len(_keyset(self.order, self.now).parts))]
        return cursor_at(self.order, marks)


def totals(connection: Connection, filter: ListingFilter, now: datetime) -> ListingTotals:
    """How many there are, by what their badges say, and how many of these are protected."""
    shown = _shown_as(now)
    last_succeeded = subjects.c.last_finished == BackupStatus.SUCCEEDED.value
    is_protected = and_(last_succeeded, ~is_overdue(now), shown != BackupStatus.UNKNOWN.value)
    protected: ColumnElement[int] = func.sum(case((is_protected, 1), else_=0))
    counts = select(shown, func.count(), protected).where(*_conditions(filter, now)).group_by(shown)
    rows = connection.execute(counts).all()
    return ListingTotals(
        by_status={BackupStatus(status): int(number) for status, number, _ in rows},
        protected=sum(int(number) for status, _, number in rows if status != BackupStatus.DELETED),
    )


def _keyset(order: ListingOrder, now: datetime) -> _Keyset:
    match order:
        case ListingOrder.NAME:
            return _Keyset(KEY)
        case ListingOrder.LATEST:
            changed_at = case((is_overdue(now), subjects.c.overdue_at), else_=subjects.c.updated_at)
            # As a number, for that is what a cursor holds.
            return _Keyset((type_coerce(changed_at, BigInteger), subjects.c.id), is_descending=True)
        case ListingOrder.WORST:
            ranks = {status.value: rank for rank, status in enumerate(WORST_FIRST)}
            return _Keyset((case(ranks, value=_shown_as(now), else_=len(ranks)), *KEY))


def _conditions(filter: ListingFilter, now: datetime) -> Iterator[ColumnElement[bool]]:
    if "\0" in f"{filter.platform}{filter.account}{''.join(filter.words)}":
        yield false()  # nothing is called so, and PostgreSQL would not even look
        return
    yield from _coordinates(filter)
    if filter.status is not None:
        yield has_status(filter.status, now)
    if filter.shown_as is not None:
        yield _shown_as(now) == filter.shown_as.value
    if filter.updated_since is not None:
        fell_overdue = subjects.c.overdue_at.between(filter.updated_since, now)
        yield or_(subjects.c.updated_at >= filter.updated_since, fell_overdue)
    if filter.is_public_only:
        yield subjects.c.visibility == Visibility.PUBLIC.value


def _coordinates(filter: ListingFilter) -> Iterator[ColumnElement[bool]]:
    if filter.platform is not None:
        yield subjects.c.platform_key == filter.platform.lower()
    if filter.account is not None:
        folds = subjects.c.platform_key.in_(sorted(CASELESS_PLATFORMS))
        folded = and_(folds, subjects.c.account_key == filter.account.lower())
        yield or_(subjects.c.account_key == filter.account, folded)
    yield from map(_contains, filter.words)


def _contains(word: str) -> ColumnElement[bool]:
    """Whether the coordinates hold a word, which may be account/name: people leave the type out."""
    account, name = subjects.c.platform + "/" + subjects.c.account + "/", subjects.c.name
    paths = (account + subjects.c.type + "/" + name, account + name)
    return or_(*(path.icontains(word, autoescape=True) for path in (paths if "/" in word else paths[:1])))


def _shown_as(now: datetime) -> ColumnElement[str]:
    """The status on the badge: unknown once the source no longer vouches for it."""
    is_stale = subjects.c.stale_after <= now
    lapsed = (is_overdue(now), BackupStatus.FAILED.value), (is_stale, BackupStatus.UNKNOWN.value)
    return case(*lapsed, else_=subjects.c.status)
