"""Refreshes: a stored answer in demand is replaced before it expires, by a flight that nobody requested."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from badge.events import AnswerCrashed
from tests.asgi import ask
from tests.edge import WEB, Behind, until

IN_THE_WINDOW = 0.41
"""Seconds after which a request triggers a refresh."""


async def body(behind: Behind, target: str = WEB) -> bytes:
    return (await ask(behind.edge, target)).body


async def landed(behind: Behind) -> None:
    behind.gate.set()
    await until(lambda: not behind.edge._flights)


def with_stored_answer(test: Callable[[Behind], Awaitable[None]], behind: Behind | None = None) -> Behind:
    """Run a test with an answer that was stored `IN_THE_WINDOW` seconds ago, and with the application waiting."""
    behind = behind or Behind()

    async def run() -> None:
        assert await body(behind) == b"1"
        behind.now += IN_THE_WINDOW
        behind.gate.clear()
        await test(behind)
        await landed(behind)

    asyncio.run(run())
    return behind


def test_an_answer_in_demand_is_refreshed_while_its_callers_get_the_stored_one() -> None:
    async def test(behind: Behind) -> None:
        assert [await body(behind) for _ in range(3)] == [b"1", b"1", b"1"]
        behind.now += 0.08
        assert await body(behind) == b"1"
        await landed(behind)
        behind.now += 0.45
        assert await body(behind) == b"2"

    behind = with_stored_answer(test)
    assert behind.passed_on == 3  # the last request triggered the next refresh
    assert (behind.counted_behind, behind.counted) == (1, {"CACHE": 5})


def test_an_answer_is_not_refreshed_before_the_window_or_without_demand() -> None:
    async def test(behind: Behind) -> None:
        behind.now -= 0.02
        assert await body(behind) == b"1"
        behind.now += 0.12
        behind.gate.set()
        assert await body(behind) == b"2"

    behind = with_stored_answer(test)
    assert (behind.passed_on, behind.counted_behind, behind.counted) == (2, 2, {"CACHE": 1})


def test_a_caller_that_joins_a_refresh_is_counted_once() -> None:
    async def test(behind: Behind) -> None:
        await body(behind)
        behind.now += 0.1
        joined = [asyncio.create_task(body(behind)) for _ in range(2)]
        await asyncio.sleep(0)
        behind.gate.set()
        assert await asyncio.gather(*joined) == [b"2", b"2"]

    behind = with_stored_answer(test)
    assert behind.passed_on == 2
    assert (behind.counted_behind, behind.counted) == (1, {"CACHE": 1, "FLIGHT": 2})


def test_a_refresh_that_takes_too_long_ends_and_leaves_the_stored_answer() -> None:
    async def test(behind: Behind) -> None:
        await body(behind)
        behind.now += 0.1
        async with asyncio.timeout(5):
            answer = await ask(behind.edge, WEB)  # joins the refresh
        assert (answer.body, answer.headers["Cache-Control"]) == (b"1", "max-age=119")
        behind.gate.set()
        await until(lambda: "badge.finished" in behind.seen[1])

    behind = with_stored_answer(test, Behind(answer_seconds=0.05))
    assert (behind.counted_behind, behind.counted) == (1, {"CACHE": 1, "OVERLOAD": 1})


def test_a_failed_refresh_is_logged_and_not_repeated() -> None:
    async def test(behind: Behind) -> None:
        behind.error = RuntimeError("broken")
        await body(behind)
        await landed(behind)
        assert await body(behind) == b"1"

    behind = with_stored_answer(test)
    assert [type(event) for event in behind.events] == [AnswerCrashed]
    assert (behind.passed_on, behind.counted) == (2, {"CACHE": 2})


def test_an_answer_that_may_not_be_stored_replaces_none() -> None:
    async def test(behind: Behind) -> None:
        behind.may_be_stored = False
        await body(behind)
        await landed(behind)
        assert await body(behind) == b"1"

    assert with_stored_answer(test).passed_on == 2


@pytest.mark.parametrize(("known_threads", "refreshes"), [(1, 0), (2, 0), (3, 1)])
def test_refreshes_leave_half_of_the_threads_to_callers(known_threads: int, refreshes: int) -> None:
    async def test(behind: Behind) -> None:
        behind.gate.set()
        await body(behind, "/badge/known")
        behind.now += 0.51
        behind.edge._cache.store(WEB.encode(), behind.finished(b"1"), behind.now - IN_THE_WINDOW)
        behind.gate.clear()
        occupied = asyncio.create_task(body(behind, "/badge/known"))
        await until(lambda: behind.passed_on == 3)
        assert await body(behind) == b"1"
        assert len(behind.edge._flights) == 1 + refreshes
        behind.gate.set()
        await occupied

    with_stored_answer(test, Behind(known_threads=known_threads))


def test_an_answer_is_not_refreshed_during_a_flight() -> None:
    async def test(behind: Behind) -> None:
        refused = asyncio.create_task(behind.edge.badge_messages("GET", WEB.encode()))  # does not use the cache
        await until(lambda: behind.passed_on == 2)
        assert await body(behind) == b"1"
        behind.gate.set()
        await refused

    assert with_stored_answer(test, Behind(known_threads=4)).passed_on == 2


def test_answers_for_a_token_are_not_refreshed() -> None:
    async def test(behind: Behind) -> None:
        behind.gate.set()
        for answer in (b"2", b"3"):
            assert await body(behind, f"{WEB}?token=x") == answer
            behind.now += IN_THE_WINDOW

    assert with_stored_answer(test).counted == {}
