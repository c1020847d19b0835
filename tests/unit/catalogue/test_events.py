"""Which report wins: late, twice, out of order and contradicting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.catalogue.events import InvalidEvent, Run, RunEvent, merged, run_of, standing
from badge.model import BackupStatus, Reason, Subject
from tests.doubles import START

WEB = Subject.legacy("acme", "web")
S, F, R, Q, D = (
    BackupStatus.SUCCEEDED,
    BackupStatus.FAILED,
    BackupStatus.IN_PROGRESS,
    BackupStatus.SCHEDULED,
    BackupStatus.DELETED,
)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def told(status: BackupStatus, minutes: float, started: float | None = None, **more: Any) -> RunEvent:
    began = None if started is None else at(started)
    return RunEvent(subject=WEB, status=status, at=at(minutes), started_at=began, **more)


def state_after(*events: RunEvent) -> tuple[BackupStatus, list[Run]]:
    """The events taken in one after the other, as the store does it."""
    runs: dict[datetime, Run] = {}
    deleted_at: datetime | None = None
    for event in events:
        if event.status is D:
            deleted_at = max(filter(None, (deleted_at, event.at)))
            continue
        run = run_of(event, runs.values(), deleted_at)
        runs[run.started_at] = merged(runs.get(run.started_at), run)
    ordered = sorted(runs.values(), key=lambda run: run.started_at)
    return standing(ordered, deleted_at).status, ordered


CASES = [
    ("one run, told in order", [told(Q, 0, 0), told(R, 1, 0), told(S, 5, 0)], S),
    ("an older run's end comes late", [told(S, 9, 8), told(F, 10, 0)], S),
    ("a newer run begins while the older one ends", [told(R, 3, 3), told(F, 4, 0)], R),
    ("the start of a run comes after its end", [told(S, 5, 0), told(R, 6, 0)], S),
    ("a correction of a finished run", [told(S, 5, 0), told(F, 6, 0)], F),
    ("two accounts of one moment: the worse is believed", [told(S, 5, 0), told(F, 5, 0)], F),
    ("a queued run after a finished one", [told(S, 5, 0), told(Q, 6, 6)], Q),
    ("deleted after the last run", [told(S, 5, 0), told(D, 6)], D),
    ("a run that began before the deletion ends after it", [told(R, 1, 0), told(D, 3), told(S, 5, 0)], D),
    ("a run that began after the deletion", [told(D, 3), told(R, 5, 5)], R),
    ("nothing but a deletion", [told(D, 3)], D),
]


@pytest.mark.parametrize(("_", "events", "status"), CASES, ids=[case[0] for case in CASES])
def test_the_same_events_end_the_same_in_any_order(_: str, events: list[RunEvent], status: BackupStatus) -> None:
    assert {state_after(*order)[0] for order in permutations(events)} == {status}


EVENTS = st.builds(
    told,
    st.sampled_from([S, F, R, Q, D]),
    st.integers(30, 40),
    st.integers(0, 30),
)


@given(st.lists(EVENTS, max_size=7), st.randoms())
def test_order_and_repetition_never_matter(events: list[RunEvent], random: Any) -> None:
    again = [*events, *events]
    random.shuffle(again)
    assert state_after(*again) == state_after(*events)


def test_an_end_without_a_start_belongs_to_the_run_that_is_under_way() -> None:
    status, runs = state_after(told(R, 0), told(S, 5))
    assert (status, len(runs), runs[0].started_at) == (S, 1, at(0))


def test_a_start_without_a_time_belongs_to_the_queued_run() -> None:
    assert len(state_after(told(Q, 0), told(R, 1), told(F, 2))[1]) == 1


def test_reports_without_a_start_are_runs_of_their_own() -> None:
    assert len(state_after(told(S, 0), told(S, 60), told(F, 120))[1]) == 3


def test_a_newer_account_keeps_what_it_is_silent_about() -> None:
    _, runs = state_after(told(R, 0, 0, next_run_at=at(99)), told(S, 5, 0, size_bytes=7), told(S, 6, 0))
    assert (runs[0].size_bytes, runs[0].next_run_at) == (7, at(99))


def test_the_last_success_and_the_last_end_outlive_what_follows() -> None:
    _, runs = state_after(told(S, 5, 0), told(F, 15, 10), told(R, 20, 20))
    found = standing(runs, None)
    assert (found.status, found.last_success_at, found.last_finished) == (R, at(5), F)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"status": BackupStatus.UNKNOWN}, "unknown is no status"),
    ({"started_at": at(6)}, "start lies after"),
    ({"started_at": at(0), "finished_at": at(-1)}, "end lies before"),
    ({"status": R, "finished_at": at(0)}, "has an end"),
    ({"size_bytes": -1}, "size"),
    ({"size_bytes": 2**63}, "size"),
    ({"url": "http://plain.example/"}, "https"),
    ({"reason": Reason.STORAGE}, "only a failure"),
    ({"at": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001 - the fault under test
    ({"started_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "1970"),
    ({"next_run_at": datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-1)))}, "9999"),
    ({"at": datetime(1970, 1, 1, tzinfo=UTC)}, "1970"),
]


@pytest.mark.parametrize(("change", "words"), IMPOSSIBLE)
def test_what_can_not_have_happened_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidEvent, match=words):
        replace(told(S, 0), **change)


def test_all_reasons_are_told_at_once() -> None:
    with pytest.raises(InvalidEvent) as raised:
        told(R, 0, finished_at=at(0), size_bytes=-1, url="x")
    assert str(raised.value).count(";") == 2


def test_a_little_future_counts_as_now_and_more_is_refused() -> None:
    assert told(S, 4).received(START).at == START
    with pytest.raises(InvalidEvent, match="future"):
        told(S, 6).received(START)


def test_runs_with_names_are_paired_by_these_and_not_by_order() -> None:
    _, runs = state_after(
        told(R, 0, run_id="a"), told(R, 1, run_id="b"), told(F, 5, run_id="b"), told(S, 9, run_id="a")
    )
    assert [(run.run_id, run.status, run.started_at) for run in runs] == [("a", S, at(0)), ("b", F, at(1))]


def test_an_end_whose_start_is_not_known_is_a_run_of_its_own() -> None:
    status, runs = state_after(told(R, 0, run_id="a"), told(S, 5, run_id="b"))
    assert (status, [run.status for run in runs]) == (S, [R, S])


def test_an_end_without_a_name_ends_the_run_under_way() -> None:
    status, runs = state_after(told(R, 0, run_id="a"), told(S, 5))
    assert (status, len(runs), runs[0].run_id) == (S, 1, "a")


def test_a_named_run_from_before_the_deletion_is_over() -> None:
    status, runs = state_after(told(R, 0, run_id="a"), told(D, 3), told(S, 5, run_id="a"))
    assert (status, len(runs)) == (S, 2)
