"""The path of a request as it was sent, before WSGI decodes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

BADGE_ROOT = "/badge/"
SUMMARY = "/summary"
STATUS_ROOT = "/status/"
LONGEST_TARGET = 8_000
"""In bytes, without the path prefix. gunicorn's limit for the whole request line is 8,190."""
WITHOUT_PREFIX = frozenset({"livez", "readyz", "healthz", "metrics"})
"""First segments of paths that are also served without the path prefix."""
NEVER_IN_PREFIX = WITHOUT_PREFIX | {BADGE_ROOT.strip("/"), SUMMARY.strip("/")}
"""First segments that a path prefix may not have.

Badge and summary URLs from before a prefix was set still get an image. If the prefix itself began with `/badge` or
`/summary`, such URLs could be mistaken for URLs with the prefix.
"""


def raw_path(environ: Mapping[str, Any]) -> str:
    """Return the request's percent-encoded path, without host and query.

    Only `RAW_URI` (gunicorn, Werkzeug) and `REQUEST_URI` distinguish `%2F` from `/`: WSGI's PATH_INFO is decoded (PEP
    3333). If the server sets neither, PATH_INFO is encoded again.
    """
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    return raw_path_of(target) or _encoded_path(environ)


def has_token(query: str) -> bool:
    """Whether the query has a parameter `token`, as Flask reads it, but without raising if it is not UTF-8."""
    return any(name == "token" for name, _ in parse_qsl(query, keep_blank_values=True))


def raw_target(environ: Mapping[str, Any]) -> str:
    """Return the request target, as it was sent if that is known."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return str(target or f"{_encoded_path(environ)}?{environ.get('QUERY_STRING', '')}")


def without_prefix(target: str, prefix: str) -> str | None:
    """Return a request target without the path prefix, as the routes see it; None if it doesn't begin with the prefix.

    The prefix is compared byte for byte and removed once. Nothing is decoded, so `%2F` stays in what follows.
    """
    path = target if target.startswith("/") else _WEB_ORIGIN.sub("", target)
    rest = path.removeprefix(prefix)
    if not prefix or len(rest) == len(path) or rest[:1] not in ("", "/", "?", "#"):
        return None
    return rest if rest.startswith("/") else f"/{rest}"


_WEB_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def answers_without_prefix(path: str) -> bool:
    """Whether a raw path is served under a prefix as well as without it, for probes that bypass the proxy."""
    return path.lstrip("/").partition("/")[0] in WITHOUT_PREFIX


def raw_path_of(target: str) -> str:
    """Return the percent-encoded path of a request target, which may be a whole URL; empty if it has none.

    A target that can't be parsed is returned whole, which matches no route.
    """
    if target.startswith("/"):
        # urlsplit would treat the first segment of "//badge/…" as a host.
        return _percent_encoded(target.partition("?")[0].partition("#")[0])
    try:
        return _percent_encoded(urlsplit(target).path)
    except ValueError:
        return _percent_encoded(target)


def is_too_long(environ: Mapping[str, Any]) -> bool:
    """Whether the request target, with its query, is longer than a badge's may be."""
    return len(raw_target(environ)) > LONGEST_TARGET


def _encoded_path(environ: Mapping[str, Any]) -> str:
    return quote(_wsgi_bytes(environ, "SCRIPT_NAME") + _wsgi_bytes(environ, "PATH_INFO"))


def _wsgi_bytes(environ: Mapping[str, Any], name: str) -> bytes:
    return str(environ.get(name, "")).encode("latin-1", "replace")


def _percent_encoded(target: str) -> str:
    """Percent-encode raw non-ASCII bytes, which WSGI presents as Latin-1."""
    if target.isascii():
        return target
    return "".join(char if char.isascii() else quote(char.encode("latin-1", "replace")) for char in target)


def is_badge_path(environ: Mapping[str, Any]) -> bool:
    """Whether the request is for a badge or a summary, so that even an error must be answered with an image."""
    return audience_of(raw_path(environ)) is Audience.IMAGES


def is_for_readers(environ: Mapping[str, Any]) -> bool:
    """Whether the request is for a badge, a summary or a status page, whose answers proxies may cache."""
    return is_badge_path(environ) or raw_path(environ).lstrip("/").startswith(STATUS_ROOT.lstrip("/"))


class Audience(StrEnum):
    """Who a path is for. It decides the form of errors, and which threads answer."""

    IMAGES = "images"
    PROGRAMS = "programs"
    PEOPLE = "people"
    SCRAPES = "scrapes"
    """Prometheus, reading the metrics of all subjects, which takes longer than most requests."""


FOR_PROGRAMS = frozenset({"ops", "ping", "metrics", "livez", "readyz", "healthz", "version", "openapi.yaml"})
"""First path segments under which errors are always problem documents, even for browsers."""


def audience_of(path: str) -> Audience:
    """Return who a raw path is for."""
    path = path.lstrip("/")
    if path.startswith(BADGE_ROOT.lstrip("/")) or _is_of_summary(path):
        return Audience.IMAGES
    if path.startswith("metrics/"):
        return Audience.SCRAPES
    return Audience.PROGRAMS if path.partition("/")[0] in FOR_PROGRAMS else Audience.PEOPLE


def status_path(environ: Mapping[str, Any]) -> str:
    """Return what follows `/status/` in the request's raw path."""
    return raw_path(environ).lstrip("/").removeprefix(STATUS_ROOT.lstrip("/"))


def badge_path(environ: Mapping[str, Any]) -> str:
    """Return what follows `/badge/` in the request's raw path."""
    return raw_path(environ).lstrip("/").removeprefix(BADGE_ROOT.lstrip("/"))


def summary_path(environ: Mapping[str, Any]) -> str | None:
    """Return what follows `/summary` in the request's raw path, with its slash; None if it is for something else."""
    path = raw_path(environ).lstrip("/")
    return path.removeprefix(SUMMARY.lstrip("/")) if _is_of_summary(path) else None


def _is_of_summary(path: str) -> bool:
    return f"{path}/".startswith(f"{SUMMARY.lstrip('/')}/")
