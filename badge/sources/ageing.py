"""What time does to a report: a success grows stale, a run that never ends has failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from badge.model import BackupStatus, Report
from badge.sources.recipe import Recipe


def aged(report: Report, recipe: Recipe, now: datetime, clock: datetime) -> Report:
    """The report as it stands now; `clock` is now by the system's own clock, which its times are of.

    `stale_after` of the result is the moment by our clock at which it would change by itself, so
    that nothing keeps it for longer.
    """
    match report.status:
        case BackupStatus.IN_PROGRESS if report.started_at is not None:
            left = report.started_at + recipe.max_run - clock
            ended = replace(report, status=BackupStatus.FAILED, last_finished=BackupStatus.FAILED)
        case BackupStatus.SUCCEEDED | BackupStatus.SCHEDULED if recipe.stale_after is not None:
            told = report.last_success_at or report.finished_at or report.started_at
            if told is None:
                # Without a time nothing says that this is not a success of last year.
                return _undated(report)
            left = told + recipe.stale_after - clock
            ended = replace(report, status=BackupStatus(recipe.stale_as), stale_after=None)
        case _:
            return report
    return replace(report, stale_after=now + left) if left > timedelta(0) else ended


def _undated(report: Report) -> Report:
    is_success = report.status is BackupStatus.SUCCEEDED
    return replace(report, status=BackupStatus.UNKNOWN) if is_success else report
