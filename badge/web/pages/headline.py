"""The sentence at the top of a subject's page: what happened last, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from badge import appearance
from badge.appearance import WORDS
from badge.model import BackupStatus, Report, Resolution, unless_ahead
from badge.web.page import Moment, length

_BEFORE_TIME = {
    BackupStatus.SUCCEEDED: "succeeded",
    BackupStatus.FAILED: "failed",
    BackupStatus.IN_PROGRESS: "in progress, started",
    BackupStatus.SCHEDULED: "scheduled",
    BackupStatus.DELETED: "deleted",
    BackupStatus.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the sentence: words, and a time after them unless it is None."""

    words: str
    moment: Moment | None = None


def headline(resolution: Resolution, *, overdue_since: datetime | None, has_history: bool) -> list[Clause]:
    """Return the clauses of the sentence; facts that nobody reported are left out.

    `has_history`: whether the source keeps a history; then a subject without a known success has never succeeded.
    """
    if not resolution.is_known:
        return [Clause("Unknown: the status could not be determined")]
    if not resolution.report.exists:
        return [Clause("No backup found")]
    first, *others = _clauses(resolution, overdue_since, has_history=has_history)
    return [replace(first, words=f"{first.words[:1].upper()}{first.words[1:]}"), *others]


def _clauses(resolution: Resolution, overdue_since: datetime | None, *, has_history: bool) -> Iterator[Clause]:
    report, now = resolution.report, resolution.now
    if overdue_since is not None:
        yield Clause(f"overdue for {length(now - overdue_since)}")
    else:
        yield _last_event(report, now)
    if overdue_since is None and (reason := appearance.reason_words(report)):
        yield Clause(reason)
    if report.status is not BackupStatus.SUCCEEDED and (clause := _success(resolution, has_history=has_history)):
        yield clause
    if report.verification is not None and report.has_failed_verification:
        yield Clause("verification failed", Moment.of(unless_ahead(report.verification.at, now), now))
    if report.status is not BackupStatus.DELETED and report.next_run_at is not None:
        is_ahead = report.next_run_at > now
        yield Clause("next run" if is_ahead else "next run was due", Moment.of(report.next_run_at, now))
    if resolution.is_stale and resolution.confirmed_at is not None:
        yield Clause("last confirmed", Moment.of(resolution.confirmed_at, now))


def _last_event(report: Report, now: datetime) -> Clause:
    status = report.status
    at = {
        BackupStatus.SUCCEEDED: report.finished_at,
        BackupStatus.FAILED: report.finished_at,
        BackupStatus.IN_PROGRESS: report.started_at,
        BackupStatus.DELETED: report.deleted_at,
    }.get(status)
    moment = Moment.of(unless_ahead(at, now), now)
    return Clause(_BEFORE_TIME[status] if moment else WORDS[status], moment)


def _success(resolution: Resolution, *, has_history: bool) -> Clause | None:
    moment = Moment.of(appearance.last_success(resolution), resolution.now)
    if moment is not None:
        return Clause("last success", moment)
    return Clause("never succeeded") if has_history and never_succeeded(resolution.report) else None


def never_succeeded(report: Report) -> bool:
    """Whether a source that keeps a history knows of no success, not even one with a missing or future time."""
    return BackupStatus.SUCCEEDED not in (report.status, report.last_finished) and report.last_success_at is None
