"""Rate limits for calls to a source: one for all calls, and a lower one for subjects never seen before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from badge.events import Refusal


class TokenBucket:
    """Allows `per_second` on average and `burst` at once. Not thread-safe."""

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def has_one(self, now: float) -> bool:
        """Refill the bucket and return whether it holds at least one token."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        return self._tokens >= 1

    def take(self) -> None:
        """Use one token; call only after `has_one` returned True."""
        self._tokens -= 1


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """How often one process may call one source."""

    per_second: float = 20
    new_per_second: float = 10
    """How many of those calls may be for subjects never seen before; limited, because anybody can invent names."""
    new_burst: int = 100
    """Burst of subjects never seen before. The burst for all calls is at least twice that, leaving room for others."""


class Budget:
    """One process's budget for one source. Thread-safe."""

    def __init__(self, limits: BudgetLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        now = monotonic()
        self._all = TokenBucket(limits.per_second, max(2 * limits.new_burst, limits.per_second), now)
        self._new = TokenBucket(limits.new_per_second, limits.new_burst, now)

    def refusal(self, *, is_new: bool) -> Refusal | None:
        """Return why a call would be refused now, or None if it would be admitted; nothing is charged."""
        with self._lock:
            return self._refusal(is_new=is_new)

    def take(self, *, is_new: bool) -> Refusal | None:
        """Charge one call to the budget; returns the reason if it is refused."""
        with self._lock:
            refusal = self._refusal(is_new=is_new)
            if refusal is None:
                self._all.take()
                if is_new:
                    self._new.take()
            return refusal

    def _refusal(self, *, is_new: bool) -> Refusal | None:
        # A call for a new subject needs a token from both buckets; the scarcer one is checked first.
        now = self._monotonic()
        if is_new and not self._new.has_one(now):
            return Refusal.NEW_SUBJECTS
        return None if self._all.has_one(now) else Refusal.RATE
