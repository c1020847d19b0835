"""Rate limit for each API key or check."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from badge.resilience.budget import TokenBucket

# Bounds the memory used for buckets. A key whose bucket was dropped starts with a full one again.
MOST_KEYS = 10_000


class KeyRate:
    """Allows each key `per_minute` calls at once and then `per_minute` a minute, counted per process."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def admits(self, key: str) -> bool:
        """Count a call and return whether it is within the rate. Only the key's hash is stored."""
        hashed = hashlib.sha256(key.encode("utf-8", "replace")).digest()
        with self._lock:
            now = self._monotonic()
            bucket = self._buckets.get(hashed)
            if bucket is None:
                bucket = self._buckets[hashed] = TokenBucket(self._per_minute / 60, self._per_minute, now)
            self._buckets.move_to_end(hashed)
            if len(self._buckets) > MOST_KEYS:
                self._buckets.popitem(last=False)
            if not bucket.has_one(now):
                return False
            bucket.take()
            return True
