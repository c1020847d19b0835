"""An edge in front of a small WSGI application, and requests to it that may be under way at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from badge.edge.application import Edge, EdgeLimits
from badge.edge.cache import EdgeCacheLimits
from badge.events import Event
from badge.finished import FINISHED, MAY_COUNT, FinishedAnswer, ServedBy, WholeResponse
from badge.raw_path import Audience
from tests.asgi import Answer, ask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WEB = "/badge/acme/web"


@dataclass
class EdgeRig:
    """An edge around an application that answers each request with the next number."""

    limits: EdgeCacheLimits = field(default_factory=EdgeCacheLimits)
    fresh_seconds: float = 120.0
    may_be_stored: bool = True
    http_status: int = 200
    threads: int = 4
    queued: int = 4
    known_threads: int = 1
    answer_seconds: float = 1.9
    body_seconds: float = 20.0
    held_bodies: int = 100_000
    length: int = 1
    """Least number of bytes in a body."""
    error: Exception | None = None
    """Raised instead of an answer."""
    now: float = 1000.0
    passed_on: int = 0
    seen: list[WSGIEnvironment] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    """Answers that the edge counted, by `ServedBy`."""
    counted_by_application: int = 0
    events: list[Event] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """Requests wait for this; it is open at first."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()
        threads, queued = dict.fromkeys(Audience, self.threads), dict.fromkeys(Audience, self.queued)
        times = self.answer_seconds, self.body_seconds
        limits = EdgeLimits(self.limits, threads, queued, self.known_threads, 100, *times, self.held_bodies)
        self.edge = Edge(self.application, self, self, limits, lambda: self.now)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self.lock:
            self.passed_on += 1
            body = (b"%d" % self.passed_on).ljust(self.length)
            self.seen.append(environ)
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        if MAY_COUNT in environ:
            self.counted_by_application += environ[MAY_COUNT]()
            environ[FINISHED] = self.finished(body)
        start_response(f"{self.http_status} Reason", self.headers(self.fresh_seconds))
        return [body]

    def finished(self, body: bytes, fresh_seconds: float | None = None) -> FinishedAnswer:
        fresh = self.fresh_seconds if fresh_seconds is None else fresh_seconds
        return FinishedAnswer(
            self.http_status, self.headers(fresh), body, '"tag"', fresh, self.may_be_stored, self.headers, self.count
        )

    def headers(self, left: float) -> list[tuple[str, str]]:
        return [
            ("Content-Type", "image/svg+xml"),
            ("Content-Length", str(self.length)),
            ("Cache-Control", f"max-age={int(left)}"),
        ]

    def count(self, served_by: ServedBy) -> None:
        self.counted[served_by.name] += 1

    def badge(self, target: str) -> FinishedAnswer:
        """See `Refusals`."""
        return self.finished(b"unknown", 5.0)

    def other(self, audience: Audience) -> WholeResponse:
        """See `Refusals`."""
        return WholeResponse(503, [("Retry-After", "2")], audience.encode())

    def ask(
        self, target: str = WEB, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Answer:
        """Send one request and wait for its answer."""
        return asyncio.run(ask(self.edge, target, method, headers, (body,)))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)
