"""Finds faults in a database URL before anything connects to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

USAGE = "must be sqlite:///path or postgresql+psycopg://user:password@host:port/name"
ENCODE = f"{USAGE}, with special characters percent-encoded"
_SCHEMES = re.compile(r"(sqlite|postgresql(?:\+psycopg)?)://")


def fault_of(url: str) -> str | None:
    """Return what is wrong with a URL, or None; quotes nothing from the URL but option names.

    For a PostgreSQL URL, the driver must be installed.
    """
    scheme = _SCHEMES.match(url)
    if scheme is None:
        return USAGE
    from sqlalchemy import make_url  # noqa: PLC0415 - takes 10 MB; needed only if a URL is set
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        return ENCODE
    fault = _fault_of_sqlite(parts) if scheme[1] == "sqlite" else _fault_of_postgresql(parts)
    # With an unencoded "?" in the password, the rest of it looks like an option; it must not get into a message.
    return ENCODE if fault and "@" in url.partition("?")[2] else fault


def _fault_of_sqlite(parts: URL) -> str | None:
    if parts.host or not parts.database or parts.database == ":memory:":
        return "must name a file, as in sqlite:///path"
    return "must be sqlite:///path without options" if parts.query else None


def _fault_of_postgresql(parts: URL) -> str | None:
    from psycopg.pq import Conninfo  # noqa: PLC0415 - an optional package

    if parts.port is not None and not 0 < parts.port <= 65535:
        return "must have a port from 1 to 65535"
    unknown = sorted(set(parts.query) - {option.keyword.decode() for option in Conninfo.get_defaults()})
    return f"remove {' and '.join(unknown)}, which PostgreSQL does not know" if unknown else None
