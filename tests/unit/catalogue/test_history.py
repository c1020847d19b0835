"""Which run is the newest: events that are late, repeated, out of order, contradictory, or without times."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.catalogue.events import RunEvent
from badge.catalogue.history import History, Run
from badge.model import BackupStatus, Subject
from tests.doubles import START

WEB = Subject.legacy("acme", "web")
S, F, R, Q, D = (
    BackupStatus.SUCCEEDED,
    BackupStatus.FAILED,
    BackupStatus.IN_PROGRESS,
    BackupStatus.SCHEDULED,
    BackupStatus.DELETED,
)
NOW = START + timedelta(days=1)
IN_2099 = datetime(2099, 1, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def timed(status: BackupStatus, minutes: float, started: float | None = None, **more: Any) -> RunEvent:
    """Return an event with reported times."""
    began = None if started is None else at(started)
    return RunEvent(subject=WEB, status=status, at=at(minutes), started_at=began, **more)


def untimed(status: BackupStatus, **more: Any) -> RunEvent:
    return RunEvent(subject=WEB, status=status, **more)


def history_of(*events: RunEvent) -> History:
    """Return the history after these events, all received much later."""
    return received(*((event, NOW) for event in events))


def received(*events: tuple[RunEvent, datetime]) -> History:
    """Return the history after events, each with the time of receipt by its host's clock."""
    history = History()
    for event, now in events:
        history, _ = history.with_event(event, now)
    return history


def status_of(history: History) -> BackupStatus:
    return history.state(NOW).status


def shown(*events: tuple[RunEvent, datetime]) -> BackupStatus:
    return status_of(received(*events))


def runs_of(*events: RunEvent) -> list[Run]:
    return sorted(history_of(*events).runs.values(), key=lambda run: run.started_at)


CASES = [
    ("one run, in order", [timed(Q, 0, 0), timed(R, 1, 0), timed(S, 5, 0)], S),
    ("an older run's end arrives late", [timed(S, 9, 8), timed(F, 10, 0)], S),
    ("a newer run begins while the older one ends", [timed(R, 3, 3), timed(F, 4, 0)], R),
    ("the start of a run arrives after its end", [timed(S, 5, 0), timed(R, 6, 0)], S),
    ("a correction of a finished run", [timed(S, 5, 0), timed(F, 6, 0)], F),
    ("of two reports with the same time, the worse one is believed", [timed(S, 5, 0), timed(F, 5, 0)], F),
    ("reports of the start do not compete with those of the end", [timed(R, 9, 0), timed(S, 5, 0), timed(F, 5, 0)], F),
    ("a queued run after a finished one", [timed(S, 5, 0), timed(Q, 6, 6)], Q),
]


@pytest.mark.parametrize(("_", "events", "status"), CASES, ids=[case[0] for case in CASES])
def test_events_with_times_have_the_same_result_in_any_order(
    _: str, events: list[RunEvent], status: BackupStatus
) -> None:
    assert {status_of(history_of(*order)) for order in permutations(events)} == {status}


EVENTS = st.builds(timed, st.sampled_from([S, F, R, Q]), st.integers(30, 40), st.integers(0, 30))


@given(st.lists(EVENTS, max_size=7), st.randoms())
def test_order_and_repetition_of_events_with_times_never_matter(events: list[RunEvent], random: Any) -> None:
    again = [*events, *events]
    random.shuffle(again)
    first, second = history_of(*again), history_of(*events)
    assert [run.started_at for run in first.in_order] == [run.started_at for run in second.in_order]
    assert first.state(NOW).status is second.state(NOW).status


def test_an_end_without_a_start_belongs_to_the_run_that_is_under_way() -> None:
    (run,) = runs_of(timed(R, 0), timed(S, 5))
    assert (run.status, run.started_at) == (S, at(0))


def test_a_start_without_a_time_belongs_to_the_queued_run() -> None:
    assert len(runs_of(timed(Q, 0), timed(R, 1), timed(F, 2))) == 1


def test_reports_without_a_start_are_separate_runs() -> None:
    assert len(runs_of(timed(S, 0), timed(S, 60), timed(F, 120))) == 3
    assert len(runs_of(untimed(S), untimed(S), untimed(F))) == 3


def test_a_later_report_keeps_the_details_that_it_omits() -> None:
    (run,) = runs_of(timed(R, 0, 0, next_run_at=at(99)), timed(S, 5, 0, size_bytes=7), timed(S, 6, 0))
    assert (run.size_bytes, run.next_run_at) == (7, at(99))


def test_the_last_success_and_the_last_end_are_remembered_during_later_runs() -> None:
    found = history_of(timed(S, 5, 0), timed(F, 15, 10), timed(R, 20, 20)).state(NOW)
    assert (found.status, found.last_success_at, found.last_finished) == (R, at(5), F)


# --- run IDs ---


def test_starts_and_ends_are_paired_by_their_run_ids() -> None:
    events = timed(R, 0, run_id="a"), timed(R, 1, run_id="b"), timed(F, 5, run_id="b"), timed(S, 9, run_id="a")
    assert [(run.run_id, run.status, run.started_at) for run in runs_of(*events)] == [("a", S, at(0)), ("b", F, at(1))]


def test_an_end_whose_start_is_not_known_is_a_separate_run() -> None:
    assert [run.status for run in runs_of(timed(R, 0, run_id="a"), timed(S, 5, run_id="b"))] == [R, S]


def test_an_end_without_an_id_ends_the_run_under_way() -> None:
    (run,) = runs_of(timed(R, 0, run_id="a"), timed(S, 5))
    assert (run.status, run.run_id) == (S, "a")


# --- without times: the order of arrival ---


def test_events_without_times_count_in_the_order_of_their_arrival_whatever_the_clocks_say() -> None:
    for behind in (timedelta(seconds=90), timedelta(hours=1), timedelta(days=9)):
        assert shown((untimed(S), NOW), (untimed(F), NOW - behind)) is F
        assert shown((untimed(R, run_id="a"), NOW), (untimed(F, run_id="a"), NOW - behind)) is F
        assert shown((untimed(R), NOW), (untimed(S), NOW - behind)) is S


def test_a_run_never_ends_before_it_starts() -> None:
    (run,) = received((untimed(R), at(2)), (untimed(S), at(0))).runs.values()
    assert (run.started_at, run.finished_at) == (at(2), at(2))


def test_an_untimed_failure_is_newer_than_any_end_reported_for_another_run() -> None:
    # The clock of the host that received it is behind, and the success seems to come from the future.
    assert shown((untimed(R), at(0)), (timed(S, 60, 50), at(60)), (untimed(F), at(-30))) is F


def test_two_events_at_the_same_moment_are_two_runs() -> None:
    history = received((untimed(F), at(0)), (untimed(S), at(0)), (untimed(S), at(0)))
    assert [run.status for run in history.in_order] == [F, S, S]


def test_the_last_event_of_overlapping_runs_is_shown() -> None:
    a, b = {"run_id": "a"}, {"run_id": "b"}
    assert status_of(history_of(untimed(R, **a), untimed(S, **b))) is S
    assert status_of(history_of(untimed(R, **a), untimed(R, **b), untimed(F, **a))) is F
    assert status_of(history_of(untimed(R, **a), untimed(R, **b), untimed(F, **a), untimed(S, **b))) is S


def test_a_start_that_arrives_after_the_end_of_its_run_changes_nothing() -> None:
    assert status_of(history_of(untimed(F, run_id="a"), untimed(R, run_id="a"))) is F


# --- some with times, some without ---


def test_a_report_without_a_time_is_newer_than_any_run_with_times() -> None:
    assert shown((timed(S, 0, 0), at(0)), (untimed(F), at(-90))) is F


def test_a_late_report_is_placed_below_runs_received_after_it_ended() -> None:
    assert shown((untimed(F), at(60)), (timed(S, 54, 50), at(61))) is F


def test_a_run_counts_as_older_only_if_it_ended_earlier_by_more_than_clocks_may_differ() -> None:
    # The clock of the host that received the failure may be five minutes ahead.
    assert shown((untimed(F), at(60)), (timed(S, 55, 50), at(61))) is S
    assert shown((untimed(F), at(60)), (timed(S, 54.9, 50), at(61))) is F


def test_a_time_of_receipt_never_places_a_failure_below_a_success() -> None:
    # The clock of the host that receives both is an hour ahead.
    for began in (None, 1):
        assert shown((untimed(S), at(60)), (timed(F, 5, began), at(65))) is F


def test_an_end_without_a_start_is_not_compared_with_starts() -> None:
    ended, failed = timed(S, 60), timed(F, 65, 59.5)
    assert {status_of(history_of(*order)) for order in permutations([ended, failed])} == {F}


def test_ends_without_starts_are_in_the_order_of_their_times() -> None:
    assert {status_of(history_of(*order)) for order in permutations([timed(S, 0), timed(F, 3), timed(S, 4)])} == {S}


def test_the_end_of_a_long_run_is_newer_than_what_was_received_before_it() -> None:
    assert shown((timed(R, 0, 0), at(0)), (untimed(S), at(60)), (timed(F, 90, 0), at(90))) is F


def test_a_correction_without_a_time_is_believed_and_a_repetition_of_the_first_report_is_not() -> None:
    history = history_of(timed(S, 5, 0), untimed(F, started_at=at(0)), timed(S, 5, 0))
    assert (status_of(history), len(history.runs)) == (F, 1)


def test_a_repeated_report_with_only_a_start_keeps_the_first_end() -> None:
    event = untimed(S, started_at=at(0))
    first, again = received((event, at(5))), received((event, at(5)), (event, at(60)))
    assert first.state(NOW).last_ended_at == again.state(NOW).last_ended_at == at(5)


# --- deletion ---


def test_a_deletion_counts_when_it_arrives() -> None:
    assert shown((timed(S, 5, 0), at(5)), (untimed(D), at(-60))) is D
    assert status_of(history_of(timed(S, 5, 0), timed(D, 3))) is D


def test_a_run_that_began_before_the_deletion_is_over() -> None:
    assert status_of(history_of(timed(R, 1, 0), timed(D, 3), timed(S, 5, 0))) is D


def test_a_run_that_began_after_the_deletion_brings_the_subject_back() -> None:
    assert status_of(history_of(timed(D, 3), timed(R, 5, 5))) is R
    for minutes in (2, -60):
        assert shown((untimed(D), at(3)), (untimed(R), at(minutes))) is R


def test_an_end_after_the_deletion_begins_a_new_run() -> None:
    for run_id in (None, "a"):
        history = history_of(timed(R, 0, run_id=run_id), timed(D, 3), timed(S, 5, run_id=run_id))
        assert (status_of(history), len(history.runs)) == (S, 2)
        history = history_of(untimed(R, run_id=run_id), untimed(D), untimed(S, run_id=run_id))
        assert (status_of(history), len(history.runs)) == (S, 2)


@pytest.mark.parametrize("minutes_ahead", [4, 20, 60])
@pytest.mark.parametrize("started", [None, 1])
def test_a_failure_after_the_deletion_is_shown_although_the_deletion_s_time_is_later(
    minutes_ahead: float, started: float | None
) -> None:
    for received_at in (5, 5 + minutes_ahead):
        deletion = untimed(D), at(minutes_ahead)
        assert shown((timed(R, -9, -9), at(-9)), deletion, (timed(F, 5, started), at(received_at))) is F
        # Its start had arrived before, through the host whose clock is ahead.
        begun = timed(R, 1, started), at(1 + minutes_ahead)
        assert shown(deletion, begun, (timed(F, 5, started), at(received_at))) is F


def test_a_report_repeated_after_the_deletion_leaves_the_subject_deleted() -> None:
    for started in (None, 0):
        events = timed(R, 0, started), timed(S, 5, started)
        assert status_of(history_of(*events, timed(D, 8), *events)) is D


def test_a_later_deletion_counts_although_the_previous_one_is_dated_later() -> None:
    assert shown((untimed(D), at(60)), (timed(S, 5, 0), at(5)), (timed(D, 58), at(58))) is D


def test_a_repeated_deletion_does_not_delete_a_subject_that_has_returned() -> None:
    assert status_of(history_of(timed(D, 3), timed(S, 9, 5), timed(D, 3))) is S


def test_a_late_report_of_a_run_that_is_over_stays_below_the_deletion_and_the_others_keep_their_order() -> None:
    history = history_of(timed(R, 0, 0), timed(R, 2, 2), timed(D, 9), timed(F, 20, 15), timed(S, 5, 0), timed(S, 6, 4))
    assert [run.started_at for run in history.in_order] == [at(0), at(2), at(4), at(15)]
    assert history.deletion is not None
    assert [run.sequence < history.deletion.sequence for run in history.in_order] == [True, True, False, False]
    assert len({run.sequence for run in history.in_order} | {history.deletion.sequence}) == 5


# --- times ahead of now ---


@pytest.mark.parametrize("first", [untimed(S), untimed(D), untimed(S, started_at=IN_2099)])
def test_an_event_dated_2099_does_not_outrank_later_ones(first: RunEvent) -> None:
    for event in (untimed(F), timed(F, 5, 0), untimed(F, started_at=at(0)), timed(F, 5)):
        assert shown((first, IN_2099), (event, at(6))) is F


def test_a_deletion_is_not_mistaken_for_a_repetition_of_one_dated_2099() -> None:
    assert shown((untimed(D), IN_2099), (untimed(S), at(0)), (timed(D, 5), at(6))) is D


def test_a_last_success_dated_2099_is_undated_until_there_is_another() -> None:
    known, ahead, later = (timed(S, 5, 0), at(5)), (untimed(S), IN_2099), (timed(S, 20, 15), at(20))
    assert received(known, ahead).state(NOW).last_success_at == IN_2099
    assert received(known, ahead).state(NOW).last_ended_at == at(5)
    assert received(known, ahead, later).state(NOW).last_success_at == at(20)
    assert received(known, ahead).is_ahead(NOW)
    assert not received(known, later).is_ahead(NOW)


def test_a_run_whose_start_is_dated_2099_ends_when_its_end_is_received() -> None:
    (run,) = received((untimed(R), IN_2099), (untimed(S), at(5))).runs.values()
    assert (run.status, run.finished_at) == (S, at(5))


# --- what pruning must keep ---


def test_the_runs_that_the_state_depends_on_are_needed() -> None:
    history = received(
        (untimed(S), IN_2099),
        (timed(S, 5, 0), at(5)),
        (timed(S, 500, 400), at(500)),
        (timed(S, 420, 410), at(501)),
        (timed(F, 600, 590), at(600)),
        (timed(F, 700, 690), at(700)),
        (timed(R, 710, 710), at(710)),
    )
    assert history.needed(NOW) == {at(400), at(690), at(710)}
