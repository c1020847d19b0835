"""Totals of all subjects and of each account, so that neither pages nor summaries have to count subjects.

The transactions that change subjects update them. No event marks the moment at which a backup becomes overdue, a report
outdated or a success too old: such subjects are counted through indexes on these times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, or_, select, text, union_all

from badge.catalogue.expectation import is_end_ahead, overdue_by_known_end
from badge.catalogue.schema import subjects, totals
from badge.listing import ListingTotals, Standing, standing_of
from badge.model import CLOCK_TOLERANCE, BackupStatus, SubjectScope, Visibility

# The shards exist for PostgreSQL, where transactions that add to the same row wait for each other.
_SHARDS = 16

_WHERE_KIND = " AND ".join(f"{column.name} = :{column.name}" for column in totals.primary_key.columns)
_COLUMNS = ", ".join(column.name for column in totals.primary_key.columns)
_VALUES = ", ".join(f":{column.name}" for column in totals.primary_key.columns)
_ADD = text(
    f"INSERT INTO totals ({_COLUMNS}, subjects) VALUES ({_VALUES}, :change) "  # noqa: S608 - column names
    f"ON CONFLICT ({_COLUMNS}) DO UPDATE SET subjects = totals.subjects + excluded.subjects"
)
_DROP_IF_EMPTY = text(f"DELETE FROM totals WHERE {_WHERE_KIND} AND subjects = 0")  # noqa: S608 - column names

# The statuses of subjects that can be protected, and so can lose their protection as time passes.
_CAN_BE_PROTECTED = [
    status.value
    for status in BackupStatus
    if standing_of(status, status, BackupStatus.SUCCEEDED, is_overdue=False) is Standing.PROTECTED
]


class _Lapse(NamedTuple):
    """What has become of a subject without an event."""

    is_overdue: bool = False
    is_outdated: bool = False
    is_late: bool = False
    """Whether its last success is too old for the summary."""

    def shown(self, status: BackupStatus) -> BackupStatus:
        """Return the status on the badge of a subject with this recorded status."""
        if self.is_overdue:
            return BackupStatus.FAILED
        return BackupStatus.UNKNOWN if self.is_outdated else status


_STORED = _Lapse()


def update_totals(connection: Connection, before: Row[Any], after: Mapping[str, Any] | None) -> None:
    """Move a subject's row from its old totals to its new ones; `after` is None if the row is deleted.

    A row counts from its first change (revision 1), so each transaction updates the totals only once. The order of the
    updates is fixed, because otherwise two transactions could deadlock.
    """
    values = before._asdict()
    was = _kind(values) if before.revision else None
    becomes = None if after is None else _kind({**values, **after})
    if was == becomes:
        return
    account = (values["platform_key"], values["account_key"], values["type_key"])
    changes = sorted(
        (scope, kind, change)
        for scope in (_ALL, account)
        for kind, change in ((was, -1), (becomes, 1))
        if kind is not None
    )
    for scope, kind, change in changes:
        names = (column.name for column in totals.primary_key.columns)
        counted = dict(zip(names, (*scope, before.id % _SHARDS, *kind), strict=True))
        connection.execute(_ADD, {**counted, "change": change})
        if change < 0 and scope != _ALL:  # otherwise, rows would remain of accounts that are long gone
            connection.execute(_DROP_IF_EMPTY, counted)


_ALL = ("", "", "")
"""The scope of all subjects in the table of totals."""


def _kind(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the values by which a row is counted."""
    return str(values["status"]), str(values["last_finished"] or ""), str(values["visibility"])


class StoredTotals(NamedTuple):
    """Reads the totals of an account, of one type in it, or of all subjects if `scope` is None."""

    scope: SubjectScope | None
    now: datetime
    overdue: ColumnElement[bool]
    """From `expectation.is_overdue`."""
    is_public_only: bool
    max_age: timedelta | None = None

    def read(self, connection: Connection) -> ListingTotals:
        """Return the numbers."""
        kept = select(totals.c.status, totals.c.last_finished, *map(literal, _STORED), func.sum(totals.c.subjects))
        lapsed = [*self._lapsed()]
        # One statement, so that all numbers are from the same moment on PostgreSQL, too.
        parts = [kept.where(*self._of_totals()), *lapsed]
        return _counted(connection, union_all(*(part.group_by(*part.selected_columns[:2]) for part in parts)))

    def next_change(self, connection: Connection) -> datetime | None:
        """Return when one of the numbers changes if nothing is reported until then."""
        is_here, is_current = self._of_subjects(), (~self.overdue, ~self._is_outdated)
        is_here_too = self._of_subjects(is_first=False)  # few times are ahead of now, so those are searched first
        changes = [
            _earliest(subjects.c.overdue_at, self.now, *is_here, *is_current),
            _earliest(subjects.c.stale_after, self.now, *is_here, *is_current),
            select(func.min(overdue_by_known_end(self.now))).where(is_end_ahead(self.now), *is_here_too, *is_current),
        ]
        found = [connection.scalar(change) for change in changes]
        if self.max_age is not None:
            success = subjects.c.last_success_at
            recent = (success <= self.now + CLOCK_TOLERANCE, *is_here, *self._is_protected)
            oldest = connection.scalar(_earliest(success, self.now - self.max_age, *recent))
            found.append(oldest and oldest + self.max_age)
        return min((at for at in found if at is not None), default=None)

    def _lapsed(self) -> Sequence[Select[Any]]:
        is_here = self._of_subjects()
        parts = [
            _lapsed(_Lapse(is_overdue=True)).where(self.overdue, *is_here),
            _lapsed(_Lapse(is_outdated=True)).where(self._is_outdated, ~self.overdue, *is_here),
        ]
        if self.max_age is not None:
            success, late = (
                subjects.c.last_success_at,
                _lapsed(_Lapse(is_late=True)).where(*self._is_protected, *is_here),
            )
            # Not one condition, because no index is in the order of "null or too old or ahead of now".
            is_ahead = success > self.now + CLOCK_TOLERANCE
            parts += (late.where(each) for each in (success.is_(None), success <= self.now - self.max_age, is_ahead))
        return parts

    @property
    def _is_outdated(self) -> ColumnElement[bool]:
        return and_(subjects.c.stale_after.is_not(None), subjects.c.stale_after <= self.now)

    @property
    def _is_protected(self) -> Sequence[ColumnElement[bool]]:
        is_success = or_(
            subjects.c.last_finished == BackupStatus.SUCCEEDED.value,
            and_(subjects.c.last_finished.is_(None), subjects.c.status == BackupStatus.SUCCEEDED.value),
        )
        return (subjects.c.status.in_(_CAN_BE_PROTECTED), is_success, ~self.overdue, ~self._is_outdated)

    def _of_totals(self) -> Sequence[ColumnElement[bool]]:
        platform, account, type = _ALL if self.scope is None else self.scope.key
        conditions = [totals.c.platform_key == platform, totals.c.account_key == account]
        if type is not None:
            conditions.append(totals.c.type_key == type)
        return [*conditions, totals.c.visibility == Visibility.PUBLIC.value] if self.is_public_only else conditions

    def _of_subjects(self, *, is_first: bool = True) -> Sequence[ColumnElement[bool]]:
        conditions = in_scope(self.scope, is_first=is_first)
        if self.is_public_only:
            conditions.append(subjects.c.visibility == Visibility.PUBLIC.value)
        return conditions


def in_scope(scope: SubjectScope | None, *, is_first: bool = True) -> list[ColumnElement[bool]]:
    """Return the conditions that a subject is in the scope.

    `is_first`: whether to search an index for the account; the other conditions of the query decide within it.
    """
    if scope is None:
        return []
    columns = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key)
    # SQLite searches no index for an expression. For the plain type it would prefer the index on names to those on
    # times, and read every subject of the account.
    parts = (
        (column if is_first and column is not subjects.c.type_key else func.coalesce(column, ""), part)
        for column, part in zip(columns, scope.key, strict=True)
    )
    return [expression == part for expression, part in parts if part is not None]


def _lapsed(lapse: _Lapse) -> Select[Any]:
    # If grouped by a plain column, SQLite would scan the index of all statuses to avoid a sort.
    last_finished = func.coalesce(subjects.c.last_finished, "")
    columns: list[ColumnElement[Any]] = [func.coalesce(subjects.c.status, ""), last_finished, *map(literal, lapse)]
    return select(*columns, func.count())


def _earliest(moment: ColumnElement[Any], after: datetime, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(moment).where(moment > after, *conditions).order_by(moment).limit(1)


def _counted(connection: Connection, wanted: Any) -> ListingTotals:
    """Return the stored numbers after moving the lapsed subjects to what they are now."""
    by_status: Counter[BackupStatus] = Counter()
    by_standing: Counter[Standing | None] = Counter()
    for recorded, outcome, *flags, number in connection.execute(wanted):
        status, last_finished = BackupStatus(recorded), BackupStatus(outcome) if outcome else None
        lapse = _Lapse(*map(bool, flags))
        kept = int(number) if lapse == _STORED else -int(number)
        by_status[status] += kept
        by_standing[standing_of(status, status, last_finished, is_overdue=False)] += kept
        if lapse != _STORED:
            shown = lapse.shown(status)
            by_status[shown] += int(number)
            is_overdue = lapse.is_overdue or lapse.is_late
            by_standing[standing_of(status, shown, last_finished, is_overdue=is_overdue)] += int(number)
    return ListingTotals(
        {status: number for status, number in by_status.items() if number},
        {standing: number for standing, number in by_standing.items() if standing and number},
    )
