"""What time does to a report: a success grows stale, a run that never ends has failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from badge.model import BackupStatus, Report
from badge.sources.recipes.recipe import Recipe


def aged(report: Report, recipe: Recipe, now: datetime, clock: datetime) -> Report:
    """The report as it stands now; `clock` is now by the system's own clock, which its times are of.

    `stale_after` of the result is the moment by our clock at which it would change by itself, so
    that nothing keeps it for longer.
    """
    match report.status:
        case BackupStatus.IN_PROGRESS if report.started_at is not None:
            left = report.started_at + recipe.max_run - clock
            ended = replace(report, status=BackupStatus.FAILED, last_finished=BackupStatus.FAILED)
        case BackupStatus.IN_PROGRESS | BackupStatus.SUCCEEDED | BackupStatus.SCHEDULED if recipe.stale_after:
            told = report.last_success_at or report.finished_at or report.started_at
            if told is None:
                return _undated(report)
            # A run of unknown beginning may have begun when the success before it grew stale, not later.
            run = recipe.max_run if report.status is BackupStatus.IN_PROGRESS else timedelta(0)
            left = told + recipe.stale_after + run - clock
            status = BackupStatus(recipe.stale_as)
            # What is missing counts as a run that failed, for monitors too.
            last_finished = status if status is BackupStatus.FAILED else report.last_finished
            ended = replace(report, status=status, last_finished=last_finished, stale_after=None)
        case _:
            return report
    return replace(report, stale_after=now + left) if left > timedelta(0) else ended


def _undated(report: Report) -> Report:
    """Without a time nothing says that this is not a success, or a run, of last year; what never ran has none."""
    is_queued = report.status is BackupStatus.SCHEDULED
    return report if is_queued else replace(report, status=BackupStatus.UNKNOWN)
