"""Circuit breaker: stops calls to what keeps failing, except for a trial call now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from badge.events import CircuitBreakerMoved
from badge.ports import RANDOM_JITTER, Events, Jitter


@dataclass(frozen=True, slots=True)
class CircuitBreakerRules:
    """When a circuit breaker opens, and for how long."""

    failures: int = 3
    """Consecutive failures before it opens."""
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 5.0
    """Each failed trial doubles the pause before the next one, up to this."""
    spread: float = 0.2
    """Pauses vary by up to this share, so that the fleet's trials don't coincide."""


class CircuitBreaker:
    """Closed while calls succeed, open while they fail. `is_open` is a plain attribute; no method waits."""

    def __init__(
        self,
        name: str,
        events: Events,
        rules: CircuitBreakerRules = CircuitBreakerRules(),
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Jitter = RANDOM_JITTER,
    ) -> None:
        self.name = name
        self.is_open = False
        self._events = events
        self._rules = rules
        self._monotonic = monotonic
        self._jitter = jitter
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = rules.first_pause_seconds
        self._try_at = 0.0
        self._counts_from = 0.0

    def admits(self) -> bool:
        """Whether to make a call now. While the breaker is open, one trial call per pause is admitted."""
        if not self.is_open:
            return True
        with self._lock:
            now = self._monotonic()
            if now < self._try_at:
                return False
            self._put_off(now)  # no other trial while this one is under way
            return True

    @property
    def seconds_to_trial(self) -> float:
        """Seconds until the next trial call is admitted."""
        return max(0.0, self._try_at - self._monotonic())

    def succeeded(self) -> None:
        """Record a success, which closes the breaker."""
        # Read without the lock: most calls end here, and a failure recorded meanwhile is handled by the next success.
        if self._failures == 0:
            return
        with self._lock:
            was_open, self.is_open = self.is_open, False
            self._failures = 0
            self._pause = self._rules.first_pause_seconds
        if was_open:
            self._events.emit(CircuitBreakerMoved(self.name, is_open=False))

    def failed(self, *, is_lasting: bool = False) -> None:
        """Record a failure, which may open the breaker or lengthen its pause; a lasting one opens it at once."""
        with self._lock:
            self._failures = max(self._failures + 1, self._rules.failures if is_lasting else 0)
            now, was_open = self._monotonic(), self.is_open
            # Calls that were already under way when the breaker opened, or when a trial failed, must not lengthen the
            # pause as well.
            if self._failures < self._rules.failures or (was_open and now < self._counts_from):
                return
            if was_open:
                self._pause = min(2 * self._pause, self._rules.longest_pause_seconds)
            self.is_open = True
            self._put_off(now)
            self._counts_from = self._try_at
        if not was_open:
            self._events.emit(CircuitBreakerMoved(self.name, is_open=True))

    def _put_off(self, now: float) -> None:
        spread = self._rules.spread * (2 * self._jitter() - 1)
        self._try_at = now + self._pause * (1 + spread)
