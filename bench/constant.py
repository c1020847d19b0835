"""A WSGI application that always returns the same recorded badge, to measure the cost of the server alone.

Served with our own gunicorn settings, whose hooks need `extensions`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from badge.web.health import Readiness

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Constant:
    """The application."""

    def __init__(self, recorded: Path) -> None:
        answer = json.loads(recorded.read_text())
        self._headers = [(name, value) for name, value in answer["headers"].items()]
        self._body = answer["body"].encode()
        self.extensions = {"readiness": Readiness({}), "warm_up": lambda: None}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the recorded badge."""
        del environ
        start_response("200 OK", self._headers)
        return [self._body]


application = Constant(Path(os.environ["BENCH_ANSWER"]))
