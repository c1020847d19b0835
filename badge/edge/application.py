"""The ASGI application: answers badges from the cache or a shared flight, and runs everything else in Flask."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from badge.edge.cache import EdgeCache, EdgeCacheLimits, Message, Servable
from badge.edge.pool import Pool, PoolFull
from badge.edge.wsgi import HeldBodies, Receive, Scope, TooMuchHeld, call, environ_of, messages_of, plain_get, read_body
from badge.events import AnswerCrashed, RequestRefused
from badge.finished import FINISHED, MAY_COUNT, FinishedAnswer, ServedBy, WholeResponse
from badge.ports import Events
from badge.raw_path import Audience, audience_of, has_token, raw_path_of, without_prefix

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Send = Callable[[Message], Awaitable[None]]
HeaderPairs = Iterable[tuple[bytes, bytes]]

_TOO_SLOW = WholeResponse(408, [("Content-Length", "0")], b"")


class Refusals(Protocol):
    """Makes the answers to requests that get no thread. Runs on the event loop, so must not block or draw a PNG."""

    def badge(self, target: str) -> FinishedAnswer:
        """Return `unknown`, in the format that the target asks for."""
        ...

    def other(self, audience: Audience) -> WholeResponse:
        """Return a 503 for anything else."""
        ...


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Limits on the edge's memory, threads, queues and waiting times."""

    cache: EdgeCacheLimits
    threads: Mapping[Audience, int]
    queued: Mapping[Audience, int]
    known_threads: int
    """Extra threads, for badges with a stored answer that is still within its lifetime."""
    largest_body: int
    """In bytes; the application refuses larger ones, the edge only stops reading."""
    answer_seconds: float = 1.9
    """When to stop waiting for a badge: it must be answered within 2 s."""
    body_seconds: float = 20.0
    """How long a client may take to send a request body."""
    held_bodies: int = 64 * 2**20
    """Maximum size of all request bodies together, in bytes."""


@dataclass(frozen=True, slots=True)
class _Landing:
    """How a flight ended."""

    answer: Servable
    is_overload: bool = False
    """Whether the flight brought no answer, so the edge sends its stored one or `unknown`.

    Otherwise the badge routes made this answer and, unless the flight is a refresh, counted it for its first caller.
    """


class Edge:
    """The service as an ASGI application; `site` is the WSGI application behind it."""

    def __init__(
        self,
        site: WSGIApplication,
        refusals: Refusals,
        events: Events,
        limits: EdgeLimits,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        prefix: str = "",
    ) -> None:
        self.site = site
        self._prefix = prefix
        """The path prefix. The edge ignores it when it classifies paths; the site removes it."""
        self._refusals = refusals
        self._events = events
        self._limits = limits
        self._monotonic = monotonic
        self._cache = EdgeCache(limits.cache)
        self._bodies = HeldBodies(limits.held_bodies)
        self._known = Pool("known", limits.known_threads, limits.queued[Audience.IMAGES])
        """For badges with a stored answer, so that they don't queue behind those that wait for sources."""
        self._pools = {kind: Pool(kind, limits.threads[kind], limits.queued[kind]) for kind in Audience}
        self._flights: dict[bytes, asyncio.Future[_Landing]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Other kinds of scope (lifespan, websocket) are not supported."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        query, method = scope["query_string"], scope["method"]
        target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
        messages = self.cached(method, target, scope["headers"])
        if messages is None and self.serves_badge(method, target):
            answer = await self._badge(target, query)
            messages = answer.messages(self._monotonic(), method, _condition(scope["headers"]))
        if messages is None:
            await self._pass_on(scope, target, receive, send)
        else:
            await _send(send, messages)

    def cached(self, method: str, target: bytes, headers: HeaderPairs) -> tuple[Message, Message] | None:
        """Return the response to a request, if it can be answered from the edge cache, and count it."""
        if method not in ("GET", "HEAD"):
            return None
        now = self._monotonic()
        answer = self._cache.get(target, now)
        if answer is None:
            return None
        if now >= answer.refresh_at:
            self._refresh(target, answer)
        answer.finished.count(ServedBy.CACHE)
        return answer.messages(now, method, _condition(headers))

    def serves_badge(self, method: str, target: bytes) -> bool:
        """Whether this is a request that must be answered with an image, even if it is invalid."""
        return method in ("GET", "HEAD") and self._audience(target) is Audience.IMAGES

    async def badge_messages(self, method: str, target: bytes) -> tuple[Message, Message]:
        """Return the response to a badge request that the server refuses to pass on."""
        answer = await self._badge(target, target.partition(b"?")[2])
        return answer.messages(self._monotonic(), method, None)

    async def _badge(self, target: bytes, query: bytes) -> Servable:
        """Return the answer to a badge request; requests for the same target share a flight, except with a token."""
        if has_token(query.decode("latin-1")):
            landing, is_own = await self._fly(target), True
        else:
            landing, is_own = await self._share(target)
        if landing.is_overload:
            landing.answer.finished.count(ServedBy.OVERLOAD)
        elif not is_own:
            landing.answer.finished.count(ServedBy.FLIGHT)
        return landing.answer

    async def _share(self, target: bytes) -> tuple[_Landing, bool]:
        """Join the target's flight or begin one; returns how it ended, and whether this caller began it."""
        flight = self._flights.get(target)
        is_own = flight is None
        if flight is None:
            flight = self._begin_flight(target)
        # Shielded, so that a caller that disconnects does not end the flight of the others.
        return await asyncio.shield(flight), is_own

    def _refresh(self, target: bytes, stored: Servable) -> None:
        """Unless the pool is busy, renew a stored answer while it can still be served, so that nobody has to wait."""
        if self._known.is_mostly_idle and target not in self._flights:
            stored.refresh_at = math.inf
            self._begin_flight(target, is_refresh=True)

    def _begin_flight(self, target: bytes, *, is_refresh: bool = False) -> asyncio.Future[_Landing]:
        flight = asyncio.ensure_future(self._fly(target, is_public=True, is_refresh=is_refresh))
        self._flights[target] = flight
        flight.add_done_callback(lambda _: self._flights.pop(target))
        return flight

    async def _fly(self, target: bytes, *, is_public: bool = False, is_refresh: bool = False) -> _Landing:
        """Run a plain GET in Flask; if that fails or takes too long, return the stored answer or `unknown`."""
        environ = plain_get(target.decode("latin-1"))
        # Whoever acquires this lock counts the answer: the badge routes once they have made one, or the edge when it
        # gives up waiting. A refresh has no caller of its own, so it is not counted; callers that join it are.
        right_to_count = threading.Lock()
        may_count = partial(right_to_count.acquire, blocking=False)
        environ[MAY_COUNT] = (lambda: False) if is_refresh else may_count
        try:
            is_known = self._cache.get_fresh(target, self._monotonic()) is not None
            pool = self._known if is_known else self._pools[Audience.IMAGES]
            future = pool.start(lambda: self._finished(environ))
            await asyncio.wait((future,), timeout=self._limits.answer_seconds)
            if not future.done() and may_count():
                future.cancel()
                return self._overloaded(target)
            answer = Servable(await future, self._monotonic())
        except PoolFull:
            return self._overloaded(target)
        except Exception as error:  # noqa: BLE001 - any error becomes an answer and a log line
            self._events.emit(AnswerCrashed("edge", error))
            return self._overloaded(target)
        if is_public and answer.finished.may_be_stored:
            self._cache.store(target, answer.finished, answer.made_at)
        return _Landing(answer)

    def _finished(self, environ: dict[str, object]) -> FinishedAnswer:
        call(self.site, environ)
        finished = environ[FINISHED]
        assert isinstance(finished, FinishedAnswer)
        return finished

    def _overloaded(self, target: bytes) -> _Landing:
        """Return the stored answer if it is still within its lifetime, else `unknown`."""
        now = self._monotonic()
        stored = self._cache.get_fresh(target, now)
        return _Landing(stored or Servable(self._refusals.badge(self._own(target)), now), is_overload=True)

    def _own(self, target: bytes) -> str:
        """Return the target without the prefix, if it has one."""
        text = target.decode("latin-1")
        return without_prefix(text, self._prefix) or text

    def _audience(self, target: bytes) -> Audience:
        return audience_of(raw_path_of(self._own(target)))

    async def _pass_on(self, scope: Scope, target: bytes, receive: Receive, send: Send) -> None:
        """Read the body and run the request in Flask."""
        audience = self._audience(target)
        with self._bodies.hold() as hold:
            try:
                body = await self._read(receive, hold)
                response = _TOO_SLOW if body is None else await self._run(scope, target, audience, body)
            except (PoolFull, TooMuchHeld):
                self._events.emit(RequestRefused(audience))
                response = self._refusals.other(audience)
        await _send(send, messages_of(response, scope["method"]))

    async def _read(self, receive: Receive, hold: Callable[[int], None]) -> bytes | None:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await read_body(receive, self._limits.largest_body, hold)
        except TimeoutError:
            return None

    async def _run(self, scope: Scope, target: bytes, audience: Audience, body: bytes) -> WholeResponse:
        environ = environ_of(scope, target.decode("latin-1"), body)
        return await self._pools[audience].start(partial(call, self.site, environ))


async def _send(send: Send, messages: tuple[Message, Message]) -> None:
    for message in messages:
        await send(message)


def _condition(headers: HeaderPairs) -> bytes | None:
    """Return the If-None-Match header."""
    for name, value in headers:
        if name == b"if-none-match":
            return value
    return None
