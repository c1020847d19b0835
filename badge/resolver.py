"""Subject → Resolution: what is known of the last backup, how old that is, how long it holds.

The resolver never raises for what a source or the cache may do: failure is a value with an
`Origin`. A bug in a source is not caught here; the web layer answers it with an image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from badge.model import BackupStatus, Kept, Origin, Report, Resolution, SourceAnswered, SourceFailed, Subject
from badge.ports import Clock, Deadline, Events, SourceUnavailable, StatusCache, StatusSource, SubjectKey

# Clocks of different hosts: a difference up to this is no age (reference: upstreams, section 5).
CLOCK_TOLERANCE = timedelta(minutes=5)
SHORTEST_LIFETIME = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long an answer may be shown without asking again, and how old it may get at most."""

    finished: timedelta = timedelta(seconds=120)
    running: timedelta = timedelta(seconds=30)
    deleted: timedelta = timedelta(seconds=600)
    absent: timedelta = timedelta(seconds=60)
    failure: timedelta = timedelta(seconds=15)
    too_old: timedelta = timedelta(hours=24)

    def of(self, report: Report, now: datetime) -> timedelta:
        """The lifetime of what a source said just now.

        A private report lives as long as "no such subject", for which it stands in public, so
        that lifetimes don't tell the two apart. It ends where the picture would change by itself.
        """
        if not report.is_public:
            return self.absent
        ends = (moment - now for moment in (report.next_run_at, report.stale_after) if moment and moment > now)
        return max(SHORTEST_LIFETIME, min([self._of_status(report.status), *ends]))

    def _of_status(self, status: BackupStatus) -> timedelta:
        match status:
            case BackupStatus.SUCCEEDED | BackupStatus.FAILED:
                return self.finished
            case BackupStatus.IN_PROGRESS | BackupStatus.SCHEDULED:
                return self.running
            case BackupStatus.DELETED:
                return self.deleted
            case BackupStatus.UNKNOWN:
                return self.failure
            case _:
                assert_never(status)


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves subjects from one source through one cache."""

    source: StatusSource
    cache: StatusCache
    clock: Clock
    events: Events
    lifetimes: Lifetimes = Lifetimes()
    wait_seconds: float = 1.7
    """The longest that an answer waits for the source: the badge has to leave within 2 s."""

    def resolve(self, subject: Subject, *, may_see_private: bool = False) -> Resolution:
        """How the subject's last backup went, for a reader who may or may not see private ones."""
        key = self.key(subject)
        now = self.clock()
        kept = self.cache.get(key)
        if kept is not None and now < kept.fresh_until:
            return self._shown(kept, Origin.CACHE, now, may_see_private=may_see_private)
        # Fleet-wide single flight and the refresh in the background belong here.
        return self._asked(subject, key, kept, may_see_private=may_see_private)

    def key(self, subject: Subject) -> SubjectKey:
        """What the cache knows the subject by."""
        return subject.key(fold_case=self.source.folds_case(subject))

    def forget(self, subject: Subject) -> None:
        """Have the next caller ask the source: something has changed."""
        self.cache.forget(self.key(subject))

    def _asked(self, subject: Subject, key: SubjectKey, kept: Kept | None, *, may_see_private: bool) -> Resolution:
        began = self.cache.fetch_began(key)
        deadline = Deadline.after(self.wait_seconds)
        try:
            report = self.source.fetch(subject, kept.report if kept else None, deadline)
        except SourceUnavailable as unavailable:
            self.events.emit(SourceFailed(self.source.name, unavailable.kind))
            return self._without_source(kept, may_see_private=may_see_private)
        self.events.emit(SourceAnswered(self.source.name, self.wait_seconds - deadline.remaining))
        now = self.clock()
        fetched = Kept(
            report=report,
            fetched_at=began,
            confirmed_at=_confirmed_at(report, now),
            fresh_until=now + self.lifetimes.of(report, now),
        )
        self.cache.put(key, fetched)
        return self._shown(fetched, Origin.UPSTREAM, now, may_see_private=may_see_private)

    def _without_source(self, kept: Kept | None, *, may_see_private: bool) -> Resolution:
        """What is still good of what is kept, else "unknown".

        Whoever is not known to be public gets the answer of a subject never heard of: during an
        outage a private one must not stand out among those that don't exist.
        """
        now = self.clock()
        if kept is None or not (kept.report.is_public or (may_see_private and kept.report.exists)):
            return self._fallback(now)
        return self._shown(kept, Origin.STALE, now, may_see_private=may_see_private)

    def _shown(self, kept: Kept, origin: Origin, now: datetime, *, may_see_private: bool) -> Resolution:
        report, age = kept.report, max(timedelta(0), now - kept.confirmed_at)
        if not (report.exists and (report.is_public or may_see_private)):
            # Private ones are replaced before lifetimes, headers and pictures are made of them, and
            # those that don't exist are remade alike, so that not even an age tells them apart.
            report, age = Report.absent(now), timedelta(0)
        usable_for = self._usable_for(report, age, now)
        if usable_for <= timedelta(0):
            return self._fallback(now)
        fresh_for = self.lifetimes.failure if origin is Origin.STALE else kept.fresh_until - now
        return Resolution(
            report=replace(report, validator=None),
            origin=origin,
            age=age,
            fresh_for=min(fresh_for, usable_for),
            now=now,
            confirmed_at=now - age,
            usable_for=usable_for,
        )

    def _usable_for(self, report: Report, age: timedelta, now: datetime) -> timedelta:
        left = self.lifetimes.too_old - age
        return left if report.stale_after is None else min(left, report.stale_after - now)

    def _fallback(self, now: datetime) -> Resolution:
        return Resolution(
            report=Report(status=BackupStatus.UNKNOWN, observed_at=now, exists=False),
            origin=Origin.FALLBACK,
            age=timedelta(0),
            fresh_for=self.lifetimes.failure,
            now=now,
        )


def _confirmed_at(report: Report, now: datetime) -> datetime:
    """When the source stood behind this: now, unless it says itself that its knowledge is older."""
    return report.observed_at if report.observed_at < now - CLOCK_TOLERANCE else now
