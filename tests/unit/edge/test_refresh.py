"""Refreshes: a stored answer in demand is replaced before it expires, by a flight of the edge's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from badge.events import AnswerCrashed
from tests.asgi import ask
from tests.edge import WEB, EdgeRig, until

IN_THE_WINDOW = 0.41
"""Seconds after which a request for a stored answer triggers a refresh."""


async def body(rig: EdgeRig, target: str = WEB) -> bytes:
    return (await ask(rig.edge, target)).body


async def landed(rig: EdgeRig) -> None:
    rig.gate.set()
    await until(lambda: not rig.edge._flights)


def with_stored_answer(test: Callable[[EdgeRig], Awaitable[None]], rig: EdgeRig | None = None) -> EdgeRig:
    """Run a test with an answer that was stored `IN_THE_WINDOW` seconds ago, and with the application waiting."""
    rig = rig or EdgeRig()

    async def run() -> None:
        assert await body(rig) == b"1"
        rig.now += IN_THE_WINDOW
        rig.gate.clear()
        await test(rig)
        await landed(rig)

    asyncio.run(run())
    return rig


def test_an_answer_in_demand_is_refreshed_while_its_callers_get_the_stored_one() -> None:
    async def test(rig: EdgeRig) -> None:
        assert [await body(rig) for _ in range(3)] == [b"1", b"1", b"1"]
        rig.now += 0.08
        assert await body(rig) == b"1"
        await landed(rig)
        rig.now += 0.45
        assert await body(rig) == b"2"

    rig = with_stored_answer(test)
    assert rig.passed_on == 3  # the last request triggered the next refresh
    assert (rig.counted_by_application, rig.counted) == (1, {"CACHE": 5})


def test_an_answer_is_not_refreshed_before_the_window_or_without_demand() -> None:
    async def test(rig: EdgeRig) -> None:
        rig.now -= 0.02
        assert await body(rig) == b"1"
        rig.now += 0.12
        rig.gate.set()
        assert await body(rig) == b"2"

    rig = with_stored_answer(test)
    assert (rig.passed_on, rig.counted_by_application, rig.counted) == (2, 2, {"CACHE": 1})


def test_a_caller_that_joins_a_refresh_is_counted_once() -> None:
    async def test(rig: EdgeRig) -> None:
        await body(rig)
        rig.now += 0.1
        joined = [asyncio.create_task(body(rig)) for _ in range(2)]
        await asyncio.sleep(0)
        rig.gate.set()
        assert await asyncio.gather(*joined) == [b"2", b"2"]

    rig = with_stored_answer(test)
    assert rig.passed_on == 2
    assert (rig.counted_by_application, rig.counted) == (1, {"CACHE": 1, "FLIGHT": 2})


def test_a_refresh_that_takes_too_long_ends_and_leaves_the_stored_answer() -> None:
    async def test(rig: EdgeRig) -> None:
        await body(rig)
        rig.now += 0.1
        async with asyncio.timeout(5):
            answer = await ask(rig.edge, WEB)  # joins the refresh
        assert (answer.body, answer.headers["Cache-Control"]) == (b"1", "max-age=119")
        rig.gate.set()
        await until(lambda: "badge.finished" in rig.seen[1])

    rig = with_stored_answer(test, EdgeRig(answer_seconds=0.05))
    assert (rig.counted_by_application, rig.counted) == (1, {"CACHE": 1, "OVERLOAD": 1})


def test_a_failed_refresh_is_logged_and_not_repeated() -> None:
    async def test(rig: EdgeRig) -> None:
        rig.error = RuntimeError("broken")
        await body(rig)
        await landed(rig)
        assert await body(rig) == b"1"

    rig = with_stored_answer(test)
    assert [type(event) for event in rig.events] == [AnswerCrashed]
    assert (rig.passed_on, rig.counted) == (2, {"CACHE": 2})


def test_an_answer_that_may_not_be_stored_replaces_none() -> None:
    async def test(rig: EdgeRig) -> None:
        rig.may_be_stored = False
        await body(rig)
        await landed(rig)
        assert await body(rig) == b"1"

    assert with_stored_answer(test).passed_on == 2


@pytest.mark.parametrize(("known_threads", "refreshes"), [(1, 0), (2, 0), (3, 1)])
def test_refreshes_leave_half_of_the_threads_to_callers(known_threads: int, refreshes: int) -> None:
    async def test(rig: EdgeRig) -> None:
        rig.gate.set()
        await body(rig, "/badge/known")
        rig.now += 0.51
        rig.edge._cache.store(WEB.encode(), rig.finished(b"1"), rig.now - IN_THE_WINDOW)
        rig.gate.clear()
        occupied = asyncio.create_task(body(rig, "/badge/known"))
        await until(lambda: rig.passed_on == 3)
        assert await body(rig) == b"1"
        assert len(rig.edge._flights) == 1 + refreshes
        rig.gate.set()
        await occupied

    with_stored_answer(test, EdgeRig(known_threads=known_threads))


def test_an_answer_is_not_refreshed_during_a_flight() -> None:
    async def test(rig: EdgeRig) -> None:
        refused = asyncio.create_task(rig.edge.badge_messages("GET", WEB.encode()))  # does not use the cache
        await until(lambda: rig.passed_on == 2)
        assert await body(rig) == b"1"
        rig.gate.set()
        await refused

    assert with_stored_answer(test, EdgeRig(known_threads=4)).passed_on == 2


def test_answers_for_a_token_are_not_refreshed() -> None:
    async def test(rig: EdgeRig) -> None:
        rig.gate.set()
        for answer in (b"2", b"3"):
            assert await body(rig, f"{WEB}?token=x") == answer
            rig.now += IN_THE_WINDOW

    assert with_stored_answer(test).counted == {}
