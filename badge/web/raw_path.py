"""The path of a request as it was sent, before WSGI decodes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

BADGE_ROOT = "/badge/"
LONGEST_TARGET = 8_000
"""In bytes. gunicorn's limit for the whole request line is 8,190."""


def raw_path(environ: Mapping[str, Any]) -> str:
    """Return the request's percent-encoded path, without host and query.

    Only `RAW_URI` (gunicorn, Werkzeug) distinguishes `%2F` from `/`; WSGI's PATH_INFO is decoded (PEP 3333).
    Without it, PATH_INFO is encoded again.
    """
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if target.startswith("/"):
        # urlsplit would treat the first segment of "//badge/…" as a host.
        return _percent_encoded(target.partition("?")[0].partition("#")[0])
    try:
        path = urlsplit(target).path
    except ValueError:
        path = ""
    return _percent_encoded(path) or quote(_wsgi_bytes(environ, "SCRIPT_NAME") + _wsgi_bytes(environ, "PATH_INFO"))


def is_too_long(environ: Mapping[str, Any]) -> bool:
    """Whether the request target, with its query, is longer than a badge's may be."""
    target = environ.get("RAW_URI") or f"{raw_path(environ)}?{environ.get('QUERY_STRING', '')}"
    return len(target) > LONGEST_TARGET


def _wsgi_bytes(environ: Mapping[str, Any], name: str) -> bytes:
    return str(environ.get(name, "")).encode("latin-1", "replace")


def _percent_encoded(target: str) -> str:
    """Percent-encode raw non-ASCII bytes, which WSGI presents as Latin-1."""
    if target.isascii():
        return target
    return "".join(char if char.isascii() else quote(char.encode("latin-1", "replace")) for char in target)


def is_badge_path(environ: Mapping[str, Any]) -> bool:
    """Whether the request is for a badge, so that even an error must be answered with an image."""
    return ("/" + raw_path(environ).lstrip("/")).startswith(BADGE_ROOT)


def badge_path(environ: Mapping[str, Any]) -> str:
    """Return what follows `/badge/` in the request's raw path."""
    return raw_path(environ).lstrip("/").removeprefix(BADGE_ROOT.lstrip("/"))
