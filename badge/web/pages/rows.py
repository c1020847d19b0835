"""The dashboard's rows: a subject's badge, last success, next run, reason and last runs at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from badge.appearance import REASONS, TONES, WORDS, Tone
from badge.listing import ListedSubject
from badge.model import BackupStatus, Origin, PastRun, Reason, Resolution, Subject, Visibility
from badge.web.page import Moment, length, picture_for
from badge.web.pages.headline import never_succeeded
from badge.web.pages.history import runs_in_words

SHOWN_RUNS = 14
BAR_WIDTH, STEP, LINE_AT, FINISHED_HEIGHT, UNFINISHED_HEIGHT = 5, 7, 10, 9, 4


@dataclass(frozen=True, slots=True)
class Row:
    """One subject in the list."""

    subject: Subject
    picture: str
    page_path: str
    status: str
    tone: Tone
    is_private: bool
    succeeded: Moment | None
    has_never_succeeded: bool
    """Also False if the source keeps no history."""
    next: str
    """When the next run is due, or since when it is overdue."""
    is_late: bool
    reason: str
    runs: RunBars | None

    @property
    def notes(self) -> list[str]:
        """What is unusual about the subject."""
        notes = [self.subject.type] if self.subject.type != "Repository" else []
        return [*notes, "private"] if self.is_private else notes


@dataclass(frozen=True, slots=True)
class RunBars:
    """The last runs as small bars, the newest on the right: failures hang below the line."""

    shapes: Sequence[tuple[Tone, str]]
    """Tone and SVG path of all bars of that tone."""
    words: str
    width: int = SHOWN_RUNS * STEP - (STEP - BAR_WIDTH)
    height: int = 2 * LINE_AT


def row_of(
    item: ListedSubject, runs: Sequence[PastRun], page_path: str, label: str, now: datetime, *, has_history: bool
) -> Row:
    """Return a row, from the list's own report, because resolving each subject could call its source.

    `has_history`: whether the source keeps a history; then a subject without a known success has never succeeded.
    """
    report = replace(item.report, status=item.report.status_at(now))
    known = Resolution(report=report, origin=Origin.CACHE, age=timedelta(0), fresh_for=timedelta(0), now=now)
    next_words, is_late = _next_run(item, now)
    return Row(
        subject=item.subject,
        picture=picture_for(known, label),
        page_path=page_path,
        status=WORDS[report.status],
        tone=TONES[report.status],
        is_private=report.visibility is Visibility.PRIVATE,
        succeeded=Moment.of(report.succeeded_at(now), now),
        has_never_succeeded=has_history and never_succeeded(item.report),
        next=next_words,
        is_late=is_late,
        reason=_reason(item, report.status, report.reason),
        runs=bars_of(runs),
    )


def _next_run(item: ListedSubject, now: datetime) -> tuple[str, bool]:
    report = item.report
    if item.overdue_since is not None:
        return f"overdue {length(now - item.overdue_since)}", True
    if report.next_run_at is None or report.status is BackupStatus.DELETED:
        return "", False
    if report.next_run_at > now:
        return f"next in {length(report.next_run_at - now)}", False
    return f"due {length(now - report.next_run_at)} ago", False


def _reason(item: ListedSubject, shown: BackupStatus, reason: Reason | None) -> str:
    if shown is not BackupStatus.FAILED or item.overdue_since is not None or reason is None:
        return ""
    return REASONS[reason]


def bars_of(newest_first: Sequence[PastRun]) -> RunBars | None:
    """Return the bars of the last runs; None if there are none."""
    if not newest_first:
        return None
    shown = newest_first[:SHOWN_RUNS]
    shapes: dict[Tone, list[str]] = {}
    for place, run in enumerate(shown):
        shapes.setdefault(TONES[run.status], []).append(_bar((SHOWN_RUNS - 1 - place) * STEP, run.status))
    return RunBars(
        [(tone, "".join(bars)) for tone, bars in shapes.items()],
        runs_in_words([run.status for run in shown]),
    )


def _bar(x: int, status: BackupStatus) -> str:
    if status is BackupStatus.FAILED:
        return f"M{x} {LINE_AT}h{BAR_WIDTH}v{FINISHED_HEIGHT}h-{BAR_WIDTH}z"
    height = FINISHED_HEIGHT if status is BackupStatus.SUCCEEDED else UNFINISHED_HEIGHT
    return f"M{x} {LINE_AT}h{BAR_WIDTH}v-{height}h-{BAR_WIDTH}z"
