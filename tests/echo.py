"""A WSGI application that shows what it was given, and an edge that wraps the application."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from badge.edge.application import Edge, EdgeLimits
from badge.edge.cache import EdgeCacheLimits
from badge.raw_path import Audience
from tests.edge import EdgeRig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the variables that are text, and the body."""
    shown = {name: value for name, value in environ.items() if isinstance(value, str)}
    answer = json.dumps({**shown, "body": environ["wsgi.input"].read().decode("latin-1")}, sort_keys=True).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


_FEW = dict.fromkeys(Audience, 4)
edge = Edge(
    application, EdgeRig(), EdgeRig(), EdgeLimits(EdgeCacheLimits(), _FEW, dict.fromkeys(Audience, 64), 1, 1 << 20)
)
