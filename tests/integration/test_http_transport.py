"""One deadline covers a whole request: name resolution, connections, TLS and the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from badge.deadline import Deadline
from badge.ports import SourceUnavailable
from badge.resilience.host_names import MOST_ADDRESSES, Address, HostNames, ask_system
from badge.sources.http.messages import HttpRequest
from badge.sources.http.transport import HttpTransport
from tests.fault_server import running_fault_server

SECONDS = 0.5
MARGIN = 0.9
RECORD = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + b"\x03" * 200
"""The beginning of a ServerHello of 16 KiB (RFC 8446, sections 4 and 5.1)."""


@contextlib.contextmanager
def port_that_drops_connections(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Yield a port whose backlog is full, so that Linux drops new connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(family))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname()[:2])
        yield listener.getsockname()[1]


def resolving_to(*hosts: str) -> HttpTransport:
    """Return a transport for which every name has these addresses."""
    return HttpTransport(names=HostNames(lambda _, port: [found for host in hosts for found in ask_system(host, port)]))


def seconds_until_unavailable(transport: HttpTransport, url: str, kind: str) -> float:
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=f"^{kind}$"):
        transport.ask(HttpRequest("GET", url), Deadline.after(SECONDS))
    return time.monotonic() - began


@pytest.mark.parametrize("count", [1, 4, 40])
def test_all_addresses_of_a_name_share_the_deadline(count: int) -> None:
    transport = resolving_to(*["127.0.0.1"] * count)
    with port_that_drops_connections() as port:
        assert seconds_until_unavailable(transport, f"http://many.test:{port}/", "timeout") < SECONDS + MARGIN


def test_an_unresponsive_address_leaves_time_for_the_next() -> None:
    transport = resolving_to("::1", "127.0.0.1")
    with running_fault_server() as server, port_that_drops_connections("::1", server.port):
        answer = transport.ask(HttpRequest("GET", f"http://dual.test:{server.port}/ops/status"), Deadline.after(2))
        assert answer.status == 200
        assert server.asked[0].headers["host"] == f"dual.test:{server.port}"


def test_the_last_address_determines_the_kind_of_failure() -> None:
    with running_fault_server() as server:
        port = server.port
    transport = resolving_to("::1", "127.0.0.1")
    assert seconds_until_unavailable(transport, f"http://dual.test:{port}/", "connect") < MARGIN


def unknown(host: str, port: int) -> list[Address]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def nothing(host: str, port: int) -> list[Address]:
    return []


@pytest.mark.parametrize("ask", [unknown, nothing])
def test_a_name_without_an_address_is_an_outage(ask: Callable[[str, int], list[Address]]) -> None:
    transport = HttpTransport(names=HostNames(ask))
    assert seconds_until_unavailable(transport, "http://nowhere.test:9/", "connect") < MARGIN


def test_each_request_waits_for_an_unresponsive_resolver_only_until_its_deadline() -> None:
    go = threading.Event()

    def answer_late(host: str, port: int) -> list[Address]:
        assert go.wait(10)
        return ask_system("127.0.0.1", port)

    with running_fault_server() as server:
        transport, url = HttpTransport(names=HostNames(answer_late)), f"http://up.test:{server.port}/ops/status"
        for _ in range(2):
            took = seconds_until_unavailable(transport, url, "timeout")
            assert SECONDS <= took < SECONDS + MARGIN
        go.set()
        assert transport.ask(HttpRequest("GET", url), Deadline.after(2)).status == 200


def test_the_number_of_addresses_that_are_tried_is_limited() -> None:
    with running_fault_server() as server:
        transport = resolving_to(*["::1"] * MOST_ADDRESSES, "127.0.0.1")
        seconds_until_unavailable(transport, f"http://many.test:{server.port}/", "connect")
        assert server.connections == 0


@contextlib.contextmanager
def drips(data: bytes, every: float = 0.05) -> Iterator[int]:
    """Yield a port that sends one byte at a time, and then stays silent."""
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as client:
            for byte in data:
                client.sendall(bytes([byte]))
                if ended.wait(every):
                    return
            ended.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize("data", [b"", RECORD], ids=["silent", "dripped"])
def test_a_slow_handshake_ends_in_time(data: bytes) -> None:
    with drips(data) as port:
        took = seconds_until_unavailable(HttpTransport(), f"https://127.0.0.1:{port}/", "timeout")
        assert SECONDS <= took < SECONDS + MARGIN


def test_an_answer_that_stalls_ends_in_time() -> None:
    with drips(b"HTTP/1.1") as port:
        took = seconds_until_unavailable(HttpTransport(), f"http://127.0.0.1:{port}/", "timeout")
        assert SECONDS <= took < SECONDS + MARGIN


def test_a_second_connection_sends_the_same_host_name() -> None:
    transport = resolving_to("127.0.0.1")
    with running_fault_server() as server:
        server.mode = "cut-without-length"
        for _ in range(2):
            transport.ask(HttpRequest("GET", f"http://up.test:{server.port}/"), Deadline.after(SECONDS))
        assert server.connections == 2
        assert {asked.headers["host"] for asked in server.asked} == {f"up.test:{server.port}"}


def test_a_server_without_tls_has_its_own_kind_of_failure() -> None:
    with drips(b"HTTP/1.1 400 Bad Request\r\n", every=0) as port:
        assert seconds_until_unavailable(HttpTransport(), f"https://127.0.0.1:{port}/", "tls") < MARGIN
