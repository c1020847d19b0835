"""What a status page says, and how long until that changes by itself. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from badge import appearance
from badge.appearance import DAY, HOUR, MOMENT, TONES, WORDS, Look, Tone
from badge.contract import format_time
from badge.model import FINISHED, BackupStatus, Report, Resolution, unless_ahead
from badge.web.badges.recent_runs import RecentRun
from badge.web.page import utc_date
from badge.web.pages.history import runs_in_words

BAR_WIDTH, GAP, LINE_AT, TALL, SHORT = 12, 5, 34, 30, 14

EXPLANATIONS = {
    BackupStatus.DELETED: "The repository or its backup definition was deleted.",
    BackupStatus.UNKNOWN: "The backup system's latest report does not say how the backup went, or is outdated.",
}


@dataclass(frozen=True, slots=True)
class CoarseMoment:
    """A time, in whole hours or days from now: a page with more precise words could hardly be cached."""

    exact: str
    date: str
    length: str
    """Such as "3 hours"."""
    words: str
    """Such as "3 hours ago"."""
    holds_for: timedelta
    """How long until the words change."""

    @classmethod
    def of(cls, moment: datetime, now: datetime) -> CoarseMoment:
        """Describe a time relative to `now`."""
        moment = moment.replace(microsecond=0)
        left = moment - now
        unit, name = (HOUR, "hour") if abs(left) < 2 * DAY else (DAY, "day")
        length = _plural(abs(left) // unit, name) if abs(left) >= unit else f"less than an {name}"
        if left > timedelta(0):
            # A countdown still says "2 hours" at exactly two hours, hence the extra moment.
            words, holds_for = f"in {length}", left if left < HOUR else left % unit + MOMENT
        else:
            words, holds_for = f"{length} ago", unit - -left % unit
        return cls(format_time(moment), utc_date(moment), length, words, holds_for)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact in the list below the status."""

    name: str
    words: str
    detail: str
    moment: CoarseMoment | None = None
    """The time that the fact states or is counted from; None if there is none."""


@dataclass(frozen=True, slots=True)
class RunBar:
    """One run in the chart, and in the table below it."""

    x: int
    y: int
    height: int
    tone: Tone
    status: str
    date: str
    """Empty if the run's end is not known."""


@dataclass(frozen=True, slots=True)
class RunChart:
    """The last runs as bars, oldest first. Failures are below the line, so that colour is not the only cue."""

    bars: Sequence[RunBar]
    words: str
    width: int
    height: int
    has_failures: bool
    line_at: int = LINE_AT
    bar_width: int = BAR_WIDTH


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """Everything that the page says about a subject that its reader may see."""

    status: str
    headline: str
    """The status, with its age if it has not been confirmed for an hour."""
    tone: Tone
    icon: str
    happened: CoarseMoment | None
    """When the backup ended, or began if it is running."""
    is_running: bool
    explanation: str
    """Why the backup failed, or what the status means; may be empty."""
    confirmed: CoarseMoment | None
    """When the backup system last confirmed the status; None unless it is stale."""
    facts: Sequence[Fact]
    chart: RunChart | None
    description: str
    """A sentence or two for chats and search engines, which store it; without ages, so that it stays true."""
    holds_for: timedelta

    @classmethod
    def of(cls, resolution: Resolution, runs: Sequence[RecentRun]) -> StatusFacts:
        """Describe a resolution and the last runs, newest first; `runs` is empty if they are not known."""
        report, now = resolution.report, resolution.now
        face = appearance.face_of(resolution, Look())
        status = resolution.status
        happened_at = unless_ahead(report.finished_at or report.started_at, now) if status in _DATED else None
        happened = CoarseMoment.of(happened_at, now) if happened_at else None
        stale_since = resolution.confirmed_at if resolution.is_stale else None
        confirmed = CoarseMoment.of(stale_since, now) if stale_since else None
        facts = _facts(resolution, runs)
        moments = [happened, confirmed, *(fact.moment for fact in facts)]
        return cls(
            status=WORDS[status],
            headline=face.message,
            tone=face.tone,
            icon=face.icon,
            happened=happened,
            is_running=status is BackupStatus.IN_PROGRESS,
            explanation=appearance.reason_words(report) or EXPLANATIONS.get(status, ""),
            confirmed=confirmed,
            facts=facts,
            chart=_chart(runs),
            description=_description(WORDS[status], happened, runs),
            holds_for=min([face.holds_for, *(moment.holds_for for moment in moments if moment)]),
        )


_DATED = (*FINISHED, BackupStatus.IN_PROGRESS)


def _facts(resolution: Resolution, runs: Sequence[RecentRun]) -> list[Fact]:
    report, now = resolution.report, resolution.now
    found = [
        _timed("Last success", appearance.last_success(resolution), now),
        _verification(report, now),
        _since(resolution, runs),
        _rate(runs),
    ]
    if resolution.status is not BackupStatus.DELETED:
        is_due = report.next_run_at is not None and report.next_run_at <= now
        found.append(_timed("Run expected" if is_due else "Next run", report.next_run_at, now))
    return [fact for fact in found if fact]


def _timed(name: str, moment: datetime | None, now: datetime) -> Fact | None:
    if moment is None:
        return None
    coarse = CoarseMoment.of(moment, now)
    return Fact(name, coarse.words, coarse.date, coarse)


def _verification(report: Report, now: datetime) -> Fact | None:
    if (known := report.verification) is None:
        return None
    name = appearance.VERIFICATIONS[known.outcome, known.how]
    return _timed(name, unless_ahead(known.at, now), now) or Fact(name, appearance.UNKNOWN_TIME, "")


def _since(resolution: Resolution, runs: Sequence[RecentRun]) -> Fact | None:
    """Return how long the current unbroken series of successes or failures has lasted; None if that is not known."""
    report, now, status = resolution.report, resolution.now, resolution.status
    ended = [run for run in runs if run.status in FINISHED]
    alike = list(takewhile(lambda run: run.status is status, ended))
    if status not in FINISHED or not ended:
        return None
    # An overdue backup counts as failed without a failed run; its `finished_at` is when it became overdue.
    since = alike[-1].finished_at if alike else unless_ahead(report.finished_at, now)
    if since is None:
        return None
    coarse = CoarseMoment.of(since, now)
    is_open = len(alike) == len(ended) > 1
    name = "No failure for" if status is BackupStatus.SUCCEEDED else "Failing for"
    return Fact(name, f"{'at least ' if is_open else ''}{coarse.length}", f"since {since:%Y-%m-%d}", coarse)


def _rate(runs: Sequence[RecentRun]) -> Fact | None:
    succeeded, finished = _counted(runs)
    if not finished:
        return None
    # Rounded down, so that it is 100 % only if every run succeeded.
    rate = f"{100 * succeeded // finished} %"
    return Fact("Success rate", rate, f"{succeeded} of {_plural(finished, 'finished run')}")


def _counted(runs: Sequence[RecentRun]) -> tuple[int, int]:
    """Return how many runs succeeded, and how many ended."""
    counts = Counter(run.status for run in runs)
    return counts[BackupStatus.SUCCEEDED], sum(counts[status] for status in FINISHED)


def _rate_words(runs: Sequence[RecentRun]) -> str:
    succeeded, finished = _counted(runs)
    if not finished:
        return ""
    return f"{succeeded} of the last {finished} finished runs succeeded." if finished > 1 else "One run has finished."


def _chart(runs: Sequence[RecentRun]) -> RunChart | None:
    if not runs:
        return None
    bars = [_bar(place, run) for place, run in enumerate(reversed(runs))]
    statuses = [run.status for run in runs]
    has_failures = BackupStatus.FAILED in statuses
    height = 2 * LINE_AT if has_failures else LINE_AT + 1
    return RunChart(bars, runs_in_words(statuses), len(bars) * (BAR_WIDTH + GAP) - GAP, height, has_failures)


def _bar(place: int, run: RecentRun) -> RunBar:
    height = TALL if run.status in FINISHED else SHORT
    return RunBar(
        x=place * (BAR_WIDTH + GAP),
        y=LINE_AT if run.status is BackupStatus.FAILED else LINE_AT - height,
        height=height,
        tone=TONES[run.status],
        status=WORDS[run.status],
        date=utc_date(run.finished_at) if run.finished_at else "",
    )


def _description(status: str, happened: CoarseMoment | None, runs: Sequence[RecentRun]) -> str:
    first = f"Backup {status}{f', {happened.date}' if happened else ''}."
    return f"{first} {_rate_words(runs)}".rstrip()
