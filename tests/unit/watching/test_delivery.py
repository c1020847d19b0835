"""How long to wait between attempts."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from badge.watching.delivery import Retries


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_pauses_grow_up_to_a_limit(failures: int, jitter: float) -> None:
    retries = Retries(timedelta(seconds=10), timedelta(hours=1))
    pause = retries.pause(failures, jitter)
    whole = min(timedelta(seconds=10) * 2 ** min(failures - 1, 20), timedelta(hours=1))
    assert whole / 2 <= pause <= whole
    assert retries.pause(failures, jitter, timedelta(hours=2)) == timedelta(hours=2)
