"""How reports age: a success becomes outdated, and a run that never ends counts as failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from badge.model import BackupStatus, Report
from badge.sources.recipes.recipe import Recipe


def aged(report: Report, recipe: Recipe, now: datetime, clock: datetime) -> Report:
    """Return the report as of `now`.

    `clock` is the current time by the backup system's own clock, which also gave the report its times. The result's
    `stale_after` is the time, by our clock, when the result would change without a new run. No cache may keep the
    result longer.
    """
    report = _without_old_success(report, recipe, clock)
    match report.status:
        case BackupStatus.IN_PROGRESS if report.started_at is not None:
            left = report.started_at + recipe.max_run - clock
            ended = replace(report, status=BackupStatus.FAILED, last_finished=BackupStatus.FAILED)
        case BackupStatus.IN_PROGRESS | BackupStatus.SUCCEEDED | BackupStatus.SCHEDULED if recipe.stale_after:
            reference = report.last_success_at or report.finished_at or report.started_at
            if reference is None:
                return _undated(report)
            # A run with an unknown start is assumed to have begun when the success before it became outdated.
            run = recipe.max_run if report.status is BackupStatus.IN_PROGRESS else timedelta(0)
            left = reference + recipe.stale_after + run - clock
            status = BackupStatus(recipe.stale_as)
            # A missing backup counts as a failed run, for monitors too.
            last_finished = status if status is BackupStatus.FAILED else report.last_finished
            ended = replace(report, status=status, last_finished=last_finished, stale_after=None)
        case _:
            return report
    if left <= timedelta(0):
        return ended
    return replace(report, stale_after=now + min(left, _success_counts_for(report, recipe, clock) or left))


def _without_old_success(report: Report, recipe: Recipe, clock: datetime) -> Report:
    """Stop counting a previous success that is outdated or undated: a run that is under way does not renew it."""
    is_waiting = report.status in (BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED)
    if recipe.stale_after is None or not is_waiting or report.last_finished is not BackupStatus.SUCCEEDED:
        return report
    left = _success_counts_for(report, recipe, clock)
    if left is not None and left > timedelta(0):
        return report
    is_failure = left is not None and recipe.stale_as == "failed"
    return replace(report, last_finished=BackupStatus.FAILED if is_failure else None)


def _success_counts_for(report: Report, recipe: Recipe, clock: datetime) -> timedelta | None:
    """Return how much longer the last run's success counts.

    None if the run did not succeed, if the time of its success is unknown, or if the recipe has no age limit.
    """
    success_at = report.last_success_at
    if recipe.stale_after is None or success_at is None or report.last_finished is not BackupStatus.SUCCEEDED:
        return None
    return success_at + recipe.stale_after - clock


def _undated(report: Report) -> Report:
    """Return the report as unknown: its run could be a year old. A queued run has no time yet, so it stays queued."""
    is_queued = report.status is BackupStatus.SCHEDULED
    return report if is_queued else replace(report, status=BackupStatus.UNKNOWN)
