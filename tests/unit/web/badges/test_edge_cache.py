"""The edge cache: short storage times, bounded size, conditional requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from badge.web.badges.edge_cache import ENTRY_BYTES, NOTE, EdgeCache, EdgeCacheLimits, FinishedAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WEB = "/badge/acme/web"


@dataclass
class Bench:
    """An edge cache around an application that answers each request with the next number."""

    limits: EdgeCacheLimits = field(default_factory=EdgeCacheLimits)
    fresh_seconds: float = 120.0
    is_public: bool = True
    now: float = 1000.0
    passed_on: int = 0
    counted: int = 0

    def __post_init__(self) -> None:
        self.edge_cache = EdgeCache(self.application, self.limits, lambda: self.now)

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.passed_on += 1
        body = b"%d" % self.passed_on
        if self.is_public:
            environ[NOTE] = FinishedAnswer(body, '"tag"', self.fresh_seconds, self.headers, self.count)
        start_response("200 OK", self.headers(self.fresh_seconds))
        return [body]

    def headers(self, left: float) -> list[tuple[str, str]]:
        return [("Content-Type", "image/svg+xml"), ("Content-Length", "1"), ("Cache-Control", f"max-age={int(left)}")]

    def count(self) -> None:
        self.counted += 1

    def ask(self, path: str = WEB, method: str = "GET", **headers: str) -> tuple[str, dict[str, str], bytes]:
        answer: list[tuple[str, dict[str, str]]] = []

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            answer.append((status, dict(headers)))

        environ = {"REQUEST_METHOD": method, "RAW_URI": path, **headers}
        body = b"".join(self.edge_cache(environ, start))  # type: ignore[arg-type] # a start_response without write()
        return *answer[0], body


def test_the_same_url_is_answered_again_for_half_a_second_and_counted() -> None:
    bench = Bench()
    assert [bench.ask()[2] for _ in range(3)] == [b"1", b"1", b"1"]
    bench.now += 0.49
    assert bench.ask()[2] == b"1"
    bench.now += 0.02
    assert bench.ask()[2] == b"2"
    assert (bench.passed_on, bench.counted) == (2, 3)


def test_another_url_is_another_answer() -> None:
    bench = Bench()
    assert [bench.ask(path)[2] for path in (WEB, WEB + "?style=flat", WEB, WEB.upper())] == [b"1", b"2", b"1", b"3"]


def test_no_answer_outlives_its_lifetime() -> None:
    bench = Bench(fresh_seconds=0.2)
    bench.ask()
    bench.now += 0.21
    assert bench.ask()[2] == b"2"


def test_max_age_is_lowered_by_the_answer_s_age() -> None:
    bench = Bench(fresh_seconds=120.3)
    seen = [bench.ask()[1]["Cache-Control"]]
    for _ in range(2):
        bench.now += 0.2
        seen.append(bench.ask()[1]["Cache-Control"])
    assert seen == ["max-age=120", "max-age=120", "max-age=119"]


def test_only_answers_marked_as_finished_are_stored() -> None:
    bench = Bench(is_public=False)
    assert [bench.ask()[2] for _ in range(3)] == [b"1", b"2", b"3"]


def test_head_has_the_headers_and_no_body() -> None:
    bench = Bench()
    whole = bench.ask()
    assert bench.ask(method="HEAD") == ("200 OK", whole[1], b"")
    assert bench.passed_on == 1


def test_an_answer_to_head_is_not_stored() -> None:
    bench = Bench()
    bench.ask(method="HEAD")
    assert bench.ask()[2] == b"2"


@pytest.mark.parametrize("tags", ['"tag"', 'W/"tag"', '"x", "tag"', '"x" , W/"tag"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_matching_etag_gets_304_without_a_body(tags: str, method: str) -> None:
    bench = Bench()
    bench.ask()
    status, headers, body = bench.ask(method=method, HTTP_IF_NONE_MATCH=tags)
    assert (status, body) == ("304 NOT MODIFIED", b"")
    assert headers == {"Cache-Control": "max-age=120"}


@pytest.mark.parametrize("tags", ['"other"', "tag", '"tag', 'W/tag, "x"', ""])
def test_another_etag_gets_the_whole_answer(tags: str) -> None:
    bench = Bench()
    bench.ask()
    assert bench.ask(HTTP_IF_NONE_MATCH=tags)[::2] == ("200 OK", b"1")


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
def test_other_methods_are_passed_on(method: str) -> None:
    bench = Bench()
    bench.ask()
    assert bench.ask(method=method)[2] == b"2"


def test_the_oldest_are_dropped_if_there_are_too_many() -> None:
    bench = Bench(EdgeCacheLimits(most_entries=2))
    for path in ("/a", "/b", "/c"):
        bench.ask(path)
    assert [bench.ask(path)[2] for path in ("/b", "/c")] == [b"2", b"3"]
    assert bench.ask("/a")[2] == b"4"


def test_the_oldest_are_dropped_if_they_are_too_large() -> None:
    bench = Bench(EdgeCacheLimits(most_bytes=2 * (ENTRY_BYTES + 10)))
    for path in ("/a", "/b", "/c"):
        bench.ask(path)
    assert bench.edge_cache._bytes <= 2 * (ENTRY_BYTES + 10)
    assert bench.ask("/a")[2] == b"4"


def test_expired_answers_are_dropped() -> None:
    bench = Bench()
    for number in range(100):
        bench.ask(f"/{number}")
    bench.now += 1
    bench.ask("/new")
    assert len(bench.edge_cache._entries) == 1
    assert bench.edge_cache._bytes == ENTRY_BYTES + 3 + len("/new")


def test_a_storage_time_of_zero_stores_nothing() -> None:
    bench = Bench(EdgeCacheLimits(held_seconds=0))
    assert [bench.ask()[2] for _ in range(2)] == [b"1", b"2"]


def test_without_a_raw_target_there_are_no_hits() -> None:
    bench = Bench()
    assert [bench.ask("")[2] for _ in range(2)] == [b"1", b"2"]
