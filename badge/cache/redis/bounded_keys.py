"""A set of keys with a maximum size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from badge.ports import CacheKey


class BoundedKeys:
    """At most `most` keys; the oldest is dropped first. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._keys: OrderedDict[CacheKey, None] = OrderedDict()

    def __contains__(self, key: CacheKey) -> bool:
        return key in self._keys

    def add(self, key: CacheKey) -> None:
        """Add a key."""
        with self._lock:
            self._keys[key] = None
            while len(self._keys) > self._most:
                self._keys.popitem(last=False)

    def discard(self, key: CacheKey) -> None:
        """Remove a key, if it is there."""
        with self._lock:
            self._keys.pop(key, None)

    def all(self) -> Sequence[CacheKey]:
        """Return a copy of the keys, oldest first."""
        with self._lock:
            return list(self._keys)
