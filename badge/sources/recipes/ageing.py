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
    report = _without_old_success(report, recipe, clock)
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
    if left <= timedelta(0):
        return ended
    return replace(report, stale_after=now + min(left, _success_counts_for(report, recipe, clock) or left))


def _without_old_success(report: Report, recipe: Recipe, clock: datetime) -> Report:
    """A new run does not renew the success before it: one that is too old, or of unknown age, counts no longer."""
    is_waiting = report.status in (BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED)
    if recipe.stale_after is None or not is_waiting or report.last_finished is not BackupStatus.SUCCEEDED:
        return report
    left = _success_counts_for(report, recipe, clock)
    if left is not None and left > timedelta(0):
        return report
    is_failure = left is not None and recipe.stale_as == "failed"
    return replace(report, last_finished=BackupStatus.FAILED if is_failure else None)


def _success_counts_for(report: Report, recipe: Recipe, clock: datetime) -> timedelta | None:
    """How much longer the last run's success counts; None where it was none, or has no time or limit."""
    success_at = report.last_success_at
    if recipe.stale_after is None or success_at is None or report.last_finished is not BackupStatus.SUCCEEDED:
        return None
    return success_at + recipe.stale_after - clock


def _undated(report: Report) -> Report:
    """Without a time nothing says that this is not a success, or a run, of last year; what never ran has none."""
    is_queued = report.status is BackupStatus.SCHEDULED
    return report if is_queued else replace(report, status=BackupStatus.UNKNOWN)
