"""Slow clients cost a connection, not a thread: a service without a proxy serves a thousand of them."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from itertools import cycle, islice
from urllib.parse import urlsplit

import pytest

from tests.load import at_a_rate, percentile
from tests.servers import Service, running_service
from tests.timing import ROOM, assert_within, seconds_of

SILENT, DRIPPING = 800, 200
PROMISED_SECONDS = 0.05


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), BADGE_WORKERS="1", BADGE_CONNECTIONS="1100") as service:
        service.flask_badge("report", "acme/web", "succeeded")
        yield service


@contextlib.contextmanager
def connections(service: Service, number: int) -> Iterator[list[socket.socket]]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        address = urlsplit(service.url)
        yield [
            stack.enter_context(socket.create_connection((address.hostname, address.port or 0), timeout=5))
            for _ in range(number)
        ]


@pytest.mark.alone
def test_badges_are_answered_while_others_are_silent_or_drip(service: Service) -> None:
    with connections(service, SILENT), connections(service, DRIPPING) as dripping:
        for client, ends in zip(dripping, cycle((b"X-Long: ", b"\r\n"))):  # in the head or in the body
            client.sendall(b"POST /ops/status/report HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n" + ends)
        turns = cycle(dripping)

        def drip(_: float) -> None:
            for client in islice(turns, 20):
                client.sendall(b"x")

        def slowest() -> float:
            answers = at_a_rate([f"{service.url}/badge/acme/web?v={number}" for number in range(100)], 50, drip)
            assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
            return percentile(answers, 0.99)

        assert service.get("/livez").status_code == 200  # by now, all connections have been accepted
        assert_within(ROOM * PROMISED_SECONDS, slowest)


@pytest.mark.alone
def test_many_connections_at_once_are_accepted_without_delay(service: Service) -> None:
    def seconds() -> float:
        with contextlib.ExitStack() as stack:
            return seconds_of(lambda: stack.enter_context(connections(service, 500)))

    assert_within(1.0, seconds)  # a second passes before a dropped connection is tried again


def test_beyond_the_limit_connections_are_closed_and_the_others_go_on(service: Service) -> None:
    with connections(service, 1150) as clients:
        assert received(clients[-1]) == b""
        clients[0].sendall(b"GET /badge/acme/web.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert clients[0].recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert service.get("/badge/acme/web.txt").text == "succeeded\n"


def received(client: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: client.recv(4096), b""))
    return b""
