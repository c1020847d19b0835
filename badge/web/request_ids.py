"""Request IDs, from the proxy or generated: in log lines, and on responses other than badges and status pages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from badge.raw_path import is_for_readers
from badge.telemetry.logs import request_named

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Clients control this header and it ends up in log lines, so only plausible IDs are accepted.
_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}")


class RequestIds:
    """WSGI middleware that gives each request an ID."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, with its ID set for log lines."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("X-Request-ID", request_id)], *rest)

        with request_named(request_id):
            # Proxies cache badges and status pages and serve them to other clients, for whose requests this ID would be
            # wrong.
            return self._application(environ, start_response if is_for_readers(environ) else start)
