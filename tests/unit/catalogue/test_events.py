"""Which run events are possible, and what their times say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from badge.catalogue.events import InvalidEvent, RunEvent
from badge.model import BackupStatus, Reason, Subject
from tests.doubles import START

WEB = Subject.legacy("acme", "web")
S, R, Q = BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def event(status: BackupStatus, **more: Any) -> RunEvent:
    return RunEvent(subject=WEB, status=status, **more)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"status": BackupStatus.UNKNOWN}, "unknown is not a status"),
    ({"started_at": at(6)}, "start is after"),
    ({"started_at": at(0), "finished_at": at(-1)}, "end is before"),
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
def test_an_impossible_event_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidEvent, match=words):
        replace(event(S, at=at(0)), **change)


def test_all_reasons_are_given_at_once() -> None:
    with pytest.raises(InvalidEvent) as raised:
        event(R, finished_at=at(0), size_bytes=-1, url="x")
    assert str(raised.value).count(";") == 2


@pytest.mark.parametrize("time", ["at", "started_at", "finished_at"])
def test_a_time_further_ahead_than_clocks_may_be_apart_is_refused(time: str) -> None:
    event(S, **{time: at(5)}).refuse_future(START)
    with pytest.raises(InvalidEvent, match="future"):
        event(S, **{time: at(5.1)}).refuse_future(START)


HAPPENED: list[tuple[RunEvent, datetime | None]] = [
    (event(S), None),
    (event(S, at=at(9), finished_at=at(5)), at(9)),
    (event(S, started_at=at(0), finished_at=at(5)), at(5)),
    (event(S, started_at=at(0)), None),
    (event(R, started_at=at(0)), at(0)),
    (event(BackupStatus.DELETED), None),
]


@pytest.mark.parametrize(("one", "moment"), HAPPENED)
def test_when_an_event_happened_is_taken_from_its_times(one: RunEvent, moment: datetime | None) -> None:
    assert one.happened_at == moment


def test_an_event_with_at_least_one_time_has_times() -> None:
    assert [event(S).has_times, event(S, started_at=at(0)).has_times, event(Q, at=at(0)).has_times] == [
        False,
        True,
        True,
    ]
