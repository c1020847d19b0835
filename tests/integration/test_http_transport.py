"""One deadline over all that comes before an answer: addresses, connections, TLS."""

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
from badge.sources.http.transport import HttpTransport
from tests.fault_server import running_fault_server

pytestmark = pytest.mark.alone

SECONDS = 0.5
MARGIN = 0.9
RECORD = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + b"\x03" * 200
"""The beginning of a ServerHello of 16 KiB (RFC 8446, sections 4 and 5.1)."""


@contextlib.contextmanager
def connects_to_nobody(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port whose queue is full, so that Linux drops what knocks."""
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


def lying_at(*hosts: str) -> HttpTransport:
    """For whom every name has these addresses."""
    return HttpTransport(names=HostNames(lambda _, port: [found for host in hosts for found in ask_system(host, port)]))


def seconds_until_unavailable(transport: HttpTransport, url: str, kind: str) -> float:
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=f"^{kind}$"):
        transport.get(url, {}, {}, Deadline.after(SECONDS))
    return time.monotonic() - began


@pytest.mark.parametrize("count", [1, 4, 40])
def test_all_addresses_of_a_name_share_the_time(count: int) -> None:
    transport = lying_at(*["127.0.0.1"] * count)
    with connects_to_nobody() as port:
        assert seconds_until_unavailable(transport, f"http://many.test:{port}/", "timeout") < SECONDS + MARGIN


def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    transport = lying_at("::1", "127.0.0.1")
    with running_fault_server() as server, connects_to_nobody("::1", server.port):
        answer = transport.get(f"http://dual.test:{server.port}/ops/status", {}, {}, Deadline.after(2))
        assert answer.status == 200
        assert server.asked[0].headers["host"] == f"dual.test:{server.port}"


def test_the_last_address_tells_what_was_wrong() -> None:
    with running_fault_server() as server:
        port = server.port
    transport = lying_at("::1", "127.0.0.1")
    assert seconds_until_unavailable(transport, f"http://dual.test:{port}/", "connect") < MARGIN


def unknown(host: str, port: int) -> list[Address]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def nothing(host: str, port: int) -> list[Address]:
    return []


@pytest.mark.parametrize("ask", [unknown, nothing])
def test_a_name_without_address_is_an_outage(ask: Callable[[str, int], list[Address]]) -> None:
    transport = HttpTransport(names=HostNames(ask))
    assert seconds_until_unavailable(transport, "http://nowhere.test:9/", "connect") < MARGIN


def test_a_resolver_that_is_silent_costs_a_question_its_time_and_later_ones_too_only_theirs() -> None:
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
        assert transport.get(url, {}, {}, Deadline.after(2)).status == 200


def test_only_so_many_addresses_are_tried() -> None:
    with running_fault_server() as server:
        transport = lying_at(*["::1"] * MOST_ADDRESSES, "127.0.0.1")
        seconds_until_unavailable(transport, f"http://many.test:{server.port}/", "connect")
        assert server.connections == 0


@contextlib.contextmanager
def drips(data: bytes, every: float = 0.05) -> Iterator[int]:
    """A port that sends a byte now and then, and nothing once there is no more."""
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
def test_a_handshake_ends_in_time_however_slow(data: bytes) -> None:
    with drips(data) as port:
        took = seconds_until_unavailable(HttpTransport(), f"https://127.0.0.1:{port}/", "timeout")
        assert SECONDS <= took < SECONDS + MARGIN


def test_a_drip_that_dries_up_ends_in_time_too() -> None:
    with drips(b"HTTP/1.1") as port:
        took = seconds_until_unavailable(HttpTransport(), f"http://127.0.0.1:{port}/", "timeout")
        assert SECONDS <= took < SECONDS + MARGIN


def test_a_second_connection_asks_for_the_same_name() -> None:
    transport = lying_at("127.0.0.1")
    with running_fault_server() as server:
        server.mode = "cut-without-length"
        for _ in range(2):
            transport.get(f"http://up.test:{server.port}/", {}, {}, Deadline.after(SECONDS))
        assert server.connections == 2
        assert {asked.headers["host"] for asked in server.asked} == {f"up.test:{server.port}"}


def test_what_is_not_tls_is_told_apart() -> None:
    with drips(b"HTTP/1.1 400 Bad Request\r\n", every=0) as port:
        assert seconds_until_unavailable(HttpTransport(), f"https://127.0.0.1:{port}/", "tls") < MARGIN
