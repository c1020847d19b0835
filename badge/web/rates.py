"""How often a key may be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter


@dataclass(frozen=True, slots=True)
class KeyRate:
    """How many calls each key has in a minute, counted in this process."""

    item: RateLimitItem
    limiter: FixedWindowRateLimiter = field(default_factory=lambda: FixedWindowRateLimiter(MemoryStorage()))

    @classmethod
    def per_minute(cls, calls: int) -> KeyRate:
        """So many calls a minute and key."""
        return cls(RateLimitItemPerMinute(calls))

    def admits(self, key: str) -> bool:
        """Whether one more call is within the rate; it is counted. No key is kept, only its hash."""
        return self.limiter.hit(self.item, hashlib.sha256(key.encode("utf-8", "replace")).hexdigest())
