"""Shared flights: one request to the application for all callers of a badge, and an image for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from badge.events import AnswerCrashed, RequestRefused
from tests.asgi import Answer, ask
from tests.edge import WEB, EdgeRig, until


def together(rig: EdgeRig, *requests: tuple[str, str, list[tuple[str, str]]]) -> list[Answer]:
    """Send requests at the same time, and let the application answer when all have arrived."""
    rig.gate.clear()

    async def run() -> list[Answer]:
        flights = [asyncio.create_task(ask(rig.edge, *request)) for request in requests]
        await until(lambda: rig.passed_on > 0)
        rig.gate.set()
        return await asyncio.gather(*flights)

    return asyncio.run(run())


def run(work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    return asyncio.run(work())


def test_all_callers_share_one_request() -> None:
    rig = EdgeRig()
    answers = together(rig, *[(WEB, "GET", [])] * 50)
    assert {answer.body for answer in answers} == {b"1"}
    assert rig.passed_on == 1


def test_get_head_and_conditional_requests_share_one_plain_get() -> None:
    rig = EdgeRig()
    tag = [("If-None-Match", '"tag"'), ("X-Anything", "1")]
    whole, head, unchanged = together(rig, (WEB, "GET", []), (WEB, "HEAD", []), (WEB, "GET", tag))
    assert (whole.code, whole.body) == (200, b"1")
    assert head == Answer(200, whole.headers, b"")
    assert (unchanged.code, unchanged.body) == (304, b"")
    [seen] = rig.seen
    assert seen["REQUEST_METHOD"] == "GET"
    assert not [name for name in seen if name.startswith("HTTP_")]


def test_no_request_header_reaches_the_application() -> None:
    rig = EdgeRig()
    headers = [(name, "1") for name in ("Accept", "Accept-Language", "Cookie", "Host", "X-Forwarded-Proto", "Range")]
    rig.ask(headers=headers, method="HEAD")
    rig.ask(WEB + "?token=x", headers=headers)
    assert [name for seen in rig.seen for name in seen if name.startswith("HTTP_")] == []


@pytest.mark.parametrize("code", [200, 404, 503])
@pytest.mark.parametrize("may_be_stored", [True, False])
def test_any_answer_is_shared_within_its_flight(code: int, *, may_be_stored: bool) -> None:
    rig = EdgeRig(http_status=code, may_be_stored=may_be_stored)
    answers = together(rig, *[(WEB, "GET", [])] * 3)
    assert {(answer.code, answer.body) for answer in answers} == {(code, b"1")}


def test_requests_with_a_token_are_not_shared() -> None:
    rig = EdgeRig()
    answers = together(rig, *[(f"{WEB}?token=x", "GET", [])] * 3)
    assert {answer.body for answer in answers} == {b"1", b"2", b"3"}


def test_other_targets_have_flights_of_their_own() -> None:
    rig = EdgeRig()
    answers = together(rig, (WEB, "GET", []), (f"{WEB}?a", "GET", []), (WEB, "GET", []))
    assert len({answer.body for answer in answers}) == 2
    assert rig.passed_on == 2


def test_every_answer_is_counted_once() -> None:
    rig = EdgeRig()
    together(rig, *[(WEB, "GET", [])] * 5)
    rig.ask()
    assert (rig.counted_by_application, rig.counted) == (1, {"FLIGHT": 4, "CACHE": 1})


def test_a_caller_that_disconnects_does_not_affect_others() -> None:
    rig = EdgeRig()
    rig.gate.clear()

    async def first_leaves() -> Answer:
        first = asyncio.create_task(ask(rig.edge, WEB))
        await until(lambda: rig.passed_on == 1)
        second = asyncio.create_task(ask(rig.edge, WEB))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        rig.gate.set()
        return await second

    assert run(first_leaves).body == b"1"
    assert rig.passed_on == 1


def test_nobody_waits_longer_than_allowed_and_the_late_answer_is_not_counted() -> None:
    rig = EdgeRig(answer_seconds=0.05)
    rig.gate.clear()

    async def late() -> Answer:
        answer = await ask(rig.edge, WEB)
        rig.gate.set()
        await until(lambda: "badge.finished" in rig.seen[0])
        return answer

    answer = run(late)
    assert (answer.code, answer.body, answer.headers["Cache-Control"]) == (200, b"unknown", "max-age=5")
    assert (rig.counted_by_application, rig.counted) == (0, {"OVERLOAD": 1})
    assert rig.ask().body == b"2"


def test_a_crash_is_an_image_for_each_caller_and_one_event() -> None:
    rig = EdgeRig(error=RuntimeError("broken"))
    answers = together(rig, *[(WEB, "GET", [])] * 3)
    assert {answer.body for answer in answers} == {b"unknown"}
    assert [type(event) for event in rig.events] == [AnswerCrashed]
    assert rig.counted == {"OVERLOAD": 3}


def full(rig: EdgeRig, target: str) -> Answer:
    """Occupy all threads and the queue with other badges or pages, and request one more."""
    rig.gate.clear()

    async def crowd() -> Answer:
        others = [
            asyncio.create_task(ask(rig.edge, f"{target}-{rig.now}-{number}"))
            for number in range(rig.threads + rig.queued)
        ]
        await until(lambda: rig.passed_on == rig.threads)
        answer = await ask(rig.edge, target)
        rig.gate.set()
        await asyncio.gather(*others)
        return answer

    return run(crowd)


def test_without_a_free_thread_a_badge_is_unknown_for_a_moment() -> None:
    rig = EdgeRig(threads=2, queued=1)
    answer = full(rig, WEB)
    assert (answer.body, answer.headers["Cache-Control"]) == (b"unknown", "max-age=5")
    assert rig.counted == {"OVERLOAD": 1}


@pytest.mark.parametrize("target", ["/summary", "/summary?x", "/summary/", "/summary/GitHub/acme", "//summary/a/b/c/d"])
def test_a_summary_is_treated_like_a_badge(target: str) -> None:
    rig = EdgeRig(threads=2, queued=1, answer_seconds=0.1)
    assert full(rig, target).body == b"unknown"
    assert rig.edge.serves_badge("GET", target.encode())
    assert not rig.edge.serves_badge("GET", target.replace("summary", "summaries").encode())


def test_without_a_free_thread_a_stored_answer_is_used_within_its_lifetime() -> None:
    rig = EdgeRig(threads=2, queued=1, known_threads=0, answer_seconds=0.1)
    rig.ask()
    rig.now += 100
    rig.passed_on = 0
    answer = full(rig, WEB)
    assert (answer.body, answer.headers["Cache-Control"]) == (b"1", "max-age=20")
    rig.now += 21
    rig.passed_on = 0
    assert full(rig, WEB).body == b"unknown"


@pytest.mark.parametrize(("target", "kind"), [("/dashboard/x", "people"), ("/ops/status", "programs")])
def test_without_a_free_thread_other_requests_are_refused(target: str, kind: str) -> None:
    rig = EdgeRig(threads=2, queued=1)
    answer = full(rig, target)
    assert (answer.code, answer.body, answer.headers["Retry-After"]) == (503, kind.encode(), "2")
    assert rig.events == [RequestRefused(kind)]


def test_pages_do_not_take_the_threads_of_badges() -> None:
    rig = EdgeRig(threads=1, queued=1)
    rig.gate.clear()

    async def badge_beside_pages() -> Answer:
        pages = [asyncio.create_task(ask(rig.edge, f"/dashboard?{number}")) for number in range(2)]
        await until(lambda: rig.passed_on == 1)
        badge = asyncio.create_task(ask(rig.edge, WEB))
        await until(lambda: rig.passed_on == 2)
        rig.gate.set()
        await asyncio.gather(*pages)
        return await badge

    assert run(badge_beside_pages).body == b"2"


@pytest.mark.parametrize("pieces", [(b"a" * 100,), (b"a" * 50, b"b" * 50)])
def test_a_body_is_passed_on_whole(pieces: tuple[bytes, ...]) -> None:
    rig = EdgeRig()
    answer = asyncio.run(ask(rig.edge, "/ops/status/report", "POST", [("Content-Length", "100")], pieces))
    assert "Connection" not in answer.headers
    assert rig.seen[0]["wsgi.input"].read() == b"".join(pieces)


def test_all_bodies_together_are_bounded() -> None:
    rig = EdgeRig(held_bodies=150)

    async def test() -> None:
        rig.gate.clear()
        first = asyncio.ensure_future(ask(rig.edge, "/ops/status/report", "POST", body=[b"a" * 100]))
        await until(lambda: rig.passed_on > 0)
        assert (await ask(rig.edge, "/ops/status/report", "POST", body=[b"a" * 100])).code == 503
        rig.gate.set()
        assert (await first).code == 200
        assert (await ask(rig.edge, "/ops/status/report", "POST", body=[b"a" * 100])).code == 200

    asyncio.run(asyncio.wait_for(test(), 10))


def test_only_the_beginning_of_a_body_that_is_too_large_is_read() -> None:
    rig = EdgeRig()
    asyncio.run(ask(rig.edge, "/ops/status/report", "POST", [], [b"a" * 60] * 10))
    assert len(rig.seen[0]["wsgi.input"].read()) == 120


def test_badges_that_were_answered_before_do_not_queue_behind_others() -> None:
    rig = EdgeRig(threads=1)
    rig.ask()
    rig.now += 1
    rig.gate.clear()

    async def known_beside_new() -> Answer:
        new = [asyncio.create_task(ask(rig.edge, f"{WEB}-{number}")) for number in range(3)]
        await until(lambda: rig.passed_on == 2)
        known = asyncio.create_task(ask(rig.edge, WEB))
        await until(lambda: rig.passed_on == 3)
        rig.gate.set()
        await asyncio.gather(*new)
        return await known

    assert run(known_beside_new).body == b"3"
