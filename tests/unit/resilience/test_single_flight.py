"""Callers for one key share one flight, its result and its crash."""

import threading

import pytest

from badge.resilience.single_flight import SingleFlight


def test_the_second_caller_joins_the_first_one_s_flight() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    flight, is_new = flights.board("a")
    assert (is_new, flights.board("a")) == (True, (flight, False))
    assert flights.board("b")[1]


def test_all_waiting_callers_get_the_result() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    flight, _ = flights.board("a")
    results: list[int | None] = []
    waiting = [threading.Thread(target=lambda: results.append(flight.wait(5))) for _ in range(8)]
    for thread in waiting:
        thread.start()
    flight.land(7)
    for thread in waiting:
        thread.join()
    assert results == [7] * 8


def test_all_waiting_callers_get_the_exception() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    flight, _ = flights.board("a")
    flight.crash(ZeroDivisionError())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            flight.wait(0)


def test_a_caller_whose_wait_times_out_gets_nothing() -> None:
    flight, _ = SingleFlight[str, int]().board("a")
    assert flight.wait(0) is None


def test_after_a_flight_is_over_the_next_caller_starts_a_new_one() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    first, _ = flights.board("a")
    flights.over("a")
    second, is_new = flights.board("a")
    assert is_new
    assert second is not first
