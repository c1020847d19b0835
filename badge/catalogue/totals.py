"""Totals of all subjects and of each account, so that neither pages nor summaries have to count subjects.

The transactions that change subjects update the totals. No event marks the moment at which a subject's backup becomes
overdue, its report outdated, or its last success or verification too old. Such subjects are counted through indexes on
these times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, or_, select, text, union_all

from badge.catalogue.expectation import CAN_BE_OVERDUE, is_end_ahead, is_overdue, latest_believed, overdue_by_known_end
from badge.catalogue.schema import subjects, totals
from badge.listing import ListingTotals, Standing, standing_if_verified, standing_of
from badge.model import CLOCK_TOLERANCE, BackupStatus, SubjectScope, VerificationOutcome, Visibility

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

# The most common first: a database compares them in this order.
_OUTCOMES = (BackupStatus.SUCCEEDED, BackupStatus.FAILED, None)

_FAILED = VerificationOutcome.FAILED.value
_VERIFICATIONS = (None, VerificationOutcome.PASSED, VerificationOutcome.FAILED)


class _Kind(NamedTuple):
    """A recorded status and the outcome of the last finished backup.

    Overdue and late subjects (see `_Lapse`) are counted kind by kind, through indexes that begin with the kind: to
    group them, a database would have to sort them.
    """

    status: BackupStatus
    outcome: BackupStatus | None

    def conditions(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Return the conditions that a subject is of this kind."""
        is_status, outcome = subjects.c.status == self.status.value, subjects.c.last_finished
        return is_status, outcome.is_(None) if self.outcome is None else outcome == self.outcome.value

    def number(self, lapse: _Lapse, numbers: Sequence[ColumnElement[int]]) -> Select[Any]:
        """Return a query that counts subjects of this kind, lapsed in this way; callers add the conditions."""
        columns: list[ColumnElement[Any]] = [literal(self.status.value), literal(self.outcome or "")]
        return select(*columns, *map(literal, lapse), *numbers).select_from(subjects)


_EXPECTED = [_Kind(status, outcome) for status in sorted(CAN_BE_OVERDUE) for outcome in _OUTCOMES]
_PROTECTED = [
    _Kind(status, outcome)
    for status in BackupStatus
    for outcome in _OUTCOMES
    if standing_of(status, status, outcome, is_overdue=False) is Standing.PROTECTED
]


_PASSED = (
    subjects.c.verification == VerificationOutcome.PASSED.value,
    or_(*(and_(*kind.conditions()) for kind in _PROTECTED)),
)
"""The conditions that a subject is protected unless it has lapsed, and that its latest verification passed."""


class _Lapse(NamedTuple):
    """How a subject has changed by itself, without an event."""

    is_overdue: bool = False
    is_outdated: bool = False
    is_late: bool = False
    """Whether its last success is too old for the summary."""
    is_unverified: bool = False
    """Whether its latest verification, which passed, is too old for the summary."""

    def shown(self, status: BackupStatus) -> BackupStatus:
        """Return the status on the badge of a subject with this recorded status."""
        if self.is_overdue:
            return BackupStatus.FAILED
        return BackupStatus.UNKNOWN if self.is_outdated else status

    def standing(self, status: BackupStatus, last_finished: BackupStatus | None) -> Standing | None:
        """Return how such a subject counts, whether or not it is verified."""
        is_overdue = self.is_overdue or self.is_late
        return standing_of(status, self.shown(status), last_finished, is_overdue=is_overdue)


_STORED = _Lapse()


def update_totals(connection: Connection, before: Row[Any], after: Mapping[str, Any] | None) -> None:
    """Move a subject's row from its old totals to its new ones; `after` is None if the row is deleted.

    A new row has revision 0 and counts from its first change on, so each transaction updates the totals only once. The
    order of the updates is fixed, because otherwise two transactions could deadlock.
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
        if change < 0 and scope != _ALL:  # otherwise, rows of accounts that are long gone would remain
            connection.execute(_DROP_IF_EMPTY, counted)


_ALL = ("", "", "")
"""The scope of all subjects in the table of totals."""


def _kind(values: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return the values by which a row is counted."""
    status, visibility = str(values["status"]), str(values["visibility"])
    return status, str(values["last_finished"] or ""), visibility, str(values["verification"] or "")


class StoredTotals(NamedTuple):
    """Reads the totals of an account, of one type in it, or of all subjects if `scope` is None."""

    scope: SubjectScope | None
    now: datetime
    despite_end: Sequence[int]
    """From `expectation.overdue_despite_future_end`."""
    is_public_only: bool
    max_age: timedelta | None = None
    verified_within: timedelta | None = None

    def read(self, connection: Connection) -> ListingTotals:
        """Return the totals as of `now`."""
        # One statement, so that all numbers are from the same moment on PostgreSQL, too.
        lapsed = (*self._overdue(), self._outdated(), *self._late(), *self._unverified())
        return _counted(connection, union_all(self._kept(), *lapsed), is_verified=self.verified_within is not None)

    def next_change(self, connection: Connection) -> datetime | None:
        """Return when one of the numbers changes if nothing is reported until then."""
        is_here = self._of_subjects()
        # Few times are ahead of now, so the database searches for those, and checks the scope afterwards.
        believed = latest_believed(self.now)
        is_ahead_here = (is_end_ahead(believed), *self._of_subjects(is_first=False))
        by_known_end = select(func.min(overdue_by_known_end(believed))).where(*is_ahead_here)
        due = [
            *(_earliest(subjects.c.overdue_at, self.now, *is_here, *kind.conditions()) for kind in _EXPECTED),
            _earliest(subjects.c.stale_after, self.now, *is_here),
            by_known_end,
        ]
        # Subjects whose reports are already outdated are included: they can still become overdue.
        found = self._moments(connection, [each.where(~self._is_overdue) for each in due])
        if self.max_age is not None:
            success, max_age = subjects.c.last_success_at, self.max_age
            oldest = _earliest(success, self.now - max_age, success <= self.now + CLOCK_TOLERANCE, *is_here)
            # After a failed verification, it makes no difference how old the last success is.
            may_change = (
                () if self.verified_within is None else (func.coalesce(subjects.c.verification, "") != _FAILED,)
            )
            recent = [oldest.where(*kind.conditions(), *may_change) for kind in _PROTECTED]
            found += [at + max_age for at in self._moments(connection, self._current(recent))]
        if self.verified_within is not None:
            first = _earliest(subjects.c.verified_at, self.now - self.verified_within, *is_here, *self._is_in_time())
            verified = [first.where(*_PASSED)]
            found += [at + self.verified_within for at in self._moments(connection, self._current(verified))]
        return min(found, default=None)

    def _current(self, queries: Sequence[Select[Any]]) -> Sequence[Select[Any]]:
        return [each.where(~self._is_overdue, ~self._is_outdated) for each in queries]

    def _moments(self, connection: Connection, queries: Sequence[Select[Any]]) -> list[datetime]:
        return [at for at in connection.scalars(union_all(*queries)) if at is not None]

    def _kept(self) -> Select[Any]:
        kind = (totals.c.status, totals.c.last_finished)
        number = select(*kind, *map(literal, _STORED), *self._kept_numbers)
        return number.where(*self._of_totals()).group_by(*kind)

    def _overdue(self) -> Sequence[Select[Any]]:
        is_here, lapse = self._of_subjects(), _Lapse(is_overdue=True)
        numbers = [kind.number(lapse, self._numbers).where(*kind.conditions(), *is_here) for kind in _EXPECTED]
        is_stored = subjects.c.overdue_at <= self.now
        found = [number.where(is_stored) for number in numbers]
        if self.despite_end:
            found += [number.where(subjects.c.id.in_(self.despite_end), ~is_stored) for number in numbers]
        return found

    def _outdated(self) -> Select[Any]:
        # Expressions, because to group by plain columns, SQLite would scan all of ix_subjects_status to avoid a sort.
        kind: list[ColumnElement[Any]] = [
            func.coalesce(subjects.c.status, ""),
            func.coalesce(subjects.c.last_finished, ""),
        ]
        number = select(*kind, *map(literal, _Lapse(is_outdated=True)), *self._numbers)
        return number.where(self._is_outdated, ~self._is_overdue, *self._of_subjects()).group_by(*kind)

    def _late(self) -> Iterator[Select[Any]]:
        if self.max_age is None:
            return
        success = subjects.c.last_success_at
        # Three queries instead of one with OR, because no index covers "null, too old or ahead of now" as one range.
        is_late = (success.is_(None), success <= self.now - self.max_age, success > self.now + CLOCK_TOLERANCE)
        is_current = (~self._is_overdue, ~self._is_outdated, *self._of_subjects())
        for kind in _PROTECTED:
            number = kind.number(_Lapse(is_late=True), self._numbers).where(*kind.conditions(), *is_current)
            yield from (number.where(each) for each in is_late)

    def _unverified(self) -> Iterator[Select[Any]]:
        if self.verified_within is None:
            return
        verified_at = subjects.c.verified_at
        is_late = (verified_at <= self.now - self.verified_within, verified_at > self.now + CLOCK_TOLERANCE)
        is_current = (~self._is_overdue, ~self._is_outdated, *self._is_in_time(), *self._of_subjects())
        numbers = [func.count() if outcome is VerificationOutcome.PASSED else literal(0) for outcome in _VERIFICATIONS]
        # All of them move between the same two standings, whatever their kind, so one kind can stand for all.
        number = _Kind(BackupStatus.SUCCEEDED, BackupStatus.SUCCEEDED).number(_Lapse(is_unverified=True), numbers)
        yield from (number.where(*_PASSED, *is_current, each) for each in is_late)

    @property
    def _numbers(self) -> Sequence[ColumnElement[int]]:
        """The counts in a query of subjects: one for all or, with `verified_within`, one per verification outcome."""
        if self.verified_within is None:
            return [func.count()]
        return [func.count().filter(_ended(outcome, subjects.c.verification)) for outcome in _VERIFICATIONS]

    @property
    def _kept_numbers(self) -> Sequence[ColumnElement[int]]:
        """The same counts, from the table of totals."""
        number = func.sum(totals.c.subjects)
        if self.verified_within is None:
            return [number]
        each = [totals.c.verification == (outcome or "") for outcome in _VERIFICATIONS]
        return [func.coalesce(number.filter(is_it), 0) for is_it in each]

    def _is_in_time(self) -> Sequence[ColumnElement[bool]]:
        """Return the conditions that the last success is not too old for the summary."""
        if self.max_age is None:
            return ()
        # An expression, because with the plain column SQLite would prefer the index on it to the one on verifications.
        success = func.coalesce(subjects.c.last_success_at, subjects.c.last_success_at)
        return success > self.now - self.max_age, success <= self.now + CLOCK_TOLERANCE

    @property
    def _is_overdue(self) -> ColumnElement[bool]:
        return is_overdue(self.now, self.despite_end)

    @property
    def _is_outdated(self) -> ColumnElement[bool]:
        return and_(subjects.c.stale_after.is_not(None), subjects.c.stale_after <= self.now)

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


def _ended(outcome: VerificationOutcome | None, verification: ColumnElement[Any]) -> ColumnElement[bool]:
    return verification.is_(None) if outcome is None else verification == outcome.value


def in_scope(scope: SubjectScope | None, *, is_first: bool = True) -> list[ColumnElement[bool]]:
    """Return the conditions that a subject is in the scope.

    `is_first`: whether the database may search an index for the account; if not, it finds rows by the query's other
    conditions, and checks their account afterwards.
    """
    if scope is None:
        return []
    columns = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key)
    # SQLite uses no index for an expression. With the plain type column, it would prefer the index on names to those on
    # times, and read every subject of the account.
    parts = (
        (column if is_first and column is not subjects.c.type_key else func.coalesce(column, ""), part)
        for column, part in zip(columns, scope.key, strict=True)
    )
    return [expression == part for expression, part in parts if part is not None]


def _earliest(moment: ColumnElement[Any], after: datetime, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(func.min(moment)).where(moment > after, *conditions)


def _counted(connection: Connection, wanted: Any, *, is_verified: bool) -> ListingTotals:
    """Return the stored numbers after moving lapsed subjects to the status and standing that they have now.

    `is_verified`: whether a verification is required; each row then has a number for each outcome.
    """
    by_status: Counter[BackupStatus] = Counter()
    by_standing: Counter[Standing | None] = Counter()
    for recorded, outcome, *values in connection.execute(wanted):
        status, last_finished = BackupStatus(recorded), BackupStatus(outcome) if outcome else None
        lapse, numbers = _Lapse(*map(bool, values[: len(_STORED)])), map(int, values[len(_STORED) :])
        for verification, number in zip(_VERIFICATIONS, numbers, strict=False):
            moves = [(_STORED, number)] if lapse == _STORED else [(_STORED, -number), (lapse, number)]
            for how, change in moves:
                by_status[how.shown(status)] += change
                standing = how.standing(status, last_finished)
                if is_verified:
                    standing = standing_if_verified(standing, verification, is_recent=not how.is_unverified)
                by_standing[standing] += change
    return ListingTotals(
        {status: number for status, number in by_status.items() if number},
        {standing: number for standing, number in by_standing.items() if standing and number},
    )
