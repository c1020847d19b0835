"""A request's path as it was sent, before WSGI decodes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

BADGE_ROOT = "/badge/"


def raw_path(environ: Mapping[str, Any]) -> str:
    """The request's path as it was sent, percent-encoded, without query and host.

    Only `RAW_URI` (gunicorn, Werkzeug) keeps `%2F` apart from `/`; WSGI's PATH_INFO is decoded
    (PEP 3333). Without it, what is left of the path is encoded again.
    """
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if target.startswith("/"):
        # Not urlsplit: it would take the first segment of "//badge/…" for a host.
        return _percent_encoded(target.partition("?")[0].partition("#")[0])
    try:
        path = urlsplit(target).path
    except ValueError:
        path = ""
    return _percent_encoded(path) or quote(_wsgi_bytes(environ, "SCRIPT_NAME") + _wsgi_bytes(environ, "PATH_INFO"))


def _wsgi_bytes(environ: Mapping[str, Any], name: str) -> bytes:
    return str(environ.get(name, "")).encode("latin-1", "replace")


def _percent_encoded(target: str) -> str:
    """Raw bytes above ASCII, which WSGI shows as Latin-1, in percent-encoding like the rest."""
    if target.isascii():
        return target
    return "".join(char if char.isascii() else quote(char.encode("latin-1", "replace")) for char in target)


def is_badge_path(environ: Mapping[str, Any]) -> bool:
    """Whether the request is for a badge, so that whatever goes wrong has to end in an image."""
    return ("/" + raw_path(environ).lstrip("/")).startswith(BADGE_ROOT)


def badge_path(environ: Mapping[str, Any]) -> str:
    """What follows `/badge/` in the request's raw path."""
    return raw_path(environ).lstrip("/").removeprefix(BADGE_ROOT.lstrip("/"))
