"""Which waiting messages may be sent, and how long to wait between attempts."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from badge.notices import Condition, Message, Notice, NoticeKind
from badge.watching.delivery import Retries, deliverable
from badge.watching.store import Waiting
from tests.doubles import START
from tests.watching import named

NOTICE = Notice(kind=NoticeKind.FAILED, subject=named("web"), before=None, after=Condition.FAILED)
MESSAGE = Message("id", START, NoticeKind.FAILED, [NOTICE])
STORM = ""


def waiting(*messages: tuple[str, bool]) -> list[Waiting]:
    """Return messages about these subjects, each with whether it still has to wait after a failure."""
    return [
        Waiting(number, "ops", digest, MESSAGE, START, 0, START + timedelta(seconds=is_held), None, None)
        for number, (digest, is_held) in enumerate(messages)
    ]


def sent(*messages: tuple[str, bool]) -> list[int]:
    return [each.id for each in deliverable(waiting(*messages), START)]


def test_a_held_message_holds_later_ones_about_its_subject_only() -> None:
    assert sent(("a", True), ("b", False), ("a", False)) == [1]


def test_a_message_about_many_waits_for_all_earlier_ones_and_all_later_ones_wait_for_it() -> None:
    assert sent(("a", False), (STORM, False), ("b", False)) == [0, 1, 2]
    assert sent(("a", True), (STORM, False), ("b", False)) == []
    assert sent((STORM, True), ("b", False)) == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", STORM]), st.booleans()), max_size=20))
def test_no_message_overtakes_one_that_it_may_be_about(messages: list[tuple[str, bool]]) -> None:
    yielded = set(sent(*messages))
    for later, (digest, is_held) in enumerate(messages):
        blockers = [
            number
            for number, (other, _) in enumerate(messages[:later])
            if number not in yielded and (other == digest or STORM in (other, digest))
        ]
        assert (later in yielded) == (not is_held and not blockers)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_pauses_grow_up_to_a_limit(failures: int, jitter: float) -> None:
    retries = Retries(timedelta(seconds=10), timedelta(hours=1))
    pause = retries.pause(failures, jitter)
    whole = min(timedelta(seconds=10) * 2 ** min(failures - 1, 20), timedelta(hours=1))
    assert whole / 2 <= pause <= whole
    assert retries.pause(failures, jitter, timedelta(hours=2)) == timedelta(hours=2)
