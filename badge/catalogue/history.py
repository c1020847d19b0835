"""A subject's runs, and the order that decides which of them is the newest. No I/O.

Events may arrive late, repeatedly, out of order, and through hosts whose clocks differ. Each accepted event gets the
subject's next sequence number, and the run with the highest number decides the status:

- An event without times counts as the newest when it arrives, whatever any clock says. So does a deletion: the runs
  known by then no longer count, and a run that is first reported after it brings the subject back.
- An event with times is placed below every run that happened later. Reported times are compared exactly: the starts if
  both runs have one, otherwise the latest times. A run that was reported without times has only a time of receipt, and
  the clock of the host that received it may be wrong. Such a run counts as later only if the times differ by more than
  `CLOCK_TOLERANCE`, and never as later than a failure.
- A stored time more than `CLOCK_TOLERANCE` ahead of now counts as unknown.

Therefore, if the start and the end of each run are reported, the order of the runs is the same no matter in which
order, or how often, their events arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from badge.catalogue.events import DETAILS, PHASES, RunDetails, RunEvent, details_of
from badge.model import CLOCK_TOLERANCE, BackupStatus, Outcomes, Phase, is_ahead, unless_ahead

_ORDER = {phase: place for place, phase in enumerate(Phase)}

# A run is identified by its start, so a run whose start is taken gets the next free one.
_NEXT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(RunDetails):
    """One run of a subject's backup."""

    started_at: datetime
    """As reported, or when its first event was received. Unique among the subject's runs."""
    is_start_reported: bool = True
    status: BackupStatus
    happened_at: datetime | None = None
    """The latest time reported for an event of this run in its current phase."""
    finished_at: datetime | None = None
    run_id: str | None = None
    sequence: int = 0
    """Its place in the order of the subject's runs and deletion."""

    @property
    def phase(self) -> Phase:
        """The phase that the run has reached."""
        return PHASES[self.status]

    @property
    def is_finished(self) -> bool:
        """Whether it succeeded or failed."""
        return self.phase is Phase.FINISHED

    @property
    def succeeded_at(self) -> datetime | None:
        """When it succeeded, if it did."""
        return self.finished_at if self.status is BackupStatus.SUCCEEDED else None

    @property
    def last_moment(self) -> datetime:
        """Its end, or its start if it has none yet."""
        return self.finished_at or self.started_at

    def happened_after(self, other: Run, now: datetime) -> bool:
        """Whether this known run is certainly later than `other`, a run that an event has just reported."""
        if self.is_start_reported and other.is_start_reported:
            return other.started_at < self.started_at and not is_ahead(self.started_at, now)
        if self.happened_at is not None and other.happened_at is not None:
            return other.happened_at < self.happened_at and not is_ahead(self.happened_at, now)
        if other.happened_at is None or other.status is BackupStatus.FAILED or is_ahead(self.last_moment, now):
            return False
        return self.last_moment - other.happened_at > CLOCK_TOLERANCE

    def replaces(self, known: Run) -> bool:
        """Whether this report of a run overrides the known one: the later phase wins, then the later event."""
        if self.phase is not known.phase:
            return _ORDER[self.phase] > _ORDER[known.phase]
        if self.happened_at is None or known.happened_at is None:
            return True  # The order of arrival decides.
        # Of two contradictory reports with the same time, the worse one is believed.
        is_worse = self.status is BackupStatus.FAILED and known.status is not BackupStatus.FAILED
        return self.happened_at > known.happened_at or (self.happened_at == known.happened_at and is_worse)

    def completed_by(self, other: Run) -> Run:
        """Return this report of a run, with missing values taken from another report of the same run."""
        # The reason is not copied, because it belongs to the other report's status.
        missing = [name for name in (*DETAILS, "run_id") if name != "reason" and getattr(self, name) is None]
        times = (self.happened_at, other.happened_at if other.phase is self.phase else None)
        is_repeated = self.is_start_reported and self.happened_at is None and self.status is other.status
        return replace(
            self,
            happened_at=max(filter(None, times), default=None),
            finished_at=other.finished_at if is_repeated else self.finished_at,
            **{name: getattr(other, name) for name in missing},
        )


@dataclass(frozen=True, slots=True)
class Deletion:
    """The deletion of a subject. Runs with a lower number no longer count; one with a higher number undoes it."""

    at: datetime
    """As reported, or when it was received."""
    sequence: int


@dataclass(frozen=True, slots=True)
class State:
    """The state of a subject according to its history."""

    status: BackupStatus
    newest: Run | None
    last_success_at: datetime | None
    """When the last success ended. If this is ahead of now, a wrong clock reported it, and the real time is unknown."""
    last_finished: BackupStatus | None
    last_ended_at: datetime | None
    """The end of the last finished run with a known end."""


@dataclass(frozen=True, slots=True)
class History:
    """The runs of one subject, by start, and its deletion."""

    runs: Mapping[datetime, Run] = field(default_factory=dict)
    deletion: Deletion | None = None

    @property
    def in_order(self) -> Sequence[Run]:
        """The runs, the newest last."""
        return sorted(self.runs.values(), key=lambda run: run.sequence)

    @property
    def outcomes(self) -> Outcomes:
        """How the last finished runs ended."""
        return Outcomes.of(run.status for run in self.in_order if run.is_finished)

    @property
    def next_sequence(self) -> int:
        """The number of the next event."""
        given = [run.sequence for run in self.runs.values()]
        return max((*given, self.deletion.sequence if self.deletion else 0)) + 1

    @property
    def is_deleted(self) -> bool:
        """Whether the subject was deleted and no later run brought it back."""
        return self.deletion is not None and self.deletion.sequence == self.next_sequence - 1

    def is_ahead(self, now: datetime) -> bool:
        """Whether the history has a time that is ahead of now by more than `CLOCK_TOLERANCE`."""
        moments = [max(run.started_at, run.last_moment) for run in self.runs.values()]
        return any(is_ahead(moment, now) for moment in (*moments, self.deletion.at if self.deletion else None))

    def with_event(self, event: RunEvent, now: datetime) -> tuple[History, Run | None]:
        """Return the history with this event, and the event's run as it is now; None for a deletion."""
        if event.status is BackupStatus.DELETED:
            return self._with_deletion(event, now), None
        reported = self._reported_run(event, now)
        known = self.runs.get(reported.started_at)
        if known is not None and not reported.replaces(known):
            run = known.completed_by(reported)
            return replace(self, runs={**self.runs, run.started_at: run}), run
        sequence = self._sequence_of(reported, now) if event.has_times else self.next_sequence
        run = replace(reported if known is None else reported.completed_by(known), sequence=sequence)
        return self._with_run(run), run

    def state(self, now: datetime) -> State:
        """Return the status and the last results."""
        runs = self.in_order
        finished = [run for run in runs if run.is_finished]
        status = runs[-1].status if runs else BackupStatus.UNKNOWN
        return State(
            status=BackupStatus.DELETED if self.is_deleted else status,
            newest=runs[-1] if runs else None,
            last_success_at=_last_success(finished, now),
            last_finished=finished[-1].status if finished else None,
            last_ended_at=next((at for run in finished[::-1] if (at := unless_ahead(run.finished_at, now))), None),
        )

    def needed(self, now: datetime) -> set[datetime]:
        """Return the starts of the runs that the state depends on."""
        state, runs = self.state(now), self.in_order
        last = (*runs[-1:], *[run for run in runs if run.is_finished][-1:])
        dated = [
            run
            for run in runs
            if run.is_finished and (run.finished_at == state.last_ended_at or run.succeeded_at == state.last_success_at)
        ]
        return {run.started_at for run in (*last, *dated)}

    def _with_deletion(self, event: RunEvent, now: datetime) -> History:
        if self.deletion is not None and event.at == self.deletion.at:
            return self  # A repeated event.
        return replace(self, deletion=Deletion(event.at or now, self.next_sequence))

    def _with_run(self, run: Run) -> History:
        """Insert the run at its sequence number; runs and a deletion with that or a higher number move up by one."""
        others = {
            start: replace(other, sequence=other.sequence + 1) if other.sequence >= run.sequence else other
            for start, other in self.runs.items()
            if start != run.started_at
        }
        deletion = self.deletion
        if deletion and deletion.sequence >= run.sequence:
            deletion = replace(deletion, sequence=deletion.sequence + 1)
        return History({**others, run.started_at: run}, deletion)

    def _sequence_of(self, reported: Run, now: datetime) -> int:
        """Return the place of a run that was reported with times: below everything that happened later."""
        known = self.runs.get(reported.started_at)
        is_over = known is not None and self._is_over(known)
        later = [
            run.sequence
            for start, run in self.runs.items()
            if start != reported.started_at and self._is_over(run) is is_over and run.happened_after(reported, now)
        ]
        if self.deletion is not None and is_over:
            later.append(self.deletion.sequence)
        return min(later, default=self.next_sequence)

    def _is_over(self, run: Run) -> bool:
        """Whether the run was known before the deletion."""
        return self.deletion is not None and run.sequence < self.deletion.sequence

    def _reported_run(self, event: RunEvent, now: datetime) -> Run:
        """Return the run as this event alone describes it."""
        started_at = event.started_at or self._start_for(event, now)
        known = self.runs.get(started_at)
        ended_at = event.finished_at or event.happened_at or now
        if not is_ahead(started_at, now):
            ended_at = max(started_at, ended_at)  # The start may come from another clock.
        return Run(
            started_at=started_at,
            is_start_reported=event.started_at is not None or (known is not None and known.is_start_reported),
            status=event.status,
            happened_at=event.happened_at,
            finished_at=ended_at if event.phase is Phase.FINISHED else None,
            run_id=event.run_id,
            **details_of(event),
        )

    def _start_for(self, event: RunEvent, now: datetime) -> datetime:
        """Return the start of the run that an event without a start belongs to, or of a new one."""
        since_deletion = [run for run in self.in_order if not self._is_over(run)]
        if event.run_id is not None:
            found = next((run for run in since_deletion if run.run_id == event.run_id), None)
            return found.started_at if found else self._free_start(event.happened_at or now)
        if event.happened_at is not None:
            return self._start_by_time(event, event.happened_at)
        newest = since_deletion[-1] if since_deletion else None
        if newest is not None and _ORDER[newest.phase] < _ORDER[event.phase]:
            return newest.started_at
        return self._free_start(now)

    def _start_by_time(self, event: RunEvent, at: datetime) -> datetime:
        """Return the start of an event's run, judging by its time: that of a known run, or `at` for a new one.

        The event belongs to the last run that had begun by then, if the event reports a later phase of that run or
        arrived late.
        """
        begun = [
            run
            for run in self.runs.values()
            # A run from before the deletion accepts only events that are repeated or late.
            if run.started_at <= at and (not self._is_over(run) or (run.happened_at and at <= run.happened_at))
        ]
        last = max(begun, key=lambda run: run.started_at, default=None)
        if last is None:
            return at
        place, known_place = _ORDER[event.phase], _ORDER[last.phase]
        came_late = at <= last.happened_at if last.happened_at else place < known_place and at <= last.last_moment
        return last.started_at if place > known_place or came_late else at

    def _free_start(self, at: datetime) -> datetime:
        while at in self.runs:
            at += _NEXT
        return at


def _last_success(finished: Sequence[Run], now: datetime) -> datetime | None:
    ends = [at for run in finished if (at := run.succeeded_at)]
    if not ends or is_ahead(ends[-1], now):
        return ends[-1] if ends else None
    return max(at for at in ends if not is_ahead(at, now))
