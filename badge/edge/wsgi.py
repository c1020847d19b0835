"""Calls a WSGI application (PEP 3333) for an ASGI request, with its raw target, and with the body read beforehand.

Libraries that do this (asgiref, a2wsgi) lose the raw target, and with it `%2F` in names, and can't limit how
many requests wait for a thread.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from badge.edge.cache import Message, encoded, response_start
from badge.finished import Headers, WholeResponse
from badge.raw_path import raw_path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

_SINGLE = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def messages_of(response: WholeResponse, method: str) -> tuple[Message, Message]:
    """Return a response as ASGI messages, with a Content-Length, which HTTP/1.0 clients need."""
    headers, body = response.headers, b"" if method == "HEAD" else response.body
    if body and not any(name.lower() == "content-length" for name, _ in headers):
        headers = [*headers, ("Content-Length", str(len(body)))]
    return response_start(response.status, map(encoded, headers)), {"type": "http.response.body", "body": body}


class TooMuchHeld(Exception):
    """The bodies of all requests together would take too much memory."""


class HeldBodies:
    """Limits the memory for request bodies: those being read, and those of requests that are not answered yet."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0

    @contextlib.contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes for one request until the context ends; it raises `TooMuchHeld`."""
        added = 0

        def add(size: int) -> None:
            nonlocal added
            if self._held + size > self._most:
                raise TooMuchHeld
            self._held += size
            added += size

        try:
            yield add
        finally:
            self._held -= added


async def read_body(receive: Receive, most_bytes: int, hold: Callable[[int], None]) -> bytes | None:
    """Read the body, but not much more than `most_bytes`; returns None if the client disconnects."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        hold(len(chunks[-1]))
        if size > most_bytes or not message.get("more_body", False):
            return b"".join(chunks)


def call(application: WSGIApplication, environ: WSGIEnvironment) -> WholeResponse:
    """Run the application and return its whole response; raises what it raises."""
    head: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        del exc_info  # nothing has been sent yet, so a new start replaces the first
        head[:] = [(status, headers)]
        return written.append

    chunks: Iterable[bytes] = application(environ, start_response)
    try:
        written.extend(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = head[0]
    return WholeResponse(int(status.partition(" ")[0]), headers, b"".join(written))


def plain_get(target: str) -> WSGIEnvironment:
    """Return the environment of a GET request without any header."""
    return _environ({"REQUEST_METHOD": "GET", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}, target, b"")


def environ_of(scope: Scope, target: str, body: bytes) -> WSGIEnvironment:
    """Return the environment of an ASGI request, as gunicorn's WSGI workers would build it."""
    host, port = _address(scope.get("server")) or ("localhost", "80")
    client, _ = _address(scope.get("client")) or ("", "")
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "wsgi.url_scheme": scope["scheme"],
        "REMOTE_ADDR": client,
        **_header_variables(scope["headers"]),
    }
    return _environ(environ, target, body)


def _address(address: Any) -> tuple[str, str] | None:
    """Return host and port; None for a Unix socket: gunicorn passes two characters of its path in their place."""
    match address:
        case (str(host), int(port)):
            return host, str(port)
        case _:
            return None


def _environ(more: dict[str, Any], target: str, body: bytes) -> WSGIEnvironment:
    return {
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "RAW_URI": target,
        "PATH_INFO": unquote_to_bytes(raw_path_of(target)).decode("latin-1"),
        "QUERY_STRING": target.partition("#")[0].partition("?")[2],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **more,
    }


def _header_variables(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers as WSGI variables; repeated headers are joined."""
    variables: dict[str, str] = {}
    for name, value in headers:
        variable = _SINGLE.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        variables[variable] = f"{variables[variable]},{text}" if variable in variables else text
    return variables
