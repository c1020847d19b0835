"""A backup API on 127.0.0.1 that fails in all the ways in which upstreams are known to fail.

Raw sockets, because no HTTP library lets a server misbehave this badly. Each mode is bounded in time
and size, and the server records its requests.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "hunter2-upstream-secret"
"""Included in every body and header that must not leak."""

LONGEST_SECONDS = 8.0
CHUNK = b"x" * 65_536


@dataclass(frozen=True)
class Received:
    target: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""

    @property
    def subject(self) -> dict[str, str]:
        if self.body:
            return dict(json.loads(self.body))
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class FaultServer:
    """The server's state; `mode` decides what the next answer does."""

    port: int
    mode: str = "ok"
    status: str = "succeeded"
    status_of: Callable[[dict[str, str]], str] | None = None
    """Returns the status of each subject, if they differ."""
    delay: float = 0.0
    """Seconds before each answer."""
    elsewhere: str = "http://127.0.0.1:9/"
    asked: list[Received] = field(default_factory=list)
    connections: int = 0
    shape: Callable[[dict[str, object]], object] = dict
    """Converts the document to the format of another backup system."""
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def document(self, request: Received, **changes: object) -> bytes:
        now = datetime.now(UTC)
        fields = {
            **request.subject,
            "status": self.status_of(request.subject) if self.status_of else self.status,
            "observedAt": now.isoformat(),
            "finishedAt": (now - timedelta(minutes=3)).isoformat(),
            "visibility": "public",
            "revision": 7,
            "note": SECRET,
            **changes,
        }
        return json.dumps(self.shape(fields)).encode()


Mode = Callable[[FaultServer, socket.socket, Received], None]
MODES: dict[str, Mode] = {}


def mode(name: str) -> Callable[[Mode], Mode]:
    def register(answer: Mode) -> Mode:
        MODES[name] = answer
        return answer

    return register


def send(
    client: socket.socket, body: bytes, *, code: int = 200, kind: str = "application/json", **headers: str
) -> None:
    """Send a complete, well-formed answer on a connection that stays open."""
    head = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Debug": SECRET}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    client.sendall(header(code, head) + body)


def header(code: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def close_after(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_RDWR)


@mode("ok")
def _ok(server: FaultServer, client: socket.socket, request: Received) -> None:
    etag = '"7"'
    if request.headers.get("if-none-match") == etag:
        client.sendall(header(304, {"ETag": etag}))
    else:
        send(client, server.document(request), ETag=etag)


@mode("drip")
def _drip(server: FaultServer, client: socket.socket, request: Received) -> None:
    body = server.document(request)
    client.sendall(header(200, {"Content-Type": "application/json", "Content-Length": str(len(body))}))
    drip(server, client, body)


@mode("drip-headers")
def _drip_headers(server: FaultServer, client: socket.socket, request: Received) -> None:
    drip(server, client, header(200, {"Content-Type": "application/json", "X-Long": "x" * 200}))


def drip(server: FaultServer, client: socket.socket, data: bytes) -> None:
    for byte in data[: int(LONGEST_SECONDS * 10)]:
        client.sendall(bytes([byte]))
        if server.ending.wait(0.1):
            return


@mode("hang-before-headers")
def _hang(server: FaultServer, client: socket.socket, request: Received) -> None:
    server.ending.wait(LONGEST_SECONDS)


@mode("reset")
def _reset(server: FaultServer, client: socket.socket, request: Received) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(client.detach())  # close() would wait for the reader object, and then not reset


@mode("cut-with-length")
def _cut(server: FaultServer, client: socket.socket, request: Received) -> None:
    body = server.document(request)
    client.sendall(header(200, {"Content-Type": "application/json", "Content-Length": str(len(body))}) + body[:40])
    close_after(client)


@mode("cut-without-length")
def _cut_unnoticed(server: FaultServer, client: socket.socket, request: Received) -> None:
    client.sendall(header(200, {"Content-Type": "application/json", "Connection": "close"}))
    client.sendall(server.document(request)[:40])
    close_after(client)


@mode("html200")
def _html(server: FaultServer, client: socket.socket, request: Received) -> None:
    send(client, f"<html><form>Log in, {SECRET}</form></html>".encode(), kind="text/html")


@mode("redirect-other-host")
def _redirect(server: FaultServer, client: socket.socket, request: Received) -> None:
    send(client, b"", code=302, Location=server.elsewhere)


@mode("moved")
def _moved(server: FaultServer, client: socket.socket, request: Received) -> None:
    if request.target.startswith("/old/"):
        send(client, b"", code=301, Location=request.target.removeprefix("/old"))
    else:
        send(client, server.document(request))


@mode("redirect-loop")
def _loop(server: FaultServer, client: socket.socket, request: Received) -> None:
    send(client, b"", code=302, Location=request.target)


def _plain(name: str, code: int, kind: str = "application/json", **headers: str) -> None:
    @mode(name)
    def answer(server: FaultServer, client: socket.socket, request: Received) -> None:
        send(client, json.dumps({"error": SECRET}).encode(), code=code, kind=kind, **headers)


_plain("401", 401)
_plain("403", 403)
_plain("403-ratelimit", 403, X_RateLimit_Remaining="0", Retry_After="30")
_plain("404-html", 404, kind="text/html")
_plain("410", 410)
_plain("429-seconds", 429, Retry_After="30")
_plain("500", 500)
_plain("503", 503, Retry_After="5")


@mode("429-date")
def _429_date(server: FaultServer, client: socket.socket, request: Received) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    send(client, b"{}", code=429, Retry_After=until)


def _document_mode(name: str, make: Callable[[FaultServer, Received], bytes]) -> None:
    @mode(name)
    def answer(server: FaultServer, client: socket.socket, request: Received) -> None:
        send(client, make(server, request))


_document_mode("bad-json", lambda server, request: b'{"status": ' + SECRET.encode())
_document_mode("deep-json", lambda server, request: b"[" * 100_000)
_document_mode("nan", lambda server, request: server.document(request).replace(b'"revision": 7', b'"revision": NaN'))
_document_mode("twice", lambda server, request: server.document(request)[:-1] + b', "status": "failed"}')
_document_mode("wrong-type", lambda server, request: server.document(request, status=["succeeded"], revision="7"))
_document_mode("other-subject", lambda server, request: server.document(request, subjectName="another"))
_document_mode("new-enum", lambda server, request: server.document(request, status="quantum"))
_document_mode(
    "future-time",
    lambda server, request: server.document(
        request, observedAt="2099-01-01T00:00:00Z", finishedAt="2099-01-01T00:00:00Z"
    ),
)


@mode("gzip-bomb")
def _bomb(server: FaultServer, client: socket.socket, request: Received) -> None:
    send(client, BOMB, Content_Encoding="gzip")


@mode("huge")
def _huge(server: FaultServer, client: socket.socket, request: Received) -> None:
    client.sendall(header(200, {"Content-Type": "application/json", "Content-Length": str(300_000_000)}))
    for _ in range(300_000_000 // len(CHUNK)):
        client.sendall(CHUNK)


BOMB = 4 * gzip.compress(b" " * 50_000_000, 9)
"""200 MB in 200 kB, in four members (RFC 1952, section 2.2)."""


# The `kind` of failure that any source reports for these modes.
FAILURE_KINDS = {
    "drip": "timeout",
    "drip-headers": "timeout",
    "hang-before-headers": "timeout",
    "reset": "reset",
    "cut-with-length": "truncated",
    "cut-without-length": "badJson",
    "html200": "notJson",
    "redirect-other-host": "redirect",
    "redirect-loop": "redirect",
    "401": "unauthorised",
    "403": "forbidden",
    "403-ratelimit": "rateLimited",
    "429-seconds": "rateLimited",
    "429-date": "rateLimited",
    "500": "http5xx",
    "503": "overloaded",
    "bad-json": "badJson",
    "deep-json": "badJson",
    "nan": "badJson",
    "gzip-bomb": "tooLarge",
    "huge": "tooLarge",
}


@contextlib.contextmanager
def running_fault_server() -> Iterator[FaultServer]:
    """Run a server on a port of its own, with a thread per connection, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = FaultServer(listener.getsockname()[1])

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            threading.Thread(target=_serve, args=(server, client), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        server.ending.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(server: FaultServer, client: socket.socket) -> None:
    # The client may break the connection in any way; these modes provoke that.
    with contextlib.suppress(OSError), client:
        reader: Any
        with client.makefile("rb") as reader:
            while (request := _read(reader)) is not None and not server.ending.is_set():
                server.asked.append(request)
                if server.delay:
                    server.ending.wait(server.delay)
                MODES[server.mode](server, client, request)


def _read(reader: Any) -> Received | None:
    line = reader.readline().split()
    if len(line) < 2:
        return None
    headers = {}
    while (field_line := reader.readline().strip()) != b"":
        name, _, value = field_line.partition(b":")
        headers[name.decode().lower()] = value.decode().strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Received(line[1].decode(), headers, line[0].decode(), body)
