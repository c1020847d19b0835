"""Small typed stand-ins for the ports, and a clock that only moves when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from badge.model import Event, Report, Subject
from badge.ports import Deadline

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class ManualClock:
    """A clock that only `advance` moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class ScriptedSource:
    """A source that answers with what `answer` makes: a report, or a raised SourceUnavailable."""

    answer: Callable[[Subject], Report]
    name: str = "scripted"
    folds: bool = False
    local: bool = False
    asked: list[tuple[Subject, Report | None]] = field(default_factory=list)

    def folds_case(self, subject: Subject) -> bool:
        return self.folds

    def is_local(self, subject: Subject) -> bool:
        return self.local

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        self.asked.append((subject, known))
        return self.answer(subject)


@dataclass
class RecordedEvents:
    """Keeps every event, in order."""

    seen: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.seen.append(event)
