"""Which changes are reported: each once, none lost, none invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.listing import ListedSubject
from badge.model import BackupStatus, PastRun, Reason, Report, Subject, Verification, VerificationOutcome, Visibility
from badge.notices import Condition, Notice, NoticeKind
from badge.watching.changes import NO_RUN, ChangeRules, Observation, Watched, first_seen, next_state, with_runs
from tests.doubles import START

C, K, S = Condition, NoticeKind, BackupStatus
WEB = Subject("GitHub", "acme", "Repository", "web")
MINUTE = timedelta(minutes=1)
NEVER_FLAPPING = ChangeRules(unknown_after=timedelta(minutes=10), flapping_changes=1_000)
RULES = ChangeRules(
    unknown_after=timedelta(minutes=10), flapping_changes=3, flapping_within=20 * MINUTE, steady_after=30 * MINUTE
)


@dataclass
class Watch:
    """One subject under watch."""

    rules: ChangeRules = NEVER_FLAPPING
    now: datetime = START
    state: Watched | None = None
    notices: list[Notice] = field(default_factory=list)

    def sees(self, condition: Condition, minutes: float = 1) -> None:
        """Scan once, and let some time pass."""
        self.observes(seen(condition))
        self.now += minutes * MINUTE

    def observes(self, observation: Observation) -> None:
        self.state, new = next_state(self.state, observation, self.now, self.rules)
        self.notices += new

    @property
    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.notices]


def seen(condition: Condition) -> Observation:
    return Observation(WEB, condition, Report(status=S.UNKNOWN, observed_at=START))


def watch(*conditions: Condition, rules: ChangeRules = NEVER_FLAPPING, minutes: float = 1) -> Watch:
    made = Watch(rules)
    for condition in conditions:
        made.sees(condition, minutes)
    return made


@pytest.mark.parametrize(
    ("conditions", "kinds"),
    [
        ([C.PROTECTED, C.FAILED, C.FAILED, C.PROTECTED], [K.FAILED, K.RECOVERED]),
        ([C.PROTECTED, C.OVERDUE, C.FAILED, C.PROTECTED], [K.OVERDUE, K.FAILED, K.RECOVERED]),
        ([C.FAILED], [K.FAILED]),  # a new subject
        ([C.PROTECTED, C.DELETED, C.DELETED], [K.DELETED]),
        ([C.DELETED], []),
        ([C.PROTECTED, C.PROTECTED], []),
        ([C.PROTECTED, C.UNKNOWN, C.PROTECTED], []),
        ([C.FAILED, C.UNKNOWN, C.FAILED], [K.FAILED]),
        ([C.PROTECTED, *[C.UNKNOWN] * 11, C.PROTECTED], [K.UNKNOWN, K.RECOVERED]),
        ([*[C.UNKNOWN] * 5, C.PROTECTED], []),  # queued, then succeeded for the first time
    ],
)
def test_each_change_is_reported_once(conditions: list[Condition], kinds: list[NoticeKind]) -> None:
    assert watch(*conditions).kinds == kinds


def test_the_condition_found_when_watching_began_is_not_reported() -> None:
    made = Watch(state=first_seen(seen(C.FAILED), START, RULES))
    made.sees(C.FAILED)
    made.sees(C.PROTECTED)
    assert made.kinds == [K.RECOVERED]


def test_a_subject_that_changes_too_often_is_reported_once_and_again_when_it_has_settled() -> None:
    made = watch(*[C.PROTECTED, C.FAILED] * 10, rules=RULES)
    assert made.kinds == [K.FAILED, K.RECOVERED, K.FAILED, K.FLAPPING]
    made.sees(C.FAILED, 28)
    assert len(made.kinds) == 4
    made.sees(C.FAILED, 2)
    made.sees(C.FAILED)
    assert made.kinds[4:] == [K.STEADY]
    assert made.notices[-1].after is C.FAILED
    made.sees(C.PROTECTED)
    assert made.kinds[5:] == [K.RECOVERED]


def test_a_deletion_is_reported_even_while_flapping() -> None:
    made = watch(*[C.PROTECTED, C.FAILED] * 5, C.DELETED, rules=RULES)
    assert made.kinds[-1] is K.DELETED
    assert made.state is not None
    assert not made.state.is_flapping


def test_slow_changes_are_not_flapping() -> None:
    assert K.FLAPPING not in watch(*[C.PROTECTED, C.FAILED] * 10, rules=RULES, minutes=8).kinds


CONDITIONS = st.lists(st.tuples(st.sampled_from(C), st.sampled_from([1, 5, 11, 40])), max_size=30)


@given(CONDITIONS)
def test_without_damping_notices_are_exactly_the_changes_of_condition(steps: list[tuple[Condition, int]]) -> None:
    rules = replace(NEVER_FLAPPING, unknown_after=timedelta(0))
    made = Watch(rules)
    for condition, minutes in steps:
        made.sees(condition, minutes)
    conditions = [condition for condition, _ in steps]
    changes = [
        (before, after)
        for before, after in zip([None, *conditions], conditions, strict=False)
        if before is not after and not (before is None and after in (C.PROTECTED, C.DELETED))
    ]
    assert [(notice.before, notice.after) for notice in made.notices] == changes


@given(CONDITIONS)
def test_the_notices_lead_to_the_condition_that_is_remembered(steps: list[tuple[Condition, int]]) -> None:
    """Except while flapping, each notice begins with the condition before it and ends with the one after it."""
    made = Watch(RULES)
    for condition, minutes in steps:
        told, was_flapping = len(made.notices), made.state is not None and made.state.is_flapping
        before = made.state.condition if made.state else None
        made.sees(condition, minutes)
        assert made.state is not None
        assert len(made.notices) - told <= 1
        is_quiet = before is None and made.state.condition in (None, C.PROTECTED, C.DELETED)
        if made.state.condition is not before and not was_flapping and not is_quiet:
            assert made.notices[-1].after is made.state.condition
            assert made.notices[-1].before is before
    assert len(made.state.changes) <= RULES.flapping_changes + 1 if made.state else True


@given(CONDITIONS)
def test_a_flapping_subject_always_settles(steps: list[tuple[Condition, int]]) -> None:
    made = Watch(RULES)
    for condition, minutes in [*steps, (C.FAILED, 31), (C.FAILED, 1), (C.FAILED, 1)]:
        made.sees(condition, minutes)
    assert made.state is not None
    assert not made.state.is_flapping
    assert made.kinds.count(K.FLAPPING) == made.kinds.count(K.STEADY) + _deleted_while_flapping(made.notices)


def _deleted_while_flapping(notices: Sequence[Notice]) -> int:
    flapping, count = False, 0
    for notice in notices:
        count += flapping and notice.kind is K.DELETED
        flapping = notice.kind is K.FLAPPING or (flapping and notice.kind not in (K.STEADY, K.DELETED))
    return count


def listed(report: Report, overdue_since: datetime | None = None) -> ListedSubject:
    return ListedSubject(WEB, report, overdue_since)


@pytest.mark.parametrize(
    ("report", "condition"),
    [
        (Report(status=S.SUCCEEDED, observed_at=START), C.PROTECTED),
        (Report(status=S.FAILED, observed_at=START), C.FAILED),
        (Report(status=S.IN_PROGRESS, observed_at=START, last_finished=S.FAILED), C.FAILED),
        (Report(status=S.IN_PROGRESS, observed_at=START, last_finished=S.SUCCEEDED), C.PROTECTED),
        (Report(status=S.SUCCEEDED, observed_at=START, stale_after=START), C.UNKNOWN),
        (Report(status=S.SCHEDULED, observed_at=START), C.UNKNOWN),
        (Report(status=S.DELETED, observed_at=START), C.DELETED),
    ],
)
def test_the_condition_matches_how_totals_count_the_subject(report: Report, condition: Condition) -> None:
    assert Observation.of(listed(report), START).condition is condition


def test_an_overdue_backup_is_not_one_that_failed() -> None:
    report = Report(status=S.FAILED, observed_at=START, finished_at=START, reason=Reason.STORAGE)
    observation = Observation.of(listed(report, START), START)
    _, [notice] = next_state(None, observation, START, RULES)
    assert (notice.kind, notice.overdue_since, notice.finished_at, notice.reason) == (K.OVERDUE, START, None, None)


def test_a_notice_has_the_facts_of_the_report() -> None:
    report = Report(
        status=S.FAILED,
        observed_at=START,
        started_at=START - MINUTE,
        finished_at=START,
        last_success_at=START + timedelta(days=1),  # by a clock that was wrong
        reason=Reason.STORAGE,
        visibility=Visibility.PRIVATE,
    )
    _, [notice] = next_state(Watched(WEB.path, C.PROTECTED), Observation.of(listed(report), START), START, RULES)
    assert (notice.started_at, notice.finished_at, notice.last_success_at) == (START - MINUTE, START, None)
    assert (notice.reason, notice.is_public) == (Reason.STORAGE, False)


def test_a_subject_that_is_no_longer_listed_stays_private() -> None:
    gone = Observation(WEB, C.DELETED)
    _, [notice] = next_state(Watched(WEB.path, C.PROTECTED, is_public=False), gone, START, RULES)
    assert not notice.is_public


PASSED, NOT_PASSED = VerificationOutcome.PASSED, VerificationOutcome.FAILED


def verified(outcome: VerificationOutcome | None, days_ago: float, status: BackupStatus = S.SUCCEEDED) -> Observation:
    verification = Verification(outcome, START - timedelta(days=days_ago)) if outcome else None
    report = Report(status=status, observed_at=START, verification=verification)
    return Observation.of(listed(report), START)


def test_verifications_are_reported_when_they_fail_become_too_old_and_pass_again() -> None:
    made = Watch(replace(RULES, verified_within=timedelta(days=90)))
    for observation in (
        verified(None, 0),  # never verified: there is nothing to become too old
        verified(PASSED, 1),
        verified(NOT_PASSED, 0),
        verified(NOT_PASSED, 0, S.FAILED),
        verified(PASSED, 0),
        verified(PASSED, 91),
        verified(PASSED, 91, S.UNKNOWN),
        verified(PASSED, 1),
    ):
        made.observes(observation)
    assert made.kinds == [
        K.VERIFICATION_FAILED,
        K.FAILED,
        K.RECOVERED,
        K.VERIFIED,
        K.VERIFICATION_TOO_OLD,
        K.VERIFIED,
    ]
    assert made.notices[0].verification == Verification(NOT_PASSED, START)


def test_a_verification_counts_while_the_status_is_unknown() -> None:
    made = Watch(RULES)
    for observation in (
        verified(NOT_PASSED, 1, S.UNKNOWN),
        verified(None, 0, S.UNKNOWN),  # for example, from a source that could not be read
        verified(NOT_PASSED, 1, S.UNKNOWN),
        verified(PASSED, 0, S.UNKNOWN),
    ):
        made.observes(observation)
    assert made.kinds == [K.VERIFICATION_FAILED, K.VERIFIED]


def test_without_a_limit_no_verification_becomes_too_old() -> None:
    made = Watch(RULES)
    made.observes(verified(PASSED, 5_000))
    assert made.kinds == []


def test_a_verification_that_had_failed_before_watching_began_is_not_reported() -> None:
    made = Watch(RULES, state=first_seen(verified(NOT_PASSED, 1), START, RULES))
    made.observes(verified(NOT_PASSED, 1))
    assert made.kinds == []
    made.observes(verified(PASSED, 0))
    assert made.kinds == [K.VERIFIED]


def runs(*statuses: BackupStatus) -> list[PastRun]:
    """Return runs, the newest first, a minute apart; the first of the statuses is the oldest run's."""
    begun = [(START + number * MINUTE, status) for number, status in enumerate(statuses)]
    return [PastRun(status, at, at, reason=Reason.STORAGE) for at, status in reversed(begun)]


@pytest.mark.parametrize(
    ("last_run", "since", "replayed"),
    [
        (START, START, [(C.FAILED, 1), (C.FAILED, 2)]),
        (START + 2 * MINUTE, START, []),
        (NO_RUN, START + timedelta(days=1), [(C.PROTECTED, 0), (C.FAILED, 1), (C.FAILED, 2)]),
        (None, START + 2 * MINUTE, [(C.FAILED, 2)]),  # no run is known: only those since the last scan are new
        (START - MINUTE, START, []),  # the last known run was deleted: nothing is known of the order
    ],
)
def test_superseded_runs_are_observed_before_the_latest_one_oldest_first(
    last_run: datetime | None, since: datetime, replayed: list[tuple[Condition, int]]
) -> None:
    latest = runs(S.SUCCEEDED, S.FAILED, S.FAILED, S.SUCCEEDED, S.IN_PROGRESS)
    known = Watched(WEB.path, C.PROTECTED, last_run=last_run)
    *earlier, last = with_runs(known, seen(C.PROTECTED), latest, since)
    assert last == replace(seen(C.PROTECTED), last_run=START + 3 * MINUTE)
    assert [(each.condition, each.last_run) for each in earlier] == [(c, START + n * MINUTE) for c, n in replayed]
    assert all(each.report and each.report.finished_at == each.last_run for each in earlier)
