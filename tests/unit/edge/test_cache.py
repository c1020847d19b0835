"""The edge cache: brief reuse of answers, bounded size, conditional requests."""

from __future__ import annotations

import pytest

from badge.edge.cache import ENTRY_BYTES, EdgeCacheLimits, header_lines
from tests.asgi import Answer
from tests.edge import WEB, EdgeRig


def bodies(rig: EdgeRig, *targets: str) -> list[bytes]:
    return [rig.ask(target).body for target in targets]


def test_an_answer_is_reused_for_half_a_second_and_each_use_is_counted() -> None:
    rig = EdgeRig()
    assert bodies(rig, WEB, WEB, WEB) == [b"1", b"1", b"1"]
    rig.now += 0.39
    assert bodies(rig, WEB) == [b"1"]
    rig.now += 0.12
    assert bodies(rig, WEB) == [b"2"]
    assert (rig.passed_on, rig.counted) == (2, {"CACHE": 3})


def test_another_url_gets_another_answer() -> None:
    assert bodies(EdgeRig(), WEB, WEB + "?style=flat", WEB, WEB.replace("w", "W")) == [b"1", b"2", b"1", b"3"]


def test_no_answer_outlives_its_lifetime() -> None:
    rig = EdgeRig(fresh_seconds=0.2)
    rig.ask()
    rig.now += 0.21
    assert bodies(rig, WEB) == [b"2"]


def test_max_age_is_lowered_by_the_answer_s_age() -> None:
    rig = EdgeRig(fresh_seconds=120.3)
    seen = [rig.ask().headers["Cache-Control"] for _ in range(2)]
    for _ in range(2):
        rig.now += 0.2
        seen.append(rig.ask().headers["Cache-Control"])
    assert seen == ["max-age=120", "max-age=120", "max-age=120", "max-age=119"]


def test_the_joined_headers_are_cached_until_they_change() -> None:
    rig = EdgeRig(fresh_seconds=120.3)
    rig.ask()

    def lines() -> bytes:
        messages = rig.edge.cached("GET", WEB.encode(), [])
        assert messages is not None
        return header_lines(messages[0])

    before = lines()
    assert before == b"Content-Type: image/svg+xml\r\nContent-Length: 1\r\nCache-Control: max-age=120\r\n\r\n"
    assert lines() is before
    rig.now += 0.35
    assert lines() == before.replace(b"120", b"119")


def test_only_answers_that_may_be_stored_are_stored() -> None:
    assert bodies(EdgeRig(may_be_stored=False), WEB, WEB, WEB) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("query", ["?token=x", "?a=1&token=", "?%74oken=x", "?token"])
def test_answers_for_a_token_are_not_stored(query: str) -> None:
    assert bodies(EdgeRig(), WEB + query, WEB + query) == [b"1", b"2"]


def test_head_has_the_headers_and_no_body() -> None:
    rig = EdgeRig()
    whole = rig.ask()
    assert rig.ask(method="HEAD") == Answer(200, whole.headers, b"")
    assert rig.passed_on == 1


def test_a_head_request_is_made_as_a_get_and_stored() -> None:
    rig = EdgeRig()
    assert rig.ask(method="HEAD").body == b""
    assert bodies(rig, WEB) == [b"1"]


@pytest.mark.parametrize("tags", ['"tag"', 'W/"tag"', '"x", "tag"', '"x" , W/"tag"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_matching_etag_gets_304_without_a_body(tags: str, method: str, *, is_stored: bool) -> None:
    rig = EdgeRig()
    if is_stored:
        rig.ask()
    answer = rig.ask(method=method, headers=[("If-None-Match", tags)])
    assert answer == Answer(304, {"Cache-Control": "max-age=120"}, b"")


@pytest.mark.parametrize("tags", ['"other"', "tag", '"tag', 'W/tag, "x"', ""])
def test_another_etag_gets_the_whole_answer(tags: str) -> None:
    rig = EdgeRig()
    rig.ask()
    answer = rig.ask(headers=[("If-None-Match", tags)])
    assert (answer.code, answer.body) == (200, b"1")


def test_an_error_status_is_not_replaced_by_304() -> None:
    assert EdgeRig(http_status=404).ask(headers=[("If-None-Match", '"tag"')]).code == 404


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
def test_other_methods_are_passed_on(method: str) -> None:
    rig = EdgeRig()
    rig.ask()
    assert rig.ask(method=method).body == b"2"


def test_the_oldest_are_dropped_if_there_are_too_many() -> None:
    rig = EdgeRig(EdgeCacheLimits(most_entries=2))
    bodies(rig, "/badge/a", "/badge/b", "/badge/c")
    assert bodies(rig, "/badge/b", "/badge/c", "/badge/a") == [b"2", b"3", b"4"]


def test_the_oldest_are_dropped_if_all_together_are_too_large() -> None:
    most_bytes = 2 * (ENTRY_BYTES + 10)
    rig = EdgeRig(EdgeCacheLimits(most_bytes=most_bytes))
    bodies(rig, "/badge/a", "/badge/b", "/badge/c")
    assert rig.edge._cache._bytes <= most_bytes
    assert bodies(rig, "/badge/a") == [b"4"]


def test_expired_answers_are_dropped() -> None:
    rig = EdgeRig()
    bodies(rig, *(f"/badge/{number}" for number in range(100)))
    rig.now += 121
    rig.ask("/badge/new")
    assert len(rig.edge._cache._entries) == 1
    assert rig.edge._cache._bytes == ENTRY_BYTES + 3 + len("/badge/new")


def test_a_lifetime_of_zero_turns_the_edge_cache_off() -> None:
    assert bodies(EdgeRig(EdgeCacheLimits(held_seconds=0)), WEB, WEB) == [b"1", b"2"]


def test_entries_share_equal_headers() -> None:
    rig = EdgeRig()
    rig.ask("/badge/a")
    rig.ask("/badge/b")
    a, b = (entry._whole["headers"] for entry in rig.edge._cache._entries.values())
    assert [one is other for one, other in zip(a, b, strict=True)] == [True, True, True]
