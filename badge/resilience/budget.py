"""How much a source is asked: a rate for all, and a smaller one for subjects never seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from badge.events import Refusal


class TokenBucket:
    """`per_second` on average, `burst` at once. Not locked: its owner sees to that."""

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def has_one(self, now: float) -> bool:
        """Whether `take` would do."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        return self._tokens >= 1

    def take(self) -> None:
        """Use one, of which `has_one` has just told."""
        self._tokens -= 1


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What one process may ask of one source."""

    per_second: float = 20
    new_per_second: float = 10
    """Of these, for subjects never seen: names are strangers' to invent."""
    new_burst: int = 100
    """So many subjects never seen at once. For all there is twice as much, so that these leave room."""


class Budget:
    """One process' share of one source. Thread-safe."""

    def __init__(self, limits: BudgetLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        now = monotonic()
        self._all = TokenBucket(limits.per_second, max(2 * limits.new_burst, limits.per_second), now)
        self._new = TokenBucket(limits.new_per_second, limits.new_burst, now)

    def refusal(self, *, is_new: bool) -> Refusal | None:
        """Why a question would be refused just now, if it would."""
        with self._lock:
            return self._refusal(is_new=is_new)

    def take(self, *, is_new: bool) -> Refusal | None:
        """Use up one question, or say why there is none."""
        with self._lock:
            refusal = self._refusal(is_new=is_new)
            if refusal is None:
                self._all.take()
                if is_new:
                    self._new.take()
            return refusal

    def _refusal(self, *, is_new: bool) -> Refusal | None:
        now = self._monotonic()
        if is_new and not self._new.has_one(now):
            return Refusal.NEW_SUBJECTS
        return None if self._all.has_one(now) else Refusal.RATE
