"""One page of a subject's runs, as bars and as a table.

Successes are above the line and failures below it, so that colour is not the only cue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from badge.appearance import REASONS, TONES, WORDS, Tone
from badge.artwork.glyphs import STATUS_GLYPHS
from badge.model import BackupStatus, PastRun, Report, unless_ahead
from badge.web.login.access import Viewer
from badge.web.page import Moment, exact_length, size
from badge.web.pages.run_page import RunPage

SHOWN_RUNS = 30
LINE_AT, TALLEST, SHORTEST = 40, 36, 6
LARGEST_NUMBER = 9_999


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One run: a bar, and a row of the table."""

    anchor: str
    """The ID of its row."""
    status: str
    tone: Tone
    """CSS class for the colour, which is different on a dark background."""
    glyph: str
    bar_y: int
    bar_height: int
    moment: Moment | None
    """When it ended, or when it began if it has not ended; None if neither is known."""
    is_over: bool
    duration: str
    size: str
    reason: str
    run_page: RunPage | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Up to `SHOWN_RUNS` runs, newest first; columns without any value are left out of the table."""

    number: int
    runs: Sequence[ShownRun]
    words: str
    has_older: bool
    has_failures: bool
    has_durations: bool
    has_sizes: bool

    @property
    def extent(self) -> str:
        """The heading of the column for durations and sizes; empty if nothing is known of either."""
        names = {"Duration": self.has_durations, "Size": self.has_sizes}
        return " and ".join(name for name, is_known in names.items() if is_known).capitalize()

    @property
    def bars_height(self) -> int:
        """The height of the chart; without failures, its lower half is omitted."""
        return LINE_AT + (TALLEST if self.has_failures else 1)


def page_number(given: str) -> int:
    """Return the number of the page in a query; 1 if it is missing or invalid."""
    is_valid = given.isascii() and given.isdecimal() and len(given) <= len(str(LARGEST_NUMBER))
    return max(1, int(given)) if is_valid else 1


def history_page(number: int, newest_first: Sequence[PastRun], now: datetime, viewer: Viewer) -> HistoryPage | None:
    """Return a page of the history; None if there are no runs.

    `newest_first` has one run more than the page shows if there are older ones.
    """
    shown = newest_first[:SHOWN_RUNS]
    if not shown:
        return None
    longest = max(_duration(run) or timedelta(0) for run in shown)
    first = (number - 1) * SHOWN_RUNS + 1
    statuses = [run.status for run in shown]
    if number == 1:
        words = runs_in_words(statuses)
    else:
        words = f"Runs {first} to {first + len(shown) - 1}, counted from the newest: {_counts(statuses)}"
    runs = [_shown(place, run, longest, now, viewer) for place, run in enumerate(shown, first)]
    return HistoryPage(
        number,
        runs,
        words,
        has_older=len(newest_first) > SHOWN_RUNS,
        has_failures=BackupStatus.FAILED in statuses,
        has_durations=any(run.duration for run in runs),
        has_sizes=any(run.size for run in runs),
    )


def _shown(place: int, run: PastRun, longest: timedelta, now: datetime, viewer: Viewer) -> ShownRun:
    duration = _duration(run)
    height = _height(run, duration, longest)
    happened_at = run.finished_at or reported_start(run)
    return ShownRun(
        anchor=f"run-{place}",
        status=WORDS[run.status],
        tone=TONES[run.status],
        glyph=STATUS_GLYPHS[run.status],
        bar_y=LINE_AT if run.status is BackupStatus.FAILED else LINE_AT - height,
        bar_height=height,
        moment=Moment.of(unless_ahead(happened_at, now), now),
        is_over=run.finished_at is not None,
        duration=exact_length(duration) if duration else "",
        size=size(run.size_bytes) if run.size_bytes is not None else "",
        reason=REASONS[run.reason] if run.reason and run.status is BackupStatus.FAILED else "",
        run_page=RunPage.of(run.url, viewer),
    )


def _height(run: PastRun, duration: timedelta | None, longest: timedelta) -> int:
    """Return a bar's height, by the run's duration; the shortest if that is unknown.

    If no duration is known, finished runs are tallest, and others half as tall.
    """
    if not longest:
        return TALLEST if run.finished_at else TALLEST // 2
    return SHORTEST + round((TALLEST - SHORTEST) * ((duration or timedelta(0)) / longest))


def _duration(run: PastRun) -> timedelta | None:
    started = reported_start(run)
    return run.finished_at - started if run.finished_at and started else None


def reported_start(run: PastRun | Report) -> datetime | None:
    """Return the start, or None if it was not reported: the catalogue then stores the event's time instead."""
    started, finished = run.started_at, run.finished_at
    is_made_up = run.status is BackupStatus.SCHEDULED or (started and finished and started >= finished)
    return None if is_made_up else started


def runs_in_words(runs: Sequence[BackupStatus]) -> str:
    """Return the text alternative of a chart of the last runs, given their statuses."""
    if len(runs) == 1:
        return f"One run: {_counts(runs)}"
    return f"The last {len(runs)} runs, the newest on the right: {_counts(runs)}"


def _counts(runs: Sequence[BackupStatus]) -> str:
    counted = Counter(runs)
    return ", ".join(f"{counted[status]} {words}" for status, words in WORDS.items() if counted[status])
