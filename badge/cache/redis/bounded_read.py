"""Reads values of limited size from a server on which others may have stored anything under our keys."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from badge.cache.envelope import LONGEST

# Returned for a missing value, and for one of another type; neither can be one of our values.
NOTHING, FOREIGN = b"", b"?"


def bounded_read(client: Any, name: str) -> bytes:
    """Return at most `LONGEST` + 1 bytes of a value, so that a planted 10 MB value can't slow us down."""
    try:
        raw: Any = client.getrange(name, 0, LONGEST)
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return FOREIGN
    return raw if isinstance(raw, bytes) else FOREIGN
