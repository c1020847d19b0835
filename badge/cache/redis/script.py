"""A Lua script by its hash, and by its text where the server does not have it yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from badge.cache.redis.connection import Client


class RedisScript:
    """redis-py's own scripts are loaded into every server of a Cluster, and so fail with any one of them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Client, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Its answer. All keys have to be in one slot; raises what redis-py does."""
        words: list[Any] = [*keys, *args]
        try:
            return client.evalsha(self._hash, len(keys), *words)
        except NoScriptError:
            return client.eval(self._text, len(keys), *words)
