"""Lua scripts, run by hash, or by text if the server does not have them yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from badge.cache.redis.connection import Client


class RedisScript:
    """A Lua script. redis-py's own class loads it into every server of a Cluster, and fails if one of them is down."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Client, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run the script. All keys must be in one slot; raises redis-py's exceptions."""
        words: list[Any] = [*keys, *args]
        try:
            return client.evalsha(self._hash, len(keys), *words)
        except NoScriptError:
            return client.eval(self._text, len(keys), *words)
