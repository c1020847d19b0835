"""Run events and verification events: what reports and pings say about a subject's backups. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from badge.contract import LARGEST_SIZE, https_url, unless_never
from badge.model import (
    CLOCK_TOLERANCE,
    BackupStatus,
    Phase,
    Reason,
    Subject,
    Verification,
    Visibility,
    is_ahead,
)

PHASES = {
    BackupStatus.SCHEDULED: Phase.QUEUED,
    BackupStatus.IN_PROGRESS: Phase.RUNNING,
    BackupStatus.SUCCEEDED: Phase.FINISHED,
    BackupStatus.FAILED: Phase.FINISHED,
}


class InvalidEvent(ValueError):
    """The event is invalid; the message says why."""


@dataclass(frozen=True, slots=True)
class ReportedVerification(Verification):
    """The reported result of a restore test or check. Raises `InvalidEvent` if its time is invalid."""

    def __post_init__(self) -> None:
        if faults := _time_faults([self.at]):
            raise InvalidEvent("; ".join(faults) + ".")

    def refuse_future(self, now: datetime) -> None:
        """Raise `InvalidEvent` if its time is ahead of now by more than `CLOCK_TOLERANCE`."""
        if is_ahead(self.at, now):
            raise InvalidEvent("the verification's time is in the future.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """Optional facts about a run, stored with it; the newest run's are shown."""

    size_bytes: int | None = None
    next_run_at: datetime | None = None
    stale_after: datetime | None = None
    url: str | None = None
    reason: Reason | None = None


DETAILS = tuple(field.name for field in fields(RunDetails))


def details_of(run: RunDetails) -> dict[str, Any]:
    """Return the details by name."""
    return {name: getattr(run, name) for name in DETAILS}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(RunDetails):
    """A backup was queued, started or finished, or its subject was deleted. Raises `InvalidEvent`."""

    subject: Subject
    status: BackupStatus
    at: datetime | None = None
    """When it happened, if the reporter gave a time."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    visibility: Visibility | None = None
    enabled: bool | None = None
    run_id: str | None = None
    """The reporter's ID of the run, which pairs its start with its end."""
    verification: ReportedVerification | None = None
    """A verification that was reported along with the run."""

    def __post_init__(self) -> None:
        if faults := _faults(self):
            raise InvalidEvent("; ".join(faults) + ".")

    @property
    def phase(self) -> Phase:
        """The phase of the run after this event. A deletion has none."""
        return PHASES[self.status]

    @property
    def happened_at(self) -> datetime | None:
        """When it happened according to its reporter; None if the reported times don't say."""
        if self.at is not None:
            return self.at
        return self.finished_at if PHASES.get(self.status) is Phase.FINISHED else self.started_at

    @property
    def has_times(self) -> bool:
        """Whether its reporter gave any time; without one, the order of arrival decides."""
        return self.happened_at is not None or self.started_at is not None

    def refuse_future(self, now: datetime) -> None:
        """Raise `InvalidEvent` if any of its times is ahead of now by more than `CLOCK_TOLERANCE`."""
        if any(is_ahead(moment, now) for moment in (self.at, self.started_at, self.finished_at)):
            raise InvalidEvent("the event's time is in the future.")
        if self.verification is not None:
            self.verification.refuse_future(now)


@dataclass(frozen=True, slots=True)
class VerificationEvent:
    """A subject's backup was verified. Says nothing about a run."""

    subject: Subject
    verification: ReportedVerification
    visibility: Visibility | None = None


def _faults(event: RunEvent) -> list[str]:
    times = (event.at, event.started_at, event.finished_at, event.next_run_at, event.stale_after)
    if faults := _time_faults(times):
        return faults
    began, ended, size = event.started_at, event.finished_at, event.size_bytes
    is_finished = PHASES.get(event.status) is Phase.FINISHED
    rules = {
        "unknown is not a status that can be reported": event.status is BackupStatus.UNKNOWN,
        "the run's start is after the event": bool(event.at and began and began > event.at + CLOCK_TOLERANCE),
        "the run's end is before its start": began is not None and ended is not None and ended < began,
        "only a run that succeeded or failed has an end": ended is not None and not is_finished,
        "the size has to be at least 0 and less than 2^63": size is not None and not 0 <= size < LARGEST_SIZE,
        "the url has to be an https address": event.url is not None and https_url(event.url) is None,
        "only a failure has a reason": event.reason is not None and event.status is not BackupStatus.FAILED,
        "a deletion has no verification": event.verification is not None and event.status is BackupStatus.DELETED,
    }
    return [fault for fault, is_broken in rules.items() if is_broken]


def _time_faults(times: Sequence[datetime | None]) -> list[str]:
    if any(moment is not None and moment.tzinfo is None for moment in times):
        return ["all times need a time zone"]
    if any(moment is not None and unless_never(moment) is None for moment in times):
        return ["all times have to be after 1970-01-01T00:00:00Z and before 9999-12-31T00:00:00Z"]
    return []
