"""Reading what lies under our names in the server, where others may have put anything."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from badge.cache.envelope import LONGEST

# What is read where there is no value, and where one of another type stands under our name: no value of ours is
# like that.
NOTHING, FOREIGN = b"", b"?"


def bounded_read(client: Any, name: str) -> bytes:
    """What lies there, as far as it may be ours: who plants 10 MB must not make us wait for them."""
    try:
        raw: Any = client.getrange(name, 0, LONGEST)
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return FOREIGN
    return raw if isinstance(raw, bytes) else FOREIGN
