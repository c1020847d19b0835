"""Looks for changes to subjects, and stores them together with the messages about them.

A full scan reads the list of all subjects. A quick scan reads only what has changed in the catalogue, which is cheap
enough to do every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from badge.catalogue.database import WRITER_PATIENCE_MILLISECONDS
from badge.events import MessagesGivenUp, SubjectsUnwatched
from badge.listing import ListedSubject, ListingFilter, NoList, StatusListing
from badge.model import CLOCK_TOLERANCE, PastRun, Subject
from badge.notices import Condition, Message, Notice
from badge.ports import Clock, Events, SourceUnavailable
from badge.watching.changes import (
    NO_RUN,
    ChangeRules,
    Observation,
    Watched,
    first_seen,
    is_as_before,
    next_state,
    with_runs,
)
from badge.watching.grouping import Rule, for_channel, for_feed, messages_of
from badge.watching.store import (
    ALL,
    BATCH,
    PUBLIC,
    Bounds,
    Noticed,
    Outgoing,
    WatchStore,
    batches,
    digest_of,
    new_message_id,
)


class Survey(Protocol):
    """All subjects that could be listed (`badge.sources.snapshot_listing.Walked`)."""

    @property
    def items(self) -> Iterable[ListedSubject]:
        """The subjects; may raise `SourceUnavailable`. The other properties are valid once these have been read."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether `items` includes every subject."""
        ...

    @property
    def silent(self) -> Sequence[str]:
        """Names of the sources that did not answer."""
        ...

    @property
    def listless(self) -> Sequence[str]:
        """Names of the sources that answered that they have no list."""
        ...

    @property
    def read(self) -> Mapping[str, bool] | None:
        """The sources that answered with a list, and whether each list was read to the end.

        None if there is only one source.
        """
        ...


@dataclass(slots=True)
class CatalogueSurvey:
    """The subjects of a listing, read page by page."""

    listing: StatusListing
    most: int
    is_whole: bool = False
    silent: Sequence[str] = ()
    listless: Sequence[str] = ()
    read: Mapping[str, bool] | None = None

    @property
    def items(self) -> Iterator[ListedSubject]:
        """The subjects, up to `most` of them."""
        cursor, left = None, self.most
        while left > 0:
            page = self.listing.list(ListingFilter(), cursor, min(BATCH, left))
            yield from page.items
            left -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                self.is_whole = True
                return


@dataclass(frozen=True, slots=True)
class Subjects:
    """How the watcher reads the subjects."""

    survey: Callable[[], Survey]
    """Raises `SourceUnavailable` and `NoList`."""
    source_of: Callable[[Subject], str | None]
    """Returns the name of the source that answers for a subject."""
    changed_since: Callable[[datetime], Iterable[ListedSubject]] | None = None
    """Returns the subjects that have changed in the catalogue; raises `SourceUnavailable`. None without a catalogue."""
    runs_of: Callable[[Sequence[Subject]], Mapping[Subject, Sequence[PastRun]]] = lambda _: {}
    """Returns the latest runs of subjects in the catalogue, newest first; raises `SourceUnavailable`."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """What is reported, and to whom."""

    rules: Sequence[Rule]
    channels: Sequence[str]
    change_rules: ChangeRules
    most_single: int
    """If one scan yields more notices of a kind than this, they become one message."""
    bounds: Bounds
    has_feed: bool
    link_to: Callable[[Subject], str | None]
    """Returns the URL of a public subject's status page, if there is one."""


OVERLAP = CLOCK_TOLERANCE + timedelta(milliseconds=WRITER_PATIENCE_MILLISECONDS)
"""How far a quick scan reaches back beyond the previous one.

The time of a change comes from the host that stores it, which reads its clock before it waits for other writers.
Reading a change again has no effect, and takes about 0.1 ms of CPU time for each subject.
"""

_Seen = tuple[str, Observation | None]
"""A subject's digest, and what was observed; None to forget the subject."""


@dataclass(slots=True)
class Watcher:
    """Compares what it sees with what it saw before. Used by one thread."""

    subjects: Subjects
    reporting: Reporting
    store: WatchStore
    clock: Clock
    events: Events
    most: int
    """Maximum number of subjects that are watched."""
    seen_until: datetime | None = field(default=None, init=False)
    """The time up to which changes in the catalogue have been seen."""
    _states: dict[str, Watched] = field(default_factory=dict)
    _is_primed: bool = False
    _primed_at: datetime = NO_RUN
    """When this process began to record the subjects, if none had done so before. Earlier runs are not reported."""
    _unprimed: AbstractSet[str] = frozenset()
    """Sources that no full scan could list so far. The subjects in their first list are recorded, not reported."""
    _missing: set[str] = field(default_factory=set)
    """Subjects missing from the last full scan. They count as deleted only if the next full scan lacks them too.

    A single scan may miss a subject that moves within the list while it is read.
    """

    def load(self) -> None:
        """Read what was last seen."""
        progress = self.store.progress()
        self._states, self._is_primed, self.seen_until = self.store.states(), progress.is_primed, progress.seen_until

    def full_scan(self) -> None:
        """Look for changes to all subjects; raises `LeaseLost` and SQLAlchemy's errors."""
        now = self.clock()
        if not self._is_primed:
            self._primed_at = now
        try:
            survey = self.subjects.survey()
            seen, changed = self._changed(survey, now)
        except (NoList, SourceUnavailable):
            self._note(
                [(digest, Observation(_subject(state), Condition.UNKNOWN)) for digest, state in self._states.items()]
            )
            return
        was_primed, absent = self._is_primed, {*survey.silent, *survey.listless}
        self._note([*changed, *self._unseen(survey, seen)], primes=True)
        self._unprimed = self._unprimed & absent if was_primed else absent
        self.seen_until = self.seen_until or now
        if not (survey.is_whole if survey.read is None else all(survey.read.values())):
            self.events.emit(SubjectsUnwatched(len(self._states)))

    def _changed(self, survey: Survey, now: datetime) -> tuple[AbstractSet[str], Sequence[_Seen]]:
        """Return the digests of all listed subjects, and the observations of those that may have changed.

        The other observations are not held in memory. During the very first scan, full batches are stored at once
        instead of being returned.
        """
        seen, changed, rules = set[str](), list[_Seen](), self.reporting.change_rules
        for item in survey.items:
            digest = digest_of(item.subject)
            observation, before = Observation.of(item, now), self._states.get(digest)
            if digest not in seen and not (before and is_as_before(before, observation, now, rules)):
                changed.append((digest, observation))
            seen.add(digest)
            if len(changed) >= BATCH and not self._is_primed:
                self._note(changed)
                changed = []
        return seen, changed

    def quick_scan(self) -> bool:
        """Read what has changed in the catalogue since the last scan; returns whether that could be read.

        Raises `LeaseLost` and SQLAlchemy's errors.
        """
        if self.subjects.changed_since is None or self.seen_until is None or not self._is_primed:
            return True
        now = self.clock()
        try:
            since = self.seen_until - OVERLAP
            items, runs_since = [*self.subjects.changed_since(since)], max(since, self._primed_at)
            for some in batches(items):
                runs = self.subjects.runs_of([item.subject for item in some])
                self._note([one for item in some for one in self._in_order(item, runs, runs_since, now)])
        except SourceUnavailable:
            return False  # The next full scan decides whether the subjects count as unknown.
        self.seen_until = now
        return True

    def _in_order(
        self, item: ListedSubject, runs: Mapping[Subject, Sequence[PastRun]], since: datetime, now: datetime
    ) -> Iterator[_Seen]:
        digest = digest_of(item.subject)
        seen = Observation.of(item, now)
        for observation in with_runs(self._states.get(digest), seen, runs.get(item.subject, ()), since):
            yield digest, observation

    def _unseen(self, survey: Survey, seen: AbstractSet[str]) -> Iterator[_Seen]:
        """Yield what to record for the known subjects that were not listed: an observation, or None to forget them.

        A subject counts as unknown if its source did not answer or said that it has no list (the proxy in front of a
        restarting source may answer 404, as a source without a list does). It counts as deleted once two complete lists
        in a row lack it. Until then, and while the list is incomplete, nothing is yielded for it. It is forgotten if no
        source that can be listed is responsible for it any more.
        """
        missing: set[str] = set()
        for digest, state in self._states.items():
            if digest in seen:
                continue
            subject = _subject(state)
            source = self.subjects.source_of(subject)
            if source in (*survey.silent, *survey.listless):
                yield digest, Observation(subject, Condition.UNKNOWN)
            elif source is None or (survey.read is not None and source not in survey.read):
                yield digest, None
            elif survey.is_whole if survey.read is None else survey.read[source]:
                missing.add(digest)
                if digest in self._missing:
                    yield digest, Observation(subject, Condition.DELETED)
        self._missing = missing

    def _note(self, seen: Sequence[_Seen], *, primes: bool = False) -> None:
        """Store what has changed, and only then remember it."""
        now, states, notices = self.clock(), dict[str, Watched | None](), list[Notice]()
        for digest, observation in self._admitted(seen):
            before = states[digest] if digest in states else self._states.get(digest)
            after, new = self._next(before, observation, now)
            if after != before:  # often equal while a subject is flapping, or has only just become unknown
                states[digest] = after
            notices += map(self._linked, new)
        is_first = primes and not self._is_primed
        if states or is_first:
            noticed = self._noticed(states, notices, now, primes=is_first)
            if given_up := self.store.save(noticed, now, self.reporting.bounds):
                self.events.emit(MessagesGivenUp(given_up))
        self._is_primed = self._is_primed or is_first
        self._states.update({digest: after for digest, after in states.items() if after is not None})
        for digest in [digest for digest, after in states.items() if after is None]:
            self._states.pop(digest, None)

    def _admitted(self, seen: Sequence[_Seen]) -> Sequence[_Seen]:
        """Return the observations of known subjects, and of as many new ones as there is room for."""
        new = [digest for digest, _ in seen if digest not in self._states]
        too_many = {*new[max(0, self.most - len(self._states)) :]}
        if not too_many:
            return seen
        self.events.emit(SubjectsUnwatched(self.most))
        return [one for one in seen if one[0] not in too_many]

    def _next(
        self, before: Watched | None, seen: Observation | None, now: datetime
    ) -> tuple[Watched | None, Sequence[Notice]]:
        rules = self.reporting.change_rules
        if seen is None:
            return None, ()
        if before is None and not (self._is_primed and self._is_source_primed(seen.subject)):
            return first_seen(seen, now, rules), ()
        after, notices = next_state(before, seen, now, rules)
        is_gone = seen.report is None and seen.condition is Condition.DELETED
        return None if is_gone else after, notices

    def _is_source_primed(self, subject: Subject) -> bool:
        return not self._unprimed or self.subjects.source_of(subject) not in self._unprimed

    def _linked(self, notice: Notice) -> Notice:
        return replace(notice, url=self.reporting.link_to(notice.subject)) if notice.is_public else notice

    def _noticed(
        self, states: Mapping[str, Watched | None], notices: Sequence[Notice], now: datetime, *, primes: bool
    ) -> Noticed:
        reporting = self.reporting

        def messages(some: Sequence[Notice]) -> Iterator[Message]:
            return messages_of(some, now, reporting.most_single, new_message_id)

        outgoing = [
            Outgoing(channel, message)
            for channel in reporting.channels
            for message in messages(for_channel(channel, reporting.rules, notices))
        ]
        feeds: dict[str, Sequence[Message]] = {}
        if reporting.has_feed:
            feeds = {
                audience: [*messages(for_feed(notices, is_public_only=audience == PUBLIC))]
                for audience in (PUBLIC, ALL)
            }
        return Noticed(states, outgoing, feeds, primes)


def _subject(state: Watched) -> Subject:
    return Subject.from_path(state.path)
