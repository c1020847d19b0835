"""gunicorn's worker: deadlines for slow clients, limits, stopping, and answers from the edge cache."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from gunicorn.config import Config
from gunicorn.glogging import Logger

from badge.serving.worker import BadgeProtocol, BadgeWorker, Deadlines, request_line
from tests.edge import WEB, EdgeRig, until
from tests.timing import assert_within, seconds_of
from tests.wire import Response, request, responses

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


@dataclass
class Serving:
    """A worker that serves in this process, and connections to it."""

    worker: BadgeWorker
    rig: EdgeRig
    port: int = 0
    clients: list[Client] = field(default_factory=list)

    async def connect(self, *, buffer_bytes: int | None = None) -> Client:
        own = socket.socket()
        if buffer_bytes is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        own.connect(("127.0.0.1", self.port))
        client = Client(*await asyncio.open_connection(sock=own))
        self.clients.append(client)
        return client

    async def ask(self, sent: bytes, *methods: str) -> list[Response]:
        client = await self.connect()
        client.send(sent)
        return await client.responses(*methods)


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def close_own_side(self) -> None:
        self.writer.write_eof()

    def abort(self) -> None:
        self.writer.transport.abort()

    async def received(self) -> bytes:
        """Return everything until the server closes the connection, which it must do in time."""
        async with asyncio.timeout(5):
            data = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while piece := await self.reader.read(1 << 16):
                    data += piece
            return bytes(data)

    async def responses(self, *methods: str) -> list[Response]:
        return list(responses(await self.received(), methods))

    async def response(self) -> bytes:
        """Return the head and body of one response."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            return head + await self.reader.readexactly(length)


@contextlib.asynccontextmanager
async def serving(rig: EdgeRig | None = None, *, most_open: int = 100, **deadlines: float) -> AsyncIterator[Serving]:
    config = Config()
    config.set("keepalive", 5)
    worker = BadgeWorker(1, os.getpid(), [], None, 30, config, Logger(config))
    worker.loop = loop = asyncio.get_running_loop()
    worker.most_open, worker.deadlines = most_open, Deadlines(**deadlines)
    it = Serving(worker, rig or EdgeRig())
    worker.asgi = it.rig.edge
    server = await loop.create_server(lambda: BadgeProtocol(worker), "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        it.rig.gate.set()
        for client in it.clients:
            client.writer.transport.abort()
        server.close()
        await asyncio.sleep(0.05)
        worker.tmp.close()


def run(test: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("sent", [b"", b"GET /badge/a", b"GET /badge/a/b HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_sends_no_head_in_time_is_disconnected(sent: bytes, loop: Callable[[], Any]) -> None:
    async def test() -> None:
        async with serving(head=0.1, rest=0.1) as it:
            client = await it.connect()
            client.send(sent)
            assert await client.received() == b""
            await until(lambda: not it.worker.open)
            assert it.worker.nr_conns == 0

    run(test(), loop)


def test_a_client_that_drips_its_head_is_disconnected() -> None:
    async def test() -> None:
        async with serving(head=0.2, rest=0.1) as it:
            client = await it.connect()

            async def drip() -> None:
                for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000:
                    client.send(bytes([byte]))
                    await asyncio.sleep(0.01)

            dripping = asyncio.create_task(drip())
            assert await client.received() == b""
            dripping.cancel()

    run(test())


def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    async def test() -> None:
        async with serving(EdgeRig(body_seconds=0.1)) as it:
            (response,) = await it.ask(request("/ping/x", "Content-Length: 5", method="POST", body=b"hell"))
            assert (response.status, response.header("Connection")) == (408, "close")
            assert it.rig.passed_on == 0

    run(test())


def test_a_connection_is_closed_after_a_request_that_was_not_read_to_its_end() -> None:
    async def test() -> None:
        async with serving(rest=0.1) as it:
            for target in (WEB, WEB, "/x"):
                sent = request(target, "Content-Length: 10000", body=b"a" * 5_000)
                (response,) = await it.ask(sent)
                assert (response.status, response.header("Connection")) == (200, "close")

    run(test())


@pytest.mark.parametrize("headers", [("Content-Length: 5",), ("Transfer-Encoding: chunked",)])
def test_an_interrupted_upload_is_not_passed_on(headers: tuple[str, ...]) -> None:
    async def test() -> None:
        async with serving() as it:
            for ends in (Client.close_own_side, Client.abort):
                client = await it.connect()
                client.send(request("/ping/x", *headers, method="POST", body=b"4\r\n"))
                await until(lambda: bool(it.worker.open))
                ends(client)
                await until(lambda: not it.worker.open)
            assert it.rig.passed_on == 0

    run(test())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_has_closed_its_own_side_is_answered(loop: Callable[[], Any]) -> None:
    async def test() -> None:
        async with serving() as it:
            for sent in (request(WEB), request(WEB) * 3, b"GET /badge/a b HTTP/1.1\r\n\r\n"):
                client = await it.connect()
                client.send(sent)
                client.close_own_side()
                answered = await client.responses()
                assert [response.status for response in answered] == [200] * sent.count(b"GET")

    run(test(), loop)


def test_a_client_that_does_not_read_is_disconnected() -> None:
    async def test() -> None:
        async with serving(EdgeRig(length=1_000_000), response=0.2) as it:
            client = await it.connect(buffer_bytes=4_096)
            client.send(request(WEB) * 20)
            await until(lambda: bool(it.worker.open))
            await until(lambda: not it.worker.open)

    run(test())


def test_a_client_that_asks_for_stored_badges_but_does_not_read_is_disconnected() -> None:
    async def test() -> None:
        async with serving(EdgeRig(length=100_000), response=0.5) as it:
            client = await it.connect(buffer_bytes=10_000)
            client.send(request(WEB))
            await client.response()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined] # a transport of a socket
            (protocol,) = it.worker.open
            async with asyncio.timeout(5):
                while not protocol._flow_control.write_paused:
                    protocol.data_received(request(WEB))
                    await asyncio.sleep(0)
            answered = it.rig.counted["CACHE"]
            for _ in range(5):
                protocol.data_received(request(WEB))
                await asyncio.sleep(0)
            assert it.rig.counted["CACHE"] <= answered + 1
            await until(lambda: not it.worker.open)

    run(test())


def test_beyond_the_limit_new_connections_are_closed_and_the_others_go_on() -> None:
    async def test() -> None:
        async with serving(most_open=2) as it:
            first, second = await it.connect(), await it.connect()
            await until(lambda: len(it.worker.open) == 2)
            assert await (await it.connect()).received() == b""
            for client in (first, second, first):
                client.send(request(WEB))
                assert (await client.response()).startswith(b"HTTP/1.1 200 ")
            first.abort()
            await until(lambda: len(it.worker.open) == 1)
            assert await it.ask(request(WEB, "Connection: close"))

    run(test())


def test_a_stop_closes_idle_connections_and_finishes_requests() -> None:
    async def test() -> None:
        rig = EdgeRig()
        async with serving(rig, head_at_stop=0.3) as it:
            idle, fresh, busy = await it.connect(), await it.connect(), await it.connect()
            idle.send(request("/x"))
            await idle.response()
            rig.gate.clear()
            busy.send(request("/y"))
            await until(lambda: rig.passed_on == 2)
            it.worker.alive = False
            for protocol in tuple(it.worker.open):
                protocol.stop()
            assert await idle.received() == b""
            fresh.send(request(WEB))
            rig.gate.set()
            for client in (busy, fresh):
                (response,) = await client.responses()
                assert (response.status, response.header("Connection")) == (200, "close")

    run(test())


@pytest.mark.parametrize("signal", [BadgeWorker.handle_exit_signal, BadgeWorker.handle_quit_signal])
def test_a_stop_is_noticed_at_once(signal: Callable[[BadgeWorker], None]) -> None:
    def seconds() -> float:
        async def test() -> None:
            async with serving() as it:
                it.worker.ppid = os.getppid()
                running = asyncio.create_task(it.worker._serve())
                await asyncio.sleep(0.05)
                signal(it.worker)
                await running

        return seconds_of(lambda: run(test()))

    assert_within(0.7, seconds)


def test_a_new_connection_to_a_stopping_worker_is_answered_or_soon_closed() -> None:
    async def test() -> None:
        async with serving(head_at_stop=0.1) as it:
            it.worker.alive = False
            assert await (await it.connect()).received() == b""
            (response,) = await it.ask(request(WEB))
            assert response.header("Connection") == "close"

    run(test())


MALFORMED_BODY = request(WEB, "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n")


@pytest.mark.parametrize("is_late", [False, True])
def test_a_badge_request_with_a_malformed_body_is_answered_once(is_late: bool) -> None:  # noqa: FBT001 - a parameter
    async def test() -> None:
        rig = EdgeRig()
        async with serving(rig, rest=0.1) as it:
            client = await it.connect()
            rig.gate.clear()
            client.send(MALFORMED_BODY)
            if is_late:
                await until(lambda: rig.passed_on == 1)
            client.send(b"no number\r\n")
            await asyncio.sleep(0.05)
            rig.gate.set()
            (response,) = await client.responses()
            assert (response.status, response.header("Content-Type")) == (200, "image/svg+xml")
            assert response.header("Connection") == "close"

    run(test())


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_badge_request_with_contradictory_headers_is_answered_once(is_stored: bool) -> None:  # noqa: FBT001 - a parameter
    async def test() -> None:
        async with serving() as it:
            if is_stored:
                await it.ask(request(WEB, "Connection: close"))
            headers = ("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")
            (response,) = await it.ask(request(WEB, *headers) + request("/livez"))
            assert (response.status, response.header("Content-Type")) == (200, "image/svg+xml")
            assert response.header("Connection") == "close"

    run(test())


def test_an_http_1_0_client_that_asks_for_it_gets_a_persistent_connection() -> None:
    async def test() -> None:
        async with serving() as it:
            for target in (WEB, WEB, "/x"):
                client = await it.connect()
                client.send(request(target, "Connection: keep-alive", version="HTTP/1.0"))
                assert b"\r\nConnection: keep-alive\r\n" in await client.response()
                client.send(request(target, version="HTTP/1.0"))
                (response,) = await client.responses()
                assert response.header("Connection") == "close"

    run(test())


@pytest.mark.parametrize("loop", LOOPS)
def test_an_idle_connection_is_closed_some_time_after_its_last_response(loop: Callable[[], Any]) -> None:
    async def test() -> None:
        async with serving() as it:
            client = await it.connect()
            await until(lambda: bool(it.worker.open))
            (protocol,) = it.worker.open
            protocol._keepalive = 1.0
            for _ in range(4):
                client.send(request(WEB))
                await client.response()
                await asyncio.sleep(0.4)
            assert await client.received() == b""

    run(test(), loop)


def test_the_time_for_idle_connections_does_not_end_a_request() -> None:
    async def test() -> None:
        async with serving() as it:
            client = await it.connect()
            await until(lambda: bool(it.worker.open))
            (protocol,) = it.worker.open
            protocol._keepalive = 0.1
            client.send(request(WEB))
            await client.response()
            it.rig.gate.clear()
            client.send(request("/badge/acme/other"))
            await asyncio.sleep(0.3)
            it.rig.gate.set()
            assert (await client.response()).startswith(b"HTTP/1.1 200 ")

    run(test())


@contextlib.asynccontextmanager
async def with_stored_badge() -> AsyncIterator[tuple[Serving, Client, BadgeProtocol]]:
    """Serve a badge that is in the edge cache, on a connection that has received it once."""
    async with serving() as it:
        client = await it.connect()
        client.send(request(WEB))
        await client.response()
        await asyncio.sleep(0.01)
        (protocol,) = it.worker.open
        yield it, client, protocol


def test_a_stored_answer_is_sent_as_soon_as_its_request_is_received() -> None:
    async def test() -> None:
        async with with_stored_badge() as (it, client, protocol):
            for number in range(1, 4):
                protocol.data_received(request(WEB))
                assert it.rig.counted == {"CACHE": number}
                assert (await client.response()).startswith(b"HTTP/1.1 200 ")
            assert (it.worker.nr, protocol.req_count) == (4, 5)

    run(test())


def test_the_last_request_of_a_worker_closes_its_connection() -> None:
    async def test() -> None:
        async with with_stored_badge() as (it, client, _):
            it.worker.max_requests = 3
            client.send(request(WEB))
            assert b"\r\nConnection: close\r\n" not in await client.response()
            client.send(request(WEB))
            (response,) = await client.responses()
            assert response.header("Connection") == "close"

    run(test())


def test_a_request_for_a_stored_badge_may_arrive_in_pieces_or_with_the_next_one() -> None:
    async def test() -> None:
        async with with_stored_badge() as (it, client, protocol):
            protocol.data_received(request(WEB, "Content-Length: 5"))
            protocol.data_received(b"hello")
            await client.response()
            protocol.data_received(request(WEB) + request(WEB)[:10])
            protocol.data_received(request(WEB)[10:])
            for _ in range(2):
                await client.response()
            client.send(request(WEB))
            await client.response()
            assert it.rig.counted == {"CACHE": 4}

    run(test())


def test_a_lost_connection_leaves_no_timer() -> None:
    async def test() -> None:
        async with serving() as it:
            client = await it.connect()
            client.send(request(WEB))
            await client.response()
            (protocol,) = it.worker.open
            client.abort()
            await until(lambda: not it.worker.open)
            timer = protocol._keepalive_handle
            assert timer is not None
            assert timer.cancelled()

    run(test())


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize(("method", "condition"), [("GET", "X: y"), ("HEAD", "X: y"), ("GET", 'If-None-Match: "tag"')])
def test_a_stored_answer_has_the_same_headers_as_the_first(method: str, condition: str, version: str) -> None:
    async def test() -> None:
        async with serving() as it:
            sent = request(WEB, condition, "Connection: close", method=method, version=version)
            first, stored = [(await it.ask(sent, method))[0] for _ in range(2)]
            assert it.rig.counted == {"CACHE": 1}
            assert (stored.status_line, stored.body) == (first.status_line, first.body)
            others = [[header for header in one.headers if header[0] != "Date"] for one in (first, stored)]
            assert sorted(others[0]) == sorted(others[1])

    run(test())


def test_a_client_that_waits_for_a_100_gets_it_if_its_body_is_wanted() -> None:
    async def test() -> None:
        async with serving() as it:
            client = await it.connect()
            client.send(request("/ping/x", "Expect: 100-continue", "Content-Length: 5", method="POST"))
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(b"hello")
            assert (await client.response()).startswith(b"HTTP/1.1 200 ")
            assert it.rig.seen[0]["wsgi.input"].read() == b"hello"
            (response,) = await it.ask(request(WEB, "Expect: 100-continue", "Content-Length: 5"))
            assert (response.status, response.header("Connection")) == (200, "close")

    run(test())


def test_a_request_is_answered_even_if_the_worker_stops_at_the_same_moment() -> None:
    async def test() -> None:
        async with serving() as it:
            client = await it.connect()
            client.send(request("/x"))
            await client.response()
            (protocol,) = it.worker.open
            protocol.data_received(request("/x"))
            it.worker.alive = False
            protocol.stop()
            (response,) = await client.responses()
            assert response.header("Connection") == "close"

    run(test())


def test_many_requests_at_once_do_not_hold_up_others() -> None:
    async def test() -> None:
        async with serving() as it:
            await it.ask(request(WEB, "Connection: close"))
            many, other = await it.connect(), await it.connect()
            await until(lambda: len(it.worker.open) == 2)
            many.send(request(WEB) * 1_000)
            await many.response()
            other.send(request(WEB, "Connection: close"))
            assert await other.responses()
            assert it.rig.counted["CACHE"] < 900

    run(test())


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (b"GET /badge/a HTTP/1.1\r\nHost: x", ("GET", b"/badge/a")),
        (b"\r\nHEAD /badge/two words HTTP/1.1\nHost", ("HEAD", b"/badge/two%20words")),
        (b"GET /badge/\xff", ("GET", b"/badge/%FF")),
        (b"GET", ("GET", b"")),
        (b"", ("", b"")),
    ],
)
def test_the_request_line_is_read_as_far_as_it_was_received(head: bytes, line: tuple[str, bytes]) -> None:
    assert request_line(head) == line


OPEN_FILES = """
import resource
from badge.serving.worker import most_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 5_000))
print(most_connections(4_096), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
print(most_connections(4_096))
"""


def test_the_limit_on_open_files_is_raised_and_bounds_the_connections() -> None:
    done = subprocess.run([sys.executable, "-c", OPEN_FILES], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["4096", "4352", "200"]
