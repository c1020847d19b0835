"""A watcher on a real database, whose subjects and channels tests control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from badge.deadline import Deadline
from badge.listing import ListedSubject
from badge.model import BackupStatus, Report, Subject
from badge.notices import Message
from badge.subject_pattern import EVERY_SUBJECT
from badge.watching.changes import ChangeRules
from badge.watching.channels import NotDelivered
from badge.watching.delivery import Courier, Retries
from badge.watching.grouping import Rule
from badge.watching.store import Bounds, WatchStore
from badge.watching.watcher import Reporting, Subjects, Watcher
from tests.doubles import ManualClock, RecordedEvents

BOUNDS = Bounds(waiting=1_000, undelivered=10, feed=20)
RETRIES = Retries(timedelta(seconds=10), timedelta(hours=1))
RULES = ChangeRules(unknown_after=timedelta(minutes=10), flapping_changes=1_000)


@dataclass(frozen=True)
class Survey:
    """What one scan finds."""

    items: Sequence[ListedSubject] = ()
    is_whole: bool = True
    silent: Sequence[str] = ()
    read: Mapping[str, bool] | None = None
    listless: Sequence[str] = ()


@dataclass
class ScriptedChannel:
    """A channel that accepts everything, unless a test says otherwise."""

    name: str = "ops"
    accepted: list[Message] = field(default_factory=list)
    refuses: Callable[[Message], NotDelivered | None] = lambda _: None
    attempts: int = 0

    def send(self, message: Message, deadline: Deadline) -> None:
        self.attempts += 1
        if (refusal := self.refuses(message)) is not None:
            raise refusal
        self.accepted.append(message)

    @property
    def heard(self) -> list[str]:
        """What was accepted, as `kind name`, or `kind count` for many subjects."""
        return [
            f"{message.kind} {message.count if message.is_about_many else message.notices[0].subject.name}"
            for message in self.accepted
        ]


@dataclass
class Watching:
    """One watching process, without its threads."""

    store: WatchStore
    clock: ManualClock
    survey: Callable[[], Survey] = Survey
    source_of: Callable[[Subject], str | None] = lambda _: "scripted"
    channel: ScriptedChannel = field(default_factory=ScriptedChannel)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    bounds: Bounds = BOUNDS
    most: int = 1_000
    most_single: int = 10
    rules: ChangeRules = RULES

    def __post_init__(self) -> None:
        assert self.store.take(self.store.lease())
        self.watcher = Watcher(
            Subjects(self._survey, self._source_of),
            Reporting(
                rules=[Rule([self.channel.name], EVERY_SUBJECT)],
                channels=[self.channel.name],
                change_rules=self.rules,
                most_single=self.most_single,
                bounds=self.bounds,
                has_feed=True,
                link_to=lambda subject: f"https://badges.example.org/status/{subject.path}",
            ),
            self.store,
            self.clock,
            self.events,
            self.most,
        )
        self.watcher.load()
        self.courier = Courier(
            self.channel,
            self.store,
            RETRIES,
            timedelta(seconds=1),
            timedelta(days=3),
            self.clock,
            lambda: 1.0,
            self.events,
            lambda: True,
            monotonic=lambda: self.clock().timestamp(),
        )

    def _survey(self) -> Survey:
        return self.survey()

    def _source_of(self, subject: Subject) -> str | None:
        return self.source_of(subject)

    def restarted(self, **changes: Any) -> Watching:
        """Return a new watching process on the same database, with these fields changed."""
        return replace(self, store=replace(self.store, holder=f"{self.store.holder}+"), **changes)

    def sees(self, **statuses: BackupStatus) -> None:
        """Scan once, finding subjects with these names and statuses, and deliver the resulting messages."""
        self.survey = lambda: survey_of(self.clock, **statuses)
        self.watcher.full_scan()
        self.courier.deliver()

    def finds(self, *surveys: Survey) -> None:
        """Scan once for each survey, and then deliver the resulting messages."""
        for survey in surveys:
            self.survey = lambda: survey  # noqa: B023 - the latest one is meant
            self.watcher.full_scan()
        self.courier.deliver()


def named(name: str) -> Subject:
    return Subject("GitHub", "acme", "Repository", name)


def survey_of(clock: ManualClock, **statuses: BackupStatus) -> Survey:
    return Survey(
        [ListedSubject(named(name), Report(status=status, observed_at=clock())) for name, status in statuses.items()]
    )
