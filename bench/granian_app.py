"""Our application on granian, which runs none of gunicorn's hooks and does not pass on the raw request target.

Without that target, `%2F` in a name can't be distinguished from a slash: good enough for measuring, not for production.
Needs a running Valkey at BADGE_REDIS_URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from badge.app import create_app
from badge.settings import load
from badge.telemetry.shared_counts import share_counts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_settings = load()
share_counts(_settings.workers)
_site = create_app(_settings)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request; the target is rebuilt from its decoded parts."""
    query = environ["QUERY_STRING"]
    environ["RAW_URI"] = environ["PATH_INFO"] + (f"?{query}" if query else "")
    return list(_site(environ, start_response))
