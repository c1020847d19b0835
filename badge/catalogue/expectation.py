"""When the next backup is due, and what a subject's status is once it is overdue: the one place with this rule.

Nothing runs when a backup falls overdue: whoever reads from that moment on reads "failed". The rule is written
twice here, side by side: for a report (`as_expected`) and for the database (`is_overdue`, `has_status`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_

from badge.catalogue.schema import subjects
from badge.model import BackupStatus, Report

# What does not hold without a next backup. A failure stays the failure that it is, with its own times.
LAPSING = frozenset({BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Expectation:
    """From `since` on a backup ends, well or not, at least once in `every`, or `grace` later."""

    every: timedelta
    grace: timedelta
    since: datetime

    def due_at(self, ended_at: datetime | None) -> datetime:
        """When the next one is due after that end, the last there was."""
        return max(self.since, ended_at or self.since) + self.every

    def overdue_at(self, status: BackupStatus, ended_at: datetime | None) -> datetime | None:
        """From when on it is missing, so that the status does not hold; None for one that needs none.

        A start does not put it off, or a job that hangs each day would look well.
        """
        return self.due_at(ended_at) + self.grace if status in LAPSING else None


NOTHING_DUE: dict[str, datetime | None] = {"due_at": None, "overdue_at": None}
"""The columns of a subject without a check."""


def due_columns(
    expectation: Expectation | None, status: BackupStatus, ended_at: datetime | None
) -> dict[str, datetime | None]:
    """When the next backup of a subject is due, and when its status no longer holds, as columns of its row."""
    if expectation is None:
        return NOTHING_DUE
    return {"due_at": expectation.due_at(ended_at), "overdue_at": expectation.overdue_at(status, ended_at)}


def as_expected(report: Report, overdue_at: datetime | None) -> Report:
    """What was recorded, as it stands at `observed_at`: a backup that is missing counts as one that failed.

    Before that, the moment at which it will be missing is the last at which the status is not outdated, so
    that nothing kept anywhere outlives it.
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


def is_overdue(now: datetime) -> ColumnElement[bool]:
    """The condition that a row's backup is missing now."""
    return and_(subjects.c.overdue_at.is_not(None), subjects.c.overdue_at <= now)


def has_status(status: BackupStatus, now: datetime) -> ColumnElement[bool]:
    """The condition that `as_expected` gives a row this status now."""
    recorded = subjects.c.status == status.value
    return or_(recorded, is_overdue(now)) if status is BackupStatus.FAILED else and_(recorded, ~is_overdue(now))


def revision_at(moment: datetime) -> int:
    """The revision of a change at that moment, if nothing later is known (docs/explanation/decisions/0003)."""
    return round(moment.timestamp() * 1_000_000)
