"""Totals of all subjects, updated by the transactions that change subjects, so that no page has to count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, select, text, union_all

from badge.catalogue.schema import subjects, totals
from badge.listing import ListingTotals
from badge.model import BackupStatus, Visibility

# The shards exist for PostgreSQL, where transactions that add to the same row wait for each other.
_SHARDS = 16

_ADD = text(
    "INSERT INTO totals (shard, status, last_finished, visibility, subjects) "
    "VALUES (:shard, :status, :last_finished, :visibility, :change) ON CONFLICT "
    "(shard, status, last_finished, visibility) DO UPDATE SET subjects = totals.subjects + excluded.subjects"
)

_STORED = ""


def update_totals(connection: Connection, before: Row[Any], after: Mapping[str, Any] | None) -> None:
    """Move a subject's row from its old total to its new one; `after` is None if the row is deleted.

    A row counts from its first change (revision 1), so each transaction updates the totals only once. The order of the
    updates is fixed, because otherwise two transactions could deadlock.
    """
    values = before._asdict()
    was = _kind(values) if before.revision else None
    becomes = None if after is None else _kind({**values, **after})
    if was == becomes:
        return
    for kind, change in sorted((kind, change) for kind, change in ((was, -1), (becomes, 1)) if kind is not None):
        status, last_finished, visibility = kind
        connection.execute(
            _ADD,
            {
                "shard": before.id % _SHARDS,
                "status": status,
                "last_finished": last_finished,
                "visibility": visibility,
                "change": change,
            },
        )


def _kind(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the values by which a row is counted."""
    return str(values["status"]), str(values["last_finished"] or ""), str(values["visibility"])


def stored_totals(
    connection: Connection, now: datetime, overdue: ColumnElement[bool], *, is_public_only: bool
) -> ListingTotals:
    """Return the totals of all subjects, or of all public ones.

    No event marks the moment at which a backup becomes overdue or a report becomes outdated. Such subjects are counted
    through an index, and moved from their recorded status to the one that is shown.
    """
    is_stale = and_(subjects.c.stale_after <= now, ~overdue)
    parts: list[Select[Any]] = [
        select(totals.c.status, totals.c.last_finished, literal(_STORED), func.sum(totals.c.subjects)),
        _lapsed(BackupStatus.FAILED).where(overdue),
        _lapsed(BackupStatus.UNKNOWN).where(is_stale),
    ]
    if is_public_only:
        columns = (totals.c.visibility, subjects.c.visibility, subjects.c.visibility)
        parts = [part.where(column == Visibility.PUBLIC) for part, column in zip(parts, columns, strict=True)]
    # One statement, so that both numbers are from the same moment on PostgreSQL, too.
    return _totals(connection, union_all(*(part.group_by(*part.selected_columns[:2]) for part in parts)))


def _lapsed(shown: BackupStatus) -> Select[Any]:
    # If grouped by a plain column, SQLite would scan the index of all statuses to avoid a sort.
    last_finished = func.coalesce(subjects.c.last_finished, "")
    return select(subjects.c.status, last_finished, literal(shown.value), func.count())


def _totals(connection: Connection, wanted: Any) -> ListingTotals:
    by_status: Counter[BackupStatus] = Counter()
    protected = 0
    for status, last_finished, shown, number in connection.execute(wanted):
        kept = int(number) if shown == _STORED else -int(number)
        by_status[BackupStatus(status)] += kept
        if shown != _STORED:
            by_status[BackupStatus(shown)] += int(number)
        if last_finished == BackupStatus.SUCCEEDED and status not in (BackupStatus.UNKNOWN, BackupStatus.DELETED):
            protected += kept
    return ListingTotals({status: number for status, number in by_status.items() if number}, protected)
