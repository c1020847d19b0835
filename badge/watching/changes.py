"""Which changes of a subject are reported, and when. No I/O.

A subject has one condition at a time. A change of condition is one notice, except that

- unknown counts only once it has lasted for a while, because sources and networks fail briefly;
- a subject that changes too often is reported as flapping once, and again when it has settled.

Each function returns the new state together with the notice, so that both can be stored in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from badge.listing import ListedSubject, Standing, standing_of
from badge.model import Report, Subject, Visibility, unless_ahead
from badge.notices import Condition, Notice, NoticeKind

_CONDITIONS = {
    Standing.PROTECTED: Condition.PROTECTED,
    Standing.FAILED: Condition.FAILED,
    Standing.OVERDUE: Condition.OVERDUE,
    Standing.UNKNOWN: Condition.UNKNOWN,
    None: Condition.DELETED,
}

_KINDS = {
    Condition.PROTECTED: NoticeKind.RECOVERED,
    Condition.FAILED: NoticeKind.FAILED,
    Condition.OVERDUE: NoticeKind.OVERDUE,
    Condition.UNKNOWN: NoticeKind.UNKNOWN,
    Condition.DELETED: NoticeKind.DELETED,
}


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """When changes are reported."""

    unknown_after: timedelta = timedelta(hours=1)
    """How long a status has to be unknown."""
    flapping_changes: int = 5
    """More changes than this within `flapping_within` are flapping."""
    flapping_within: timedelta = timedelta(hours=1)
    steady_after: timedelta = timedelta(hours=1)
    """How long without a change until a subject has stopped flapping."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a look at a subject found."""

    subject: Subject
    condition: Condition
    report: Report | None = None
    """None if the subject is not listed: its source did not answer, or no longer has it."""
    overdue_since: datetime | None = None

    @classmethod
    def of(cls, item: ListedSubject, now: datetime) -> Observation:
        """Return what a row of a listing says."""
        report, is_overdue = item.report, item.overdue_since is not None
        standing = standing_of(report.status, report.status_at(now), report.last_finished, is_overdue=is_overdue)
        return cls(item.subject, _CONDITIONS[standing], report, item.overdue_since)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of a subject."""

    path: str
    condition: Condition | None
    """The last condition that was reported, or found at first; None if nothing definite is known yet."""
    is_public: bool = True
    unknown_since: datetime | None = None
    """Since when its status has been unknown, if that is not its condition yet."""
    changes: tuple[datetime, ...] = ()
    """When its condition changed within `flapping_within`, oldest first; at most `flapping_changes` and one more."""
    is_flapping: bool = False


def first_seen(seen: Observation) -> Watched:
    """Return the state of a subject found when watching began: whatever its condition is, it is not a change."""
    return Watched(seen.subject.path, seen.condition, _is_public(seen, None))


def next_state(
    before: Watched | None, seen: Observation, now: datetime, rules: ChangeRules
) -> tuple[Watched, Notice | None]:
    """Return a subject's next state, and the notice if there is one. `before` is None for a new subject."""
    if before is not None and _is_as_before(before, seen):
        return before, None
    known = before or Watched(seen.subject.path, None)
    known = replace(known, path=seen.subject.path, is_public=_is_public(seen, before))
    if seen.condition is Condition.UNKNOWN and known.condition is not Condition.UNKNOWN:
        since = known.unknown_since or now
        if now - since < rules.unknown_after:
            return replace(known, unknown_since=since), None
    known = replace(known, unknown_since=None)
    if seen.condition is known.condition:
        return _settled(known, seen, now, rules)
    return _changed(known, seen, now, rules)


def _is_as_before(before: Watched, seen: Observation) -> bool:
    """Whether nothing can change: true for nearly all subjects at each look, so it has to be quick."""
    return (
        seen.condition is before.condition
        and not before.is_flapping
        and before.unknown_since is None
        and before.is_public is _is_public(seen, before)
        and before.path == seen.subject.path
    )


def _settled(known: Watched, seen: Observation, now: datetime, rules: ChangeRules) -> tuple[Watched, Notice | None]:
    if not known.is_flapping or now - known.changes[-1] < rules.steady_after:
        return known, None
    return replace(known, is_flapping=False, changes=()), _notice(NoticeKind.STEADY, known, seen, now)


def _changed(known: Watched, seen: Observation, now: datetime, rules: ChangeRules) -> tuple[Watched, Notice | None]:
    changed = replace(known, condition=seen.condition)
    if known.condition is None and seen.condition in (Condition.PROTECTED, Condition.DELETED):
        return changed, None
    notice = _notice(_KINDS[seen.condition], known, seen, now)
    if seen.condition is Condition.DELETED:
        return replace(changed, changes=(), is_flapping=False), notice
    recent = [at for at in known.changes if now - at < rules.flapping_within]
    changed = replace(changed, changes=(*recent[-rules.flapping_changes :], now))
    if known.is_flapping:
        return changed, None
    if len(changed.changes) > rules.flapping_changes:
        return replace(changed, is_flapping=True), replace(notice, kind=NoticeKind.FLAPPING)
    return changed, notice


def _notice(kind: NoticeKind, known: Watched, seen: Observation, now: datetime) -> Notice:
    report = seen.report
    notice = Notice(
        kind=kind,
        subject=seen.subject,
        before=known.condition,
        after=seen.condition,
        visibility=Visibility.PUBLIC if known.is_public else Visibility.PRIVATE,
        overdue_since=seen.overdue_since,
    )
    if report is None:
        return notice
    return replace(
        notice,
        started_at=report.started_at,
        # If a backup is overdue, its report says that it failed at the moment when it became overdue.
        finished_at=None if seen.overdue_since else report.finished_at,
        last_success_at=unless_ahead(report.last_success_at, now),
        reason=report.reason if seen.condition is Condition.FAILED else None,
    )


def _is_public(seen: Observation, before: Watched | None) -> bool:
    """Whether a subject is public; one that is not listed stays as it was, and counts as private if that is unknown."""
    if seen.report is not None:
        return seen.report.is_public
    return before is not None and before.is_public
