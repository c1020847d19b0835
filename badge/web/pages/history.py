"""The last runs of a backup, as a small bar chart and as a table.

Successes are above the line and failures below it, so that colour is not the only cue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from badge.appearance import COLOURS, TONES, WORDS, Palette, Tone
from badge.model import BackupStatus, PastRun
from badge.web.page import Moment, exact_length, size

SHOWN_RUNS = 30
BAR_WIDTH, GAP, LINE_AT, TALLEST, SHORTEST = 10, 4, 40, 36, 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the chart."""

    x: int
    y: int
    height: int
    tone: Tone
    """CSS class for the colour, which is different on a dark background."""
    colour: str
    words: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the table."""

    status: str
    started: Moment | None
    duration: str
    size: str


@dataclass(frozen=True, slots=True)
class HistoryPicture:
    """Past runs, drawn oldest first and listed newest first."""

    bars: Sequence[Bar]
    rows: Sequence[RunRow]
    words: str
    width: int
    line_at: int = LINE_AT
    height: int = 2 * LINE_AT
    bar_width: int = BAR_WIDTH


def history_picture(newest_first: Sequence[PastRun], now: datetime) -> HistoryPicture | None:
    """Return the chart; None if there are no runs."""
    if not newest_first:
        return None
    longest = max((_duration(run) or timedelta(0) for run in newest_first), default=timedelta(0))
    bars = [_bar(place, run, longest) for place, run in enumerate(reversed(newest_first))]
    rows = [_row(run, now) for run in newest_first]
    return HistoryPicture(
        bars, rows, runs_in_words([run.status for run in newest_first]), len(bars) * (BAR_WIDTH + GAP) - GAP
    )


def _bar(place: int, run: PastRun, longest: timedelta) -> Bar:
    # A run without a known duration gets the shortest bar.
    share = (_duration(run) or timedelta(0)) / longest if longest else 0.0
    height = SHORTEST + round((TALLEST - SHORTEST) * share)
    return Bar(
        x=place * (BAR_WIDTH + GAP),
        y=LINE_AT if run.status is BackupStatus.FAILED else LINE_AT - height,
        height=height,
        tone=TONES[run.status],
        colour=COLOURS[Palette.ACCESSIBLE][TONES[run.status]],
        words=f"{WORDS[run.status]}, {run.started_at:%Y-%m-%d %H:%M} UTC",
    )


def _row(run: PastRun, now: datetime) -> RunRow:
    duration = _duration(run)
    return RunRow(
        WORDS[run.status],
        Moment.of(None if _has_made_up_start(run) else run.started_at, now),
        exact_length(duration) if duration else "",
        size(run.size_bytes) if run.size_bytes is not None else "",
    )


def _duration(run: PastRun) -> timedelta | None:
    return run.finished_at - run.started_at if run.finished_at and not _has_made_up_start(run) else None


def _has_made_up_start(run: PastRun) -> bool:
    """Whether the start was not reported, so that the catalogue has the event's time in its place."""
    is_queued = run.status is BackupStatus.SCHEDULED
    return is_queued or (run.finished_at is not None and run.started_at >= run.finished_at)


def runs_in_words(runs: Sequence[BackupStatus]) -> str:
    """Return the text alternative of a chart of runs, given their statuses."""
    counted = Counter(runs)
    counts = ", ".join(f"{counted[status]} {words}" for status, words in WORDS.items() if counted[status])
    return f"The last {len(runs)} runs, the newest on the right: {counts}" if len(runs) > 1 else f"One run: {counts}"
