"""Requests to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


@dataclass(frozen=True)
class Answer:
    """A response, with its header names as they were sent."""

    code: int
    headers: dict[str, str]
    body: bytes


async def ask(
    application: Application,
    target: str,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: Sequence[bytes] = (b"",),
) -> Answer:
    """Send one request, its body in these pieces; returns the response."""
    path, _, query = target.encode("latin-1").partition(b"?")
    scope = {
        "type": "http",
        "method": method,
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8000),
    }
    pieces, sent = list(body), []

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.Event().wait()  # a client that sends nothing more
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or len(body) == 0}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start, *rest = sent
    answered = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], answered, b"".join(message["body"] for message in rest))
