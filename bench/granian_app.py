"""Our application for granian, which runs none of gunicorn's hooks and hands over no raw request target.

Without one, granian can't tell `%2F` in a name from a slash between names: good enough for measuring it,
not for serving. Its Valkey is one that runs already, by BADGE_REDIS_URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from badge.metrics_folder import claim_folder
from badge.settings import load

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_settings = load()
claim_folder(_settings.data_dir / "metrics")

from badge.app import create_app  # noqa: E402 - imports what looks for the folder of the counts, once

_site = create_app(_settings)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer, with the target put together again from its decoded parts."""
    query = environ["QUERY_STRING"]
    environ["RAW_URI"] = environ["PATH_INFO"] + (f"?{query}" if query else "")
    return list(_site(environ, start_response))
