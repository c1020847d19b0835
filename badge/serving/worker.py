"""gunicorn's ASGI worker, with deadlines for slow clients, a limit on connections, and images for refused badges."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from badge.app import edge_around
from badge.edge.application import Edge
from badge.edge.cache import header_lines

with contextlib.suppress(ImportError):  # not every platform has it
    import uvloop  # noqa: F401 - gunicorn's workers use it, and share its memory if it is imported before the fork


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long clients may take, in seconds. gunicorn's own `keepalive` limits the time between two requests."""

    head: float = 10.0
    """To send the head of their first request."""
    head_at_stop: float = 1.0
    """The same, once the worker is stopping."""
    response: float = 30.0
    """To read a response."""
    rest: float = 1.0
    """To send the rest of a request that has been answered.

    If the connection were closed earlier, it would be reset, and the answer would be lost (RFC 9112, section 9.6).
    """


SPARE_DESCRIPTORS = 256
"""File descriptors for everything but connections of clients: Redis, sources, the database, files."""
HEARTBEAT_SECONDS = 1.0
SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter lock while others wait: a tenth of the default, because the event loop
competes with all threads for it."""
LONGEST_HEAD_KEPT = 16_384
"""In bytes; more than the longest request line allowed, so that a longer line still tells which badge it is for."""


class BadgeWorker(ASGIWorker):  # type: ignore[misc] # gunicorn ships no types
    """Serves each connection with a `BadgeProtocol`."""

    alive: bool
    asgi: Edge
    loop: asyncio.AbstractEventLoop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open: set[BadgeProtocol] = set()
        self.most_open = self.worker_connections
        self.deadlines = Deadlines()
        self.on_stop: Callable[[], None] = lambda: None
        """Called when the worker is asked to stop."""
        self._is_stopping = asyncio.Event()

    def init_process(self) -> None:
        """Raise the limit on open files, and serve; runs in the new process."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.most_open = most_connections(self.worker_connections)
        if self.most_open < self.worker_connections:
            advice = "raise it (ulimit -n), or lower BADGE_CONNECTIONS"
            self.log.warning("The limit on open files allows only %d connections; %s.", self.most_open, advice)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application; the edge is put in front of a WSGI application made by `build_app`."""
        application = self.app.wsgi()
        self.asgi = application if isinstance(application, Edge) else edge_around(application)

    def handle_exit_signal(self) -> None:
        """Finish what is under way and stop."""
        self.on_stop()
        super().handle_exit_signal()
        self._is_stopping.set()

    def handle_quit_signal(self) -> None:
        """Stop at once."""
        super().handle_quit_signal()
        self._is_stopping.set()

    async def _serve(self) -> None:
        for listener in self.sockets:
            # Without `backlog`, asyncio would shorten gunicorn's to 100; once it is full, connecting takes a second.
            server = self.loop.create_server(lambda: BadgeProtocol(self), sock=listener.sock, backlog=self.cfg.backlog)
            self.servers.append(await server)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_stopping.wait(), HEARTBEAT_SECONDS)
        self.alive = False
        for protocol in tuple(self.open):
            protocol.stop()
        await self._shutdown()


class BadgeProtocol(ASGIProtocol):  # type: ignore[misc] # gunicorn ships no types
    """One connection of a client."""

    def __init__(self, worker: BadgeWorker) -> None:
        super().__init__(worker)
        self._closed: bool
        self._response_buffer: bytes
        self._request_ready: Any
        self._current_request: Any
        self._body_receiver: Any
        self._keepalive_handle: asyncio.TimerHandle | None
        self._deadlines = worker.deadlines
        self._head = b""
        """The part of an incomplete request head that was received so far."""
        self._timer: asyncio.TimerHandle | None = None
        """For what the client has to do now: send a head, read a response, or close the connection."""
        self._image: asyncio.Task[None] | None = None
        """The task that answers a badge request which gunicorn refused."""
        self._has_ended = False
        """Whether the client has closed its side of the connection."""
        self._is_kept_open = False
        """Whether gunicorn must not close the connection now, because a refused request is answered with an image."""
        self._idle_since: float | None = None
        """When the client became idle after a request; None before the first request and while one is under way."""
        self._is_pipelined = False
        """Whether the request was sent before the previous one was answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Serve the connection, unless too many are open."""
        worker: BadgeWorker = self.worker
        if len(worker.open) >= worker.most_open:
            transport.abort()
            return
        worker.open.add(self)
        super().connection_made(transport)
        self._expect(self._deadlines.head if worker.alive else self._deadlines.head_at_stop, self._close_transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the connection's timers and stop tracking it."""
        self._expect_nothing()
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        if self in self.worker.open:
            self.worker.open.remove(self)
            super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Return whether to keep the connection: a client that has closed only its own side still gets its answer."""
        self._has_ended = True
        return not self._closed and (self._is_received() or self._image is not None)

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        if not self._closed:
            self._expect(self._deadlines.response, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client reads again."""
        super().resume_writing()
        if not self._closed:
            self._expect_nothing()

    def stop(self) -> None:
        """Close the connection if the client is not sending a request and awaits no response."""
        if self._current_request is None and not self._head:
            # A client's first request may be on its way, so wait a moment for it. If a later one meets a closed
            # connection, the client retries it (RFC 9112, section 9.3.1).
            self._expect(self._deadlines.head_at_stop if self.req_count == 1 else 0.0, self._close_transport)

    def _is_received(self) -> bool:
        """Whether a request is under way and was received to its end."""
        receiver = self._body_receiver
        return receiver is not None and bool(receiver._complete)  # noqa: SLF001 - gunicorn has no other way to know

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._expect_nothing()
        self._timer = self.worker.loop.call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm_keepalive_timer(self) -> None:
        """Note when the client became idle.

        There is one timer per connection, because creating and cancelling one for each request is expensive.
        """
        self._idle_since = self.worker.loop.time()
        if self._keepalive_handle is None and self._keepalive > 0:
            self._keepalive_handle = self.worker.loop.call_later(self._keepalive, self._keepalive_timeout)

    def _cancel_keepalive_timer(self) -> None:
        """Note that the client is not idle; the timer keeps running."""
        self._idle_since = None

    def _keepalive_timeout(self) -> None:
        """Close the connection if the client has been idle for long enough; otherwise look again later."""
        self._keepalive_handle = None
        if self._idle_since is None:
            return  # a request is under way
        left = self._idle_since + self._keepalive - self.worker.loop.time()
        if left > 0:
            self._keepalive_handle = self.worker.loop.call_later(left, self._keepalive_timeout)
        else:
            super()._keepalive_timeout()

    def _feed_callback_parser(self, data: bytes) -> bool:
        if self._current_request is None:
            self._head = (self._head + data)[:LONGEST_HEAD_KEPT]
        result = bool(super()._feed_callback_parser(data))
        self._is_kept_open = False
        if self._current_request is not None and not self._request_ready.is_set() and not self._answer_at_once():
            self._request_ready.set()
        return result

    def _on_headers_complete(self) -> bool:
        # Keep the base class from setting this event, which wakes the connection's task: the task need not run if
        # `_answer_at_once` answers.
        ready, self._request_ready = self._request_ready, None
        try:
            result = super()._on_headers_complete()
        finally:
            self._request_ready = ready
        self._head = b""
        self._is_pipelined = not self._awaiting_request
        if not self._flow_control.write_paused:
            self._expect_nothing()
        self._cancel_keepalive_timer()
        return bool(result)

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Answer from the edge cache if possible; otherwise pass the request on.

        The detour through ASGI, in another task, would cost more than everything else about a cached answer.
        """
        if self._is_pipelined:
            await asyncio.sleep(0)  # so that a client that sends thousands of requests at once does not hold up others
        closes = self._will_close(request, response_requires_close=False)
        if not self._answer_from_cache(request, closes=closes):
            return bool(await super()._serve_http_request(request, sockname, peername))
        await self._flow_control.drain()
        return not closes

    def _answer_at_once(self) -> bool:
        """Answer a request from the edge cache as soon as it is received; returns False to leave it to the task.

        After the answer, the connection's state is cleared for the next request, as gunicorn's own task does.
        """
        request: Any = self._current_request
        parser: Any = self._callback_parser
        is_only_request = self._awaiting_request and self._is_received() and not parser.remaining()
        if not is_only_request or self._flow_control.write_paused or self._will_close(request, False):
            return False
        if not self._answer_from_cache(request, closes=False):
            return False
        self.worker.nr += 1
        self.req_count += 1
        parser.reset()
        self._current_request = self._body_receiver = None
        self._arm_keepalive_timer()
        return True

    def _answer_from_cache(self, request: Any, *, closes: bool) -> bool:
        if self.log.access_log_enabled:
            return False
        messages = self.app.cached(request.method, _target_of(request), request.headers_bytes)
        if messages is None:
            return False
        start, body = messages
        self._send_response_start(start["status"], (), request, close=closes)
        self._response_buffer = self._response_buffer.removesuffix(b"\r\n") + header_lines(start)
        self._send_body(body["body"], last=True)
        return True

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:  # noqa: FBT001 - gunicorn's signature
        """Also close if a part of the request is still missing, or the client sends no more."""
        parser: Any = self._callback_parser
        is_incomplete = parser is None or not self._is_received()
        if is_incomplete or (self._has_ended and not parser.remaining()):
            return True
        return bool(super()._will_close(request, response_requires_close))

    def _send_response_start(self, status: int, headers: Any, request: Any, close: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's signature
        """Tell HTTP/1.0 clients that asked for keep-alive that the connection stays open."""
        if request.version == (1, 0) and not close:
            headers = [*headers, (b"Connection", b"keep-alive")]
        super()._send_response_start(status, headers, request, close)

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Ignore requests to upgrade, as RFC 9110, section 7.8, allows."""
        del request
        return False

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Answer with an image if gunicorn refuses a badge request.

        Other errors are answered without details, which may hold tokens, ping URLs and subjects' names.
        """
        del message
        request = self._current_request if not self._head else None
        method, target = request_line(self._head) if request is None else (request.method, _target_of(request))
        if status == 500 or not self.app.serves_badge(method, target):
            super()._send_error_response(status, HTTPStatus(status).phrase, extra_headers)
            return
        self._callback_parser = None  # the rest of the request is not parsed
        self._is_kept_open = True
        if request is None:
            # gunicorn has set this if it refused the request for contradictory headers; the connection's task must not
            # answer that request too.
            self._current_request = None
            self._image = self.worker.loop.create_task(self._answer_with_image(method, target))

    async def _answer_with_image(self, method: str, target: bytes) -> None:
        try:
            start, body = await self.app.badge_messages(method, target)
            self._send_response_start(start["status"], start["headers"], _REFUSED, close=True)
            self._send_body(body["body"], last=True)
        finally:
            self._image = None
            self._close_transport()

    def _close_transport(self) -> None:
        """Send what is left to send and close; keep reading for a moment if the client is still sending."""
        if self._closed or self.transport is None or self._image is not None or self._is_kept_open:
            return
        is_sending = not self._has_ended and (self._head or self._body_receiver) and not self._is_received()
        if not is_sending:
            super()._close_transport()
            self._expect(self._deadlines.response, self.transport.abort)
        else:
            self._callback_parser = None
            self._closed = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._resume_reading()
            self._expect(self._deadlines.rest, self.transport.abort)
        self._request_ready.set()  # ends the task that serves the connection


_REFUSED = SimpleNamespace(version=(1, 1))
"""Stands in for a request that gunicorn refused."""


def _target_of(request: Any) -> bytes:
    path: bytes = request.raw_path
    return path + b"?" + request.query.encode("latin-1") if request.query else path


def most_connections(wanted: int) -> int:
    """Raise this process's limit on open files as far as needed and allowed; returns how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_DESCRIPTORS
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, max(soft - SPARE_DESCRIPTORS, soft // 2))


def request_line(head: bytes) -> tuple[str, bytes]:
    """Return the method and target of a request, as far as they were received, with the target percent-encoded."""
    line, *_ = head.lstrip(b"\r\n").split(b"\n", 1)
    method, _, rest = line.rstrip(b"\r").partition(b" ")
    # A raw space is part of the target: what precedes it may be another subject's name.
    target = re.sub(rb" HTTP/[0-9.]*$", b"", rest)
    return method.decode("latin-1"), quote(target, safe=string.punctuation).encode()
