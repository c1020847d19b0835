"""Applications that always return the same recorded badge, to measure the cost of the server alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from badge.edge.application import Send
    from badge.edge.wsgi import Receive, Scope

_recorded = json.loads(Path(os.environ["BENCH_ANSWER"]).read_text())
_headers = list(_recorded["headers"].items())
_encoded = [(name.encode(), value.encode()) for name, value in _headers]
_body = _recorded["body"].encode()


def wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as a WSGI application."""
    del environ
    start_response("200 OK", _headers)
    return [_body]


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as an ASGI application."""
    del receive
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": _encoded})
    await send({"type": "http.response.body", "body": _body})
