"""gunicorn's threaded worker: answers refused badge requests with an image, and keeps request details out of logs."""

from __future__ import annotations

import contextlib
import re
import socket
import string
import traceback
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from badge.web.raw_path import is_badge_path

# How many more bytes to read from a client that is still sending. Closing the connection earlier would reset it,
# and the answer would be lost.
_MOST_UNREAD = 1024 * 1024


class BadgeWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """A threaded worker that answers unreadable badge requests with an image.

    gunicorn calls `handle_error` for requests that it can't read, so the application would never see them.
    """

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Let the application answer a badge request that gunicorn refuses; leave other errors to gunicorn."""
        environ = _badge_request(exc) if req is None and isinstance(exc, ParseException) else None
        if environ is None:
            # None instead of the request, whose target gunicorn would log.
            super().handle_error(None, client, addr, _without_details(exc))
            return
        head: list[str] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            head[:] = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close"]

        body = b"".join(self.wsgi(environ, start_response))
        with contextlib.suppress(OSError):  # the client has gone
            client.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
            client.shutdown(socket.SHUT_WR)
            client.setblocking(False)
            for _ in range(_MOST_UNREAD // 65536):
                if not client.recv(65536):
                    break


def _without_details(error: BaseException) -> BaseException:
    """Return an error with the same status, but without the request line or header that gunicorn logs and echoes.

    They may hold tokens, ping URLs and subjects' names.
    """
    if isinstance(error, ParseException) and not isinstance(error, (LimitRequestLine, LimitRequestHeaders)):
        return type(error)("(not shown)")  # type: ignore[no-any-return] # gunicorn ships no types
    return error


def _badge_request(refusal: Exception) -> dict[str, Any] | None:
    """Return the WSGI environment of the request that gunicorn refused, without headers, if it was for a badge."""
    method, target = _request_line(refusal)
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    return environ if method in ("GET", "HEAD") and is_badge_path(environ) else None


def _request_line(refusal: Exception) -> tuple[str, str]:
    """Return the request's method and target, as far as gunicorn has read them.

    The exception doesn't hold the request, so they are taken from the variables of the parser that raised it.
    """
    frames = [frame for frame, _ in traceback.walk_tb(refusal.__traceback__)]
    found = frames[-1].f_locals if frames else {}
    if "line_bytes" not in found and getattr(found.get("self"), "uri", None):
        return found["self"].method, found["self"].uri
    line, *_ = bytes(found.get("line_bytes") or found.get("data") or b"").lstrip(b"\r\n").split(b"\n", 1)
    method, _, rest = line.rstrip(b"\r").partition(b" ")
    # A raw space is part of the target: what precedes it may be another subject's name.
    target = re.sub(rb" HTTP/[0-9.]*$", b"", rest)
    return method.decode("latin-1"), quote(target, safe=string.punctuation)
