"""Raw requests on a connection, and the responses to them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NEXT = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Last: yes\r\nConnection: close\r\n\r\n"
"""Sent after each request, on the same connection. The answer shows where the server thinks the first request ended."""

QUIET_SECONDS = 0.5
CLOSES_WITHIN = 8.0

_INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d ")


@dataclass(frozen=True)
class Response:
    """One response, as it was sent."""

    status_line: bytes
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    def header(self, name: str) -> str | None:
        """Return a header's value; None without it."""
        return dict(self.headers).get(name)


def request(
    target: str | bytes,
    *headers: str | bytes,
    method: str = "GET",
    version: str = "HTTP/1.1",
    body: bytes = b"",
) -> bytes:
    """Return a request with these header lines unchanged, and a `Host` line unless one is given."""
    lines = [_encoded(header) for header in headers]
    if not any(line.lower().startswith(b"host") for line in lines):
        lines.insert(0, b"Host: x")
    start = b" ".join(filter(None, [method.encode(), _encoded(target), version.encode()]))
    return b"\r\n".join([start, *lines, b"", body])


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


async def exchange(address: tuple[str, int], sent: bytes, methods: Sequence[str]) -> list[Response]:
    """Send requests on one connection, and return the responses until the server closes it.

    If the server waits for more, such as the rest of a body, the client closes its side after a moment.
    """
    reader, writer = await asyncio.open_connection(*address)
    received = bytearray()
    try:
        writer.write(sent)
        async with asyncio.timeout(CLOSES_WITHIN):
            while data := await _read(reader, writer):
                received += data
    finally:
        writer.transport.abort()
    return list(responses(bytes(received), methods))


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    reading = asyncio.ensure_future(reader.read(1 << 16))
    _, waiting = await asyncio.wait((reading,), timeout=QUIET_SECONDS)
    try:
        if waiting:
            writer.write_eof()
        return await reading
    except OSError:  # the server has reset the connection
        return b""


def exchange_all(
    address: tuple[str, int], connections: Iterable[tuple[bytes, Sequence[str]]], at_once: int = 8
) -> list[list[Response]]:
    """Run many exchanges, some of them at the same time."""

    async def run() -> list[list[Response]]:
        free = asyncio.Semaphore(at_once)

        async def one(sent: bytes, methods: Sequence[str]) -> list[Response]:
            async with free:
                return await exchange(address, sent, methods)

        return await asyncio.gather(*(one(*connection) for connection in connections))

    return asyncio.run(run())


def responses(received: bytes, methods: Sequence[str]) -> Iterable[Response]:
    """Split what was received into responses; `methods` are those of the requests, on which bodies depend."""
    left = list(methods)
    while received:
        head, ends, received = received.partition(b"\r\n\r\n")
        assert ends, f"not a response: {head[:200]!r}"
        if _INTERIM.match(head):
            yield Response(head.partition(b"\r\n")[0], (), b"")
            continue
        status_line, _, rest = head.partition(b"\r\n")
        headers = tuple(_header(line) for line in rest.split(b"\r\n") if line)
        response = Response(status_line, headers, b"")
        method = left.pop(0) if left else "GET"
        if method == "HEAD" or response.status in (204, 304):
            yield response
            continue
        body, received = _body({name.lower(): value for name, value in headers}, received)
        yield Response(status_line, headers, body)


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name, value.strip()


def _body(headers: dict[str, str], received: bytes) -> tuple[bytes, bytes]:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, _, received = received.partition(b"\r\n")
            length = int(size, 16)
            body, received = body + received[:length], received[length + 2 :]
            if length == 0:
                return body, received
    length = int(headers.get("content-length", len(received)))
    return received[:length], received[length:]
