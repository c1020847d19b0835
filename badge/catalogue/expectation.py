"""When the next backup has to have ended, and what a subject's status is once it has not. Pure.

Nothing runs when a backup falls overdue: whoever reads from that moment on reads "failed".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

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


def as_expected(report: Report, overdue_at: datetime | None) -> Report:
    """What was recorded, as it stands at `observed_at`: a backup that is missing counts as one that failed.

    Before that, the moment at which it will be missing is the last for which the status is vouched for, so
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


def revision_at(moment: datetime) -> int:
    """The revision of a change at that moment, if nothing later is known (docs/explanation/decisions/0003)."""
    return round(moment.timestamp() * 1_000_000)
