"""All the notations in which backup systems write times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.sources.recipes.times import is_never, read_time

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = datetime(2026, 11, 23, 3, 4, 10, tzinfo=UTC)
SECONDS = 1795403050

SAME_MOMENT = {
    "RFC 3339": "2026-11-23T03:04:10Z",
    "with an offset": "2026-11-23T04:04:10+01:00",
    "with an offset without colon": "2026-11-23T04:04:10+0100",
    "small letters": "2026-11-23t03:04:10z",
    "with a space": "2026-11-23 03:04:10Z",
    "local, by the zone": "2026-11-23T04:04:10.000000",
    "local with a space, by the zone": "2026-11-23 04:04:10",
    "Duplicati's compact form": "20261123T030410Z",
    "compact and local": "20261123T040410",
    "digits alone, local": "20261123040410",
    "seconds": SECONDS,
    "seconds as a float": float(SECONDS),
    "seconds as text": str(SECONDS),
    "milliseconds": SECONDS * 1000,
    "milliseconds as text": f"{SECONDS}000",
    "microseconds": SECONDS * 1_000_000,
    "with an exponent": "1.79540305e+09",
}


@pytest.mark.parametrize("written", SAME_MOMENT.values(), ids=SAME_MOMENT.keys())
def test_one_time_is_read_in_many_notations(written: object) -> None:
    assert read_time(written, BERLIN) == MOMENT


def test_seven_digit_fractions_are_truncated() -> None:
    assert read_time("2026-11-23T03:04:10.7654321Z") == MOMENT.replace(microsecond=765432)


NONE: list[object] = [
    None,
    True,
    "",
    "-",
    "today",
    "2026-11-23",
    0,
    "0",
    -5,
    "0001-01-01T00:00:00Z",
    "0000-00-00 00:00:00",
]
NONE += [float("nan"), float("inf"), 1e300, "9" * 40, 10**400, {}, [], "2026-13-01T00:00:00Z", "1e99"]


@pytest.mark.parametrize("written", NONE)
def test_values_that_are_not_times_give_none(written: object) -> None:
    assert read_time(written, BERLIN) is None


NEVER: list[object] = [
    None,
    0,
    "",
    " ",
    "0",
    "-",
    "0000-00-00 00:00:00",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999",
]


@pytest.mark.parametrize("written", NEVER)
def test_zero_values_and_the_last_day_mean_never(written: object) -> None:
    assert is_never(written)
    assert read_time(written, BERLIN) is None


@pytest.mark.parametrize(
    "written", ["today", "2026-13-01T00:00:00Z", "2026-00-00 00:00:00", "00", -5, [], {}, *SAME_MOMENT.values()]
)
def test_an_unreadable_time_does_not_mean_never(written: object) -> None:
    assert not is_never(written)


def test_text_without_a_zone_is_a_time_only_if_a_zone_is_configured() -> None:
    assert read_time("2026-11-23 04:04:10") is None
    assert read_time("2026-07-01 12:00:00", BERLIN) == datetime(2026, 7, 1, 10, tzinfo=UTC)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_it_never_raises(value: object) -> None:
    moment = read_time(value, BERLIN)
    assert moment is None or moment.tzinfo is UTC
