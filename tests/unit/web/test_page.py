"""Times and durations as text on pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.web.page import enumerated, length, relative

SECONDS = {"s": 1, "min": 60, "h": 3_600, "day": 86_400, "days": 86_400}


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(0), "1 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=9, seconds=10), "9 min 10 s"),
        (timedelta(minutes=59, seconds=50), "1 h"),
        (timedelta(hours=2, minutes=56, seconds=40), "2 h 57 min"),
        (timedelta(hours=13, minutes=40), "14 h"),
        (timedelta(hours=47), "1 day 23 h"),
        (timedelta(days=9, hours=23, minutes=40), "10 days"),
    ],
)
def test_a_duration_has_one_or_two_units(duration: timedelta, words: str) -> None:
    assert length(duration) == words


@given(st.integers(1, 10**9))
def test_no_duration_is_off_by_more_than_a_twentieth(seconds: int) -> None:
    words = length(timedelta(seconds=seconds)).split()
    meant = sum(int(number) * SECONDS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(meant - seconds) <= seconds / 20


def test_a_run_of_a_few_minutes_does_not_seem_to_take_an_hour() -> None:
    assert [relative(timedelta(hours=-hours)) for hours in (3.01, 2.95)] == ["3 h 1 min ago", "2 h 57 min ago"]


def test_future_times_and_now_have_their_own_words() -> None:
    assert relative(timedelta(hours=20)) == "in 20 h"
    assert relative(timedelta(seconds=0.4)) == "just now"


def test_names_are_joined_as_a_list() -> None:
    assert [enumerated(["hc", "lab", "up"][:number]) for number in (1, 2, 3)] == ["hc", "hc and lab", "hc, lab and up"]
