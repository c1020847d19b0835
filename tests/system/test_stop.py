"""How the service stops, where it listens, and what it can be started with."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.servers import BIN, PROJECT, Service, clean_environment, eventually, free_port, running_service

BADGE_REQUEST = b"GET /badge/acme/web.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Listening(NamedTuple):
    """A service that listens on a port of 127.0.0.1, on a port for IPv6 and IPv4, and on a Unix socket."""

    service: Service
    one: int
    both: int
    path: Path


def client_of(service: Service) -> socket.socket:
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname, address.port or 0), timeout=10)


def ask(client: socket.socket, sent: bytes) -> tuple[bytes, bytes]:
    """Send a request; returns head and body of its response."""
    client.sendall(sent)
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(4096)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    while len(body) < length:
        body += client.recv(4096)
    return head, body


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Run a service with `wsgi:application`, meant for any WSGI server, and with more addresses to listen on."""
    folder, one, both = tmp_path_factory.mktemp("service"), free_port(), free_port()
    path = folder / "s.sock"
    binds = f"-b 127.0.0.1:{one} -b [::]:{both} -b unix:{path}"
    settings = {"BADGE_BIND": f"127.0.0.1:{one}", "BADGE_WORKERS": "1", "GUNICORN_CMD_ARGS": binds}
    with running_service(folder / "data", "wsgi:application", **settings) as service:
        service.flask_badge("report", "acme/web", "succeeded")
        yield Listening(service, one, both, path)


def test_it_listens_on_ipv4_on_ipv6_and_on_a_unix_socket(running: Listening) -> None:
    here, mapped = ("127.0.0.1", running.one), ("127.0.0.1", running.both)
    for address in (here, mapped, ("::1", running.both)):
        with socket.create_connection(address, timeout=10) as client:
            assert ask(client, BADGE_REQUEST)[1] == b"succeeded\n"
            is_open = b"HTTP/1.1 200 " in ask(client, METRICS)[0]
            assert is_open or address == mapped, "a request from this machine was refused"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(running.path))
        assert ask(client, BADGE_REQUEST)[1] == b"succeeded\n"
        assert b"HTTP/1.1 401 " in ask(client, METRICS)[0]  # a Unix socket does not reveal where a request is from
        head, _ = ask(client, b"GET /dashboard HTTP/1.0\r\n\r\n")
        assert b"\r\nLocation: /login" in head, "the redirect names a host"


def test_gunicorn_puts_the_edge_in_front_of_the_wsgi_application(running: Listening) -> None:
    assert eventually(lambda: _is_answered_by_the_edge(running.service))


def _is_answered_by_the_edge(service: Service) -> bool:
    before = service.counted("badge_hot_path_hits_total")
    assert {service.get("/badge/acme/web.txt").text for _ in range(3)} == {"succeeded\n"}
    return service.counted("badge_hot_path_hits_total") > before


def test_a_stop_finishes_requests_closes_idle_connections_and_takes_little_time(running: Listening) -> None:
    """Runs last of those that share a service."""
    service = running.service
    with client_of(service) as idle, client_of(service) as fresh, client_of(service) as busy:
        ask(idle, BADGE_REQUEST)
        busy.sendall(b"POST /ops/status/get HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        service.get("/livez")
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        assert fresh.recv(1) == b""
        head, _ = ask(busy, b"}")
        assert head.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nConnection: close" in head
        assert busy.recv(1) == b""
    assert service.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in service.log.read_text()


def test_a_worker_that_has_served_its_requests_is_replaced_and_none_is_lost(tmp_path: Path) -> None:
    with running_service(
        tmp_path, BADGE_WORKERS="1", GUNICORN_CMD_ARGS="--max-requests 20 --max-requests-jitter 0"
    ) as service:
        (before,) = service.workers()
        with client_of(service) as client:
            heads = []
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(40):
                    heads.append(ask(client, BADGE_REQUEST)[0])
                    if b"Connection: close" in heads[-1]:
                        break
            assert b"Connection: close" in heads[-1]
            assert client.recv(1) == b""
        assert {service.get("/badge/acme/web").status_code for _ in range(10)} == {200}
        assert eventually(lambda: before not in service.workers() and len(service.workers()) == 1, 10)


def test_another_worker_class_is_refused_in_one_line(tmp_path: Path) -> None:
    command = [str(BIN / "gunicorn"), "-k", "gthread", "-c", "config/gunicorn.conf.py"]
    settings = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_BIND": f"127.0.0.1:{free_port()}"}
    started = subprocess.run(  # noqa: PLW1510 - the code is asserted
        command, cwd=PROJECT, env={**clean_environment(), **settings}, capture_output=True, text=True, timeout=30
    )
    assert started.returncode == 2
    assert "Remove -k:" in started.stderr.splitlines()[-1]
