"""Which changes to a subject are reported, and when. No I/O.

A subject has one condition at a time. A change of condition causes one notice, except that

- a new subject that is protected or deleted causes none;
- unknown counts only once it has lasted for a while, because sources and networks fail briefly;
- a subject that changes too often is reported once as flapping, and once more when it has settled.

Verifications are watched separately. There is a notice when one fails, when the latest becomes too old, and when one
passes after either of these. There is no flap detection for them, because verifications are rare.

`next_state` returns the new state together with the notices, so that both can be stored in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from badge.listing import ListedSubject, Standing, standing_of
from badge.model import BackupStatus, PastRun, Report, Subject, Visibility, unless_ahead
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


class Verdict(StrEnum):
    """The state of a subject's verifications, as far as notices depend on it."""

    FINE = "fine"
    """The latest one passed, and not too long ago; or there was none yet."""
    FAILED = "failed"
    TOO_OLD = "tooOld"


_KINDS_OF_VERDICTS = {
    Verdict.FINE: NoticeKind.VERIFIED,
    Verdict.FAILED: NoticeKind.VERIFICATION_FAILED,
    Verdict.TOO_OLD: NoticeKind.VERIFICATION_TOO_OLD,
}


_OUTCOMES = {BackupStatus.SUCCEEDED: Condition.PROTECTED, BackupStatus.FAILED: Condition.FAILED}

NO_RUN = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """When changes are reported."""

    unknown_after: timedelta = timedelta(hours=1)
    """How long a status has to be unknown before that counts as a change."""
    flapping_changes: int = 5
    """A subject with more changes than this within `flapping_within` is flapping."""
    flapping_within: timedelta = timedelta(hours=1)
    steady_after: timedelta = timedelta(hours=1)
    """A flapping subject without a change for this long has stopped flapping."""
    verified_within: timedelta | None = None
    """How old the latest passed verification may become; None for no limit."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the watcher saw of a subject in one scan."""

    subject: Subject
    condition: Condition
    report: Report | None = None
    """None if the subject is not listed: its source did not answer, or no longer has it."""
    overdue_since: datetime | None = None
    last_run: datetime | None = None
    """The start of the last finished run, if it is known; `NO_RUN` if there is none."""

    @classmethod
    def of(cls, item: ListedSubject, now: datetime) -> Observation:
        """Return the observation of a listed subject."""
        report, is_overdue = item.report, item.overdue_since is not None
        standing = standing_of(report.status, report.status_at(now), report.last_finished, is_overdue=is_overdue)
        return cls(item.subject, _CONDITIONS[standing], report, item.overdue_since)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of a subject."""

    path: str
    condition: Condition | None
    """The last condition that counted; None if there was none. Unknown counts only after `unknown_after`."""
    is_public: bool = True
    unknown_since: datetime | None = None
    """When its status became unknown, as long as that does not count yet."""
    changes: tuple[datetime, ...] = ()
    """Times of its latest changes of condition, oldest first.

    Only those within `flapping_within` of the newest are kept, and of these at most `flapping_changes` + 1.
    """
    is_flapping: bool = False
    verdict: Verdict = Verdict.FINE
    last_run: datetime | None = None
    """The start of the last finished run that was seen; `NO_RUN` if there was none, None if that isn't known."""


def with_runs(
    known: Watched | None, seen: Observation, runs: Sequence[PastRun], since: datetime
) -> Sequence[Observation]:
    """Return the observation, preceded by one for each run that ended and was superseded since the last scan.

    Without these, a failure that is followed by a success between two scans would never be reported. `runs` are the
    subject's latest runs, newest first. If it isn't known which run was seen last, those that ended at or after `since`
    are new; if it is known that there was none, all are. If the last known run isn't among them, it is unclear which
    ones are new, so only the observation itself is returned.
    """
    finished = [run for run in runs if run.status in _OUTCOMES]
    last = replace(seen, last_run=finished[0].started_at if finished else NO_RUN)
    if seen.report is None:
        return [last]
    starts = [run.started_at for run in finished]
    if known is None or known.last_run is None:
        new = [run for run in finished if (run.finished_at or run.started_at) >= since]
    elif known.last_run == NO_RUN:
        new = finished
    elif known.last_run in starts:
        new = finished[: starts.index(known.last_run)]
    else:
        return [last]
    return [*(_of_run(seen, seen.report, run) for run in reversed(new[1:])), last]


def _of_run(seen: Observation, report: Report, run: PastRun) -> Observation:
    then = replace(
        report,
        status=run.status,
        last_finished=run.status,
        started_at=run.started_at,
        finished_at=run.finished_at,
        last_success_at=None,
        reason=run.reason,
    )
    return Observation(seen.subject, _OUTCOMES[run.status], then, last_run=run.started_at)


def first_seen(seen: Observation, now: datetime, rules: ChangeRules) -> Watched:
    """Return the state of a subject found when watching began: whatever its condition is, it is not a change."""
    verdict = _verdict(Verdict.FINE, seen, now, rules)
    return Watched(seen.subject.path, seen.condition, _is_public(seen, None), verdict=verdict, last_run=seen.last_run)


def next_state(
    before: Watched | None, seen: Observation, now: datetime, rules: ChangeRules
) -> tuple[Watched, Sequence[Notice]]:
    """Return a subject's next state, and the notices, if there are any. `before` is None for a new subject."""
    known = before or Watched(seen.subject.path, None)
    if before is not None and is_as_before(before, seen, now, rules):
        return before, ()
    verdict = _verdict(known.verdict, seen, now, rules)
    known = replace(
        known,
        path=seen.subject.path,
        is_public=_is_public(seen, before),
        verdict=verdict,
        last_run=seen.last_run or known.last_run,
    )
    after, notice = _next_condition(known, seen, now, rules)
    notices = [notice] if notice else []
    if verdict is not (before.verdict if before else Verdict.FINE) and seen.condition is not Condition.DELETED:
        of_verdict = _notice(_KINDS_OF_VERDICTS[verdict], known, seen, now)
        notices.append(replace(of_verdict, before=seen.condition))
    return after, notices


def _verdict(before: Verdict, seen: Observation, now: datetime, rules: ChangeRules) -> Verdict:
    report = seen.report
    if report is None or (report.verification is None and seen.condition is Condition.UNKNOWN):
        return before  # nothing new is known
    if seen.condition is Condition.DELETED or report.verification is None:
        return Verdict.FINE
    if report.has_failed_verification:
        return Verdict.FAILED
    verified_at = report.verified_at(now)
    is_too_old = rules.verified_within is not None and verified_at and now - verified_at > rules.verified_within
    return Verdict.TOO_OLD if is_too_old else Verdict.FINE


def _next_condition(
    known: Watched, seen: Observation, now: datetime, rules: ChangeRules
) -> tuple[Watched, Notice | None]:
    if seen.condition is Condition.UNKNOWN and known.condition is not Condition.UNKNOWN:
        since = known.unknown_since or now
        if now - since < rules.unknown_after:
            return replace(known, unknown_since=since), None
    known = replace(known, unknown_since=None)
    if seen.condition is known.condition:
        return _settled(known, seen, now, rules)
    return _changed(known, seen, now, rules)


def is_as_before(before: Watched, seen: Observation, now: datetime, rules: ChangeRules) -> bool:
    """Whether nothing can change: true for nearly all subjects in each scan, so it has to be quick."""
    return (
        seen.condition is before.condition
        and not before.is_flapping
        and before.unknown_since is None
        and before.is_public is _is_public(seen, before)
        and before.path == seen.subject.path
        and seen.last_run in (None, before.last_run)
        and before.verdict is _verdict(before.verdict, seen, now, rules)
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
        verification=report.verification,
    )


def _is_public(seen: Observation, before: Watched | None) -> bool:
    """Whether a subject is public; one that is not listed stays as it was, and counts as private if that is unknown."""
    if seen.report is not None:
        return seen.report.is_public
    return before is not None and before.is_public
