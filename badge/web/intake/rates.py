"""How often a key may be used."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from badge.resilience.budget import TokenBucket

# Keys are strangers' to make up, so their buckets are few; who comes back after so many others begins anew.
MOST_KEYS = 10_000


class KeyRate:
    """How many calls each key has, counted in this process: so many at once, and so many a minute from then on."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def admits(self, key: str) -> bool:
        """Whether one more call is within the rate; it is counted. No key is kept, only its hash."""
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
