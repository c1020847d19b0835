"""The latest verification is the same in whatever order events arrive, and only a later pass replaces a failure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.catalogue.events import InvalidEvent, ReportedVerification
from badge.catalogue.verifications import Verifications
from badge.model import VerificationMethod, VerificationOutcome
from tests.doubles import START

PASSED, FAILED = VerificationOutcome.PASSED, VerificationOutcome.FAILED
NOTHING = Verifications({})


@dataclass(frozen=True)
class Arrival:
    """An event, and the service's clock when it arrives."""

    event: ReportedVerification
    now: datetime


OUTCOMES = st.sampled_from(VerificationOutcome)
MINUTES = st.integers(0, 30).map(lambda minutes: START - timedelta(minutes=minutes))
TIMED = st.builds(ReportedVerification, OUTCOMES, MINUTES)
ANY = st.builds(ReportedVerification, OUTCOMES, st.none() | MINUTES)
ARRIVALS = st.builds(Arrival, ANY, st.integers(0, 60).map(lambda minutes: START + timedelta(minutes=minutes)))


def after(events: Sequence[ReportedVerification], now: datetime = START) -> Verifications:
    state = NOTHING
    for event in events:
        state = state.with_event(event, now)
    return state


def outcome_after(*events: ReportedVerification) -> VerificationOutcome | None:
    latest = after(events).latest
    return None if latest is None else latest.outcome


def at(outcome: VerificationOutcome, minutes_ago: float) -> ReportedVerification:
    return ReportedVerification(outcome, START - timedelta(minutes=minutes_ago))


def worst_of_newest(events: Sequence[ReportedVerification]) -> VerificationOutcome:
    newest = max(event.at for event in events if event.at)
    outcomes = {event.outcome for event in events if event.at == newest}
    return FAILED if FAILED in outcomes else PASSED


@given(st.lists(TIMED, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_events_with_times_give_the_same_result_in_any_order_and_if_repeated(
    events: list[ReportedVerification], shuffled: random.Random
) -> None:
    repeated = events + shuffled.choices(events, k=3)
    shuffled.shuffle(repeated)
    latest = after(repeated).latest
    assert latest is not None
    assert (latest.outcome, latest.at) == (worst_of_newest(events), max(event.at for event in events if event.at))


@given(st.lists(ANY, max_size=6), OUTCOMES)
def test_an_event_without_a_time_counts_when_it_arrives(
    events: list[ReportedVerification], outcome: VerificationOutcome
) -> None:
    assert outcome_after(*events, ReportedVerification(outcome)) is outcome


@given(st.lists(ARRIVALS, min_size=1, max_size=8))
def test_a_failure_ends_only_with_a_later_pass(arrivals: list[Arrival]) -> None:
    state = NOTHING
    for arrival in arrivals:
        before, state = state.latest, state.with_event(arrival.event, arrival.now)
        assert state.latest is not None
        if before is None or before.outcome is PASSED or state.latest.outcome is FAILED:
            continue
        event = arrival.event
        assert event.outcome is PASSED
        assert event.at is None or event.at > before.at or before.at > arrival.now + timedelta(minutes=5)


@given(st.lists(ANY, max_size=6), TIMED)
def test_a_repeated_event_changes_nothing(events: list[ReportedVerification], event: ReportedVerification) -> None:
    once = after([*events, event])
    assert once.with_event(event, START) == once


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([at(FAILED, 10), at(PASSED, 5)], PASSED),
        ([at(PASSED, 5), at(FAILED, 10)], PASSED),
        ([at(FAILED, 5), at(PASSED, 10)], FAILED),
        ([at(FAILED, 5), at(PASSED, 5)], FAILED),
        ([at(PASSED, 5), at(FAILED, 5)], FAILED),
        # A time of receipt never hides a failure.
        ([ReportedVerification(PASSED), at(FAILED, 60)], FAILED),
        # A retried failure does not come back after a pass.
        ([at(FAILED, 60), ReportedVerification(PASSED), at(FAILED, 60)], PASSED),
        ([ReportedVerification(FAILED), at(PASSED, 1)], FAILED),
        ([ReportedVerification(FAILED), at(PASSED, -1)], PASSED),
        # A retried pass does not hide a failure.
        ([at(PASSED, 2), ReportedVerification(FAILED), at(PASSED, 2)], FAILED),
    ],
)
def test_the_latest_verification_counts_but_a_doubtful_pass_hides_no_failure(
    events: list[ReportedVerification], outcome: VerificationOutcome
) -> None:
    assert outcome_after(*events) is outcome


def test_a_stored_time_ahead_of_now_counts_as_unknown() -> None:
    ahead = ReportedVerification(FAILED, START + timedelta(minutes=4))
    state = NOTHING.with_event(ahead, START).with_event(at(PASSED, 30), START - timedelta(minutes=10))
    assert state.latest is not None
    assert state.latest.outcome is PASSED


def test_the_method_belongs_to_its_verification() -> None:
    restored = ReportedVerification(PASSED, START - timedelta(days=1), VerificationMethod.RESTORED)
    assert after([restored]).columns["verified_how"] == "restored"
    assert after([restored, at(PASSED, 1)]).columns["verified_how"] is None


@pytest.mark.parametrize("moment", [START.replace(tzinfo=None), START.replace(year=1969)])
def test_an_impossible_time_is_refused(moment: datetime) -> None:
    with pytest.raises(InvalidEvent, match=r"time zone|after 1970"):
        ReportedVerification(PASSED, moment)


def test_a_time_in_the_future_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"^the verification's time is in the future\.$"):
        at(PASSED, -6).refuse_future(START)
