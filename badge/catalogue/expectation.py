"""The rule for overdue backups: when the next one is due, and what a subject's status is once it is overdue.

No code runs at the moment when a backup becomes overdue; from then on, reading its status gives "failed". The rule is
therefore written twice: for a report (`as_expected`), and in SQL for lists (`is_overdue`, `has_status`). Only this
module decides when a backup is overdue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from badge.catalogue.schema import Moment, checks, runs, subjects
from badge.model import CLOCK_TOLERANCE, BackupStatus, Report

# The statuses that become "failed" when the next backup is overdue. A subject that has failed already is left as it is,
# with the failure's own times.
CAN_BE_OVERDUE = frozenset({BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED})

MOST_DESPITE_END = 1_000
"""Maximum number of IDs from `overdue_despite_future_end`.

Each occurs several times among a query's parameters, of which SQLite allows 32,766.
"""

_MICROSECONDS = 1_000_000

Moments = datetime | BindParameter[datetime]
"""A time, or a parameter that gets one when the statement is executed."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A check's terms: from `since` on, a backup must finish once per `every`, and may be up to `grace` late."""

    every: timedelta
    grace: timedelta
    since: datetime

    def due_at(self, ended_at: datetime | None) -> datetime:
        """Return when the next backup is due, given the end of the last one."""
        return max(self.since, ended_at or self.since) + self.every

    def overdue_at(self, status: BackupStatus, ended_at: datetime | None) -> datetime | None:
        """Return when the next backup will be overdue; None unless the status is one of `CAN_BE_OVERDUE`.

        The start of a run doesn't postpone it; otherwise a job that starts every day and hangs would look healthy.
        """
        return self.due_at(ended_at) + self.grace if status in CAN_BE_OVERDUE else None


NOTHING_DUE: dict[str, datetime | None] = {"due_at": None, "overdue_at": None}
"""The columns of a subject without a check."""


def due_columns(
    expectation: Expectation | None, status: BackupStatus, ended_at: datetime | None
) -> dict[str, datetime | None]:
    """Return the columns of a subject's row that say when its next backup is due and overdue."""
    if expectation is None:
        return NOTHING_DUE
    return {"due_at": expectation.due_at(ended_at), "overdue_at": expectation.overdue_at(status, ended_at)}


def as_expected(report: Report, overdue_at: datetime | None) -> Report:
    """Return the report as of its `observed_at`, in which an overdue backup counts as failed.

    If it isn't overdue yet, `stale_after` is at most `overdue_at`, so that no cache entry outlives that moment.
    """
    if overdue_at is None:
        return report
    if report.observed_at < overdue_at:
        return replace(report, stale_after=min(report.stale_after or overdue_at, overdue_at))
    began = report.started_at if report.status is BackupStatus.IN_PROGRESS else None
    return replace(
        report,
        status=BackupStatus.FAILED,
        started_at=began if began and began <= overdue_at else None,
        finished_at=overdue_at,
        last_finished=BackupStatus.FAILED,
        next_run_at=None,
        stale_after=None,
        size_bytes=None,
        url=None,
        revision=max(report.revision + 1, revision_at(overdue_at)),
    )


def latest_believed(now: datetime) -> datetime:
    """Return the time up to which stored times are believed; later ones count as unknown."""
    return now + CLOCK_TOLERANCE


def overdue_at(believed: Moments) -> ColumnElement[datetime]:
    """Return the SQL expression for when a row's backup is overdue; `believed` is from `latest_believed`.

    That is the stored time, unless it was computed from an end that is ahead of now and therefore counts as unknown. In
    that case it is computed from the last known end.
    """
    return case((is_end_ahead(believed), overdue_by_known_end(believed)), else_=subjects.c.overdue_at)


def overdue_despite_future_end(connection: Connection, now: datetime, most: int = MOST_DESPITE_END) -> Sequence[int]:
    """Return the IDs of subjects that are overdue although `overdue_at` is in the future; none if clocks are right.

    Returns at most `most` IDs. Any further ones are listed as failed, but filters and totals use their recorded status.
    """
    believed = latest_believed(now)
    wanted = select(subjects.c.id).where(is_end_ahead(believed), overdue_by_known_end(believed) <= now)
    return connection.scalars(wanted.order_by(subjects.c.ended_at, subjects.c.id).limit(most)).all()


def is_overdue(now: datetime, despite_end: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a row's backup is overdue now; `despite_end` is from `overdue_despite_future_end`."""
    stored = and_(subjects.c.overdue_at.is_not(None), subjects.c.overdue_at <= now)
    # With the second condition, a database can't use its index on the stored times, so it is added only if necessary.
    return or_(stored, subjects.c.id.in_(despite_end)) if despite_end else stored


def has_status(status: BackupStatus, overdue: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that `as_expected` gives a row this status; `overdue` is from `is_overdue`."""
    recorded = subjects.c.status == status.value
    return or_(recorded, overdue) if status is BackupStatus.FAILED else and_(recorded, ~overdue)


def revision_at(moment: datetime) -> int:
    """Return the revision of a change at that time, if the previous one is lower (docs/explanation/decisions/0003)."""
    return round(moment.timestamp() * _MICROSECONDS)


def is_end_ahead(believed: Moments) -> ColumnElement[bool]:
    """Return the condition that a row's stored `overdue_at` was computed from an end that is ahead of now."""
    ended_at = subjects.c.ended_at
    return and_(subjects.c.overdue_at.is_not(None), ended_at.is_not(None), ended_at > believed)


def overdue_by_known_end(believed: Moments) -> ColumnElement[datetime]:
    """Return the SQL expression for when a row's backup is overdue, counted from the last end that is believed."""
    known = and_(runs.c.subject_id == subjects.c.id, runs.c.finished_at <= believed)
    ended_at = select(func.max(runs.c.finished_at)).where(known).correlate(subjects).scalar_subquery()
    counted_from = case((ended_at > checks.c.since, ended_at), else_=checks.c.since)
    seconds = cast(checks.c.every_seconds, BigInteger) + checks.c.grace_seconds
    # Times are stored as microseconds, so every database can add them.
    moment = type_coerce(type_coerce(counted_from, BigInteger) + seconds * _MICROSECONDS, Moment)
    return select(moment).where(checks.c.subject_id == subjects.c.id).correlate(subjects).scalar_subquery()
