"""What happened to a backup, and which of several accounts of it wins. Pure.

Pushed events come late, twice and out of order. They are ordered by the run's start, then by its
phase, then by the event's time, so that the same events in any order end in the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from badge.contract import LARGEST_SIZE, https_url, unless_never
from badge.model import BackupStatus, Phase, Reason, Subject, Visibility

# How far a reporter's clock may be ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)

_PHASES = {
    BackupStatus.SCHEDULED: Phase.QUEUED,
    BackupStatus.IN_PROGRESS: Phase.RUNNING,
    BackupStatus.SUCCEEDED: Phase.FINISHED,
    BackupStatus.FAILED: Phase.FINISHED,
}
_ORDER = {Phase.QUEUED: 0, Phase.RUNNING: 1, Phase.FINISHED: 2}


class InvalidEvent(ValueError):
    """An event that can't have happened; the message names every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """What an event may tell of its run besides status and times: kept with the run, and shown of the newest one."""

    size_bytes: int | None = None
    next_run_at: datetime | None = None
    stale_after: datetime | None = None
    url: str | None = None
    reason: Reason | None = None


DETAILS = tuple(field.name for field in fields(RunDetails))


def details_of(run: RunDetails) -> dict[str, Any]:
    """The details by their names."""
    return {name: getattr(run, name) for name in DETAILS}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(RunDetails):
    """A backup was queued, began or ended, or its subject was deleted, at `at`. Raises `InvalidEvent`."""

    subject: Subject
    status: BackupStatus
    at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    visibility: Visibility | None = None
    enabled: bool | None = None
    run_id: str | None = None
    """The reporter's own name for the run, by which its start and end find each other."""

    def __post_init__(self) -> None:
        if faults := _faults(self):
            raise InvalidEvent("; ".join(faults) + ".")

    def received(self, now: datetime) -> RunEvent:
        """The event by our clock: a little in the future counts as now, more is refused."""
        if self.at > now + CLOCK_TOLERANCE:
            raise InvalidEvent("the event's time lies in the future.")
        return replace(
            self,
            at=min(self.at, now),
            started_at=min(self.started_at, now) if self.started_at else None,
            finished_at=min(self.finished_at, now) if self.finished_at else None,
        )


def _faults(event: RunEvent) -> list[str]:
    times = (event.at, event.started_at, event.finished_at, event.next_run_at, event.stale_after)
    if any(moment is not None and moment.tzinfo is None for moment in times):
        return ["every time needs a zone"]
    if any(moment is not None and unless_never(moment) is None for moment in times):
        return ["every time has to lie between 1970 and the end of 9999"]
    began, ended, size = event.started_at, event.finished_at, event.size_bytes
    is_finished = _PHASES.get(event.status) is Phase.FINISHED
    rules = {
        "unknown is no status to report": event.status is BackupStatus.UNKNOWN,
        "the run's start lies after the event": began is not None and began > event.at + CLOCK_TOLERANCE,
        "the run's end lies before its start": began is not None and ended is not None and ended < began,
        "only a run that succeeded or failed has an end": ended is not None and not is_finished,
        "the size has to be between 0 and 2^63": size is not None and not 0 <= size < LARGEST_SIZE,
        "the url has to be an https address": event.url is not None and https_url(event.url) is None,
        "only a failure has a reason": event.reason is not None and event.status is not BackupStatus.FAILED,
    }
    return [fault for fault, is_broken in rules.items() if is_broken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(RunDetails):
    """One run of a subject's backup, as far as its events told."""

    started_at: datetime
    status: BackupStatus
    event_at: datetime
    finished_at: datetime | None = None
    run_id: str | None = None

    @property
    def phase(self) -> Phase:
        """How far the run has come."""
        return _PHASES[self.status]

    @property
    def is_finished(self) -> bool:
        """Whether it succeeded or failed."""
        return self.phase is Phase.FINISHED

    @property
    def succeeded_at(self) -> datetime | None:
        """When it succeeded, if it did."""
        return (self.finished_at or self.event_at) if self.status is BackupStatus.SUCCEEDED else None

    @property
    def _weight(self) -> tuple[int, datetime, bool]:
        # Of two contradicting accounts of one moment the worse is believed.
        return _ORDER[self.phase], self.event_at, self.status is BackupStatus.FAILED


def run_of(event: RunEvent, known: Iterable[Run], deleted_at: datetime | None = None) -> Run:
    """The run that an event speaks of, as the event tells it.

    Without a start it belongs to the run of its name. If it names none either, it belongs to the last run
    begun by then, if that has not come as far yet or the event lies within what is known of it (so it came
    late, or again); else it begins one.
    """
    started_at = event.started_at or _start_by_context(event, known, deleted_at)
    return Run(
        started_at=started_at,
        status=event.status,
        event_at=event.at,
        finished_at=(event.finished_at or event.at) if _PHASES[event.status] is Phase.FINISHED else None,
        run_id=event.run_id,
        **details_of(event),
    )


def _start_by_context(event: RunEvent, known: Iterable[Run], deleted_at: datetime | None) -> datetime:
    begun = [run for run in known if run.started_at <= event.at]
    if deleted_at is not None and deleted_at < event.at:
        # A run from before the deletion is over.
        begun = [run for run in begun if run.started_at > deleted_at]
    if event.run_id is not None:
        return next((run.started_at for run in begun if run.run_id == event.run_id), event.at)
    last = max(begun, key=lambda run: run.started_at, default=None)
    if last is None:
        return event.at
    is_further = _ORDER[_PHASES[event.status]] > _ORDER[last.phase]
    return last.started_at if is_further or event.at <= last.event_at else event.at


def merged(known: Run | None, told: Run) -> Run:
    """What is known of a run once it was told of again; the further, then the later account wins."""
    if known is None:
        return told
    newer, older = (told, known) if told._weight > known._weight else (known, told)  # noqa: SLF001 - same class
    silent_on = [name for name in (*DETAILS, "run_id") if getattr(newer, name) is None]
    # Kept from the other account where the winning one is silent, but for the reason: its status may be another one.
    return replace(newer, **{name: getattr(older, name) for name in silent_on if name != "reason"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What all runs and a deletion amount to."""

    status: BackupStatus
    newest: Run | None
    last_success_at: datetime | None
    last_finished: BackupStatus | None
    last_ended_at: datetime | None
    """When the run of `last_finished` ended."""


def standing(runs: Sequence[Run], deleted_at: datetime | None) -> Standing:
    """The state of a subject. A run that began after the deletion brings it back."""
    newest = max(runs, key=lambda run: run.started_at, default=None)
    finished = max((run for run in runs if run.is_finished), key=lambda run: run.started_at, default=None)
    if deleted_at is not None and (newest is None or newest.started_at <= deleted_at):
        status = BackupStatus.DELETED
    else:
        status = newest.status if newest else BackupStatus.UNKNOWN
    return Standing(
        status=status,
        newest=newest,
        last_success_at=max((at for run in runs if (at := run.succeeded_at)), default=None),
        last_finished=finished.status if finished else None,
        last_ended_at=finished.finished_at if finished else None,
    )
