"""Stop asking what keeps failing, and find out now and then whether it still does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from badge.events import CircuitBreakerMoved
from badge.ports import RANDOM_JITTER, Events, Jitter


@dataclass(frozen=True, slots=True)
class CircuitBreakerRules:
    """When a breaker opens, and for how long."""

    failures: int = 3
    """In a row, before it opens."""
    first_seconds: float = 1.0
    longest_seconds: float = 5.0
    """Each trial that fails doubles the time to the next, up to this."""
    spread: float = 0.2
    """By this part the time is made longer or shorter, so that a fleet does not try in step."""


class CircuitBreaker:
    """Closed while things work. `is_open` is one attribute read; nothing here waits."""

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
        self._chance = jitter
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = rules.first_seconds
        self._try_at = 0.0
        self._counts_from = 0.0

    def admits(self) -> bool:
        """Whether to ask now. While it is open, one caller a pause is let through to try."""
        if not self.is_open:
            return True
        with self._lock:
            now = self._monotonic()
            if now < self._try_at:
                return False
            self._put_off(now)  # for the others, until this one has come back
            return True

    @property
    def seconds_to_trial(self) -> float:
        """How long until somebody may try."""
        return max(0.0, self._try_at - self._monotonic())

    def succeeded(self) -> None:
        """It answered: back to asking it always."""
        if self._failures == 0:
            return
        with self._lock:
            was_open, self.is_open = self.is_open, False
            self._failures = 0
            self._pause = self._rules.first_seconds
        if was_open:
            self._events.emit(CircuitBreakerMoved(self.name, is_open=False))

    def failed(self) -> None:
        """It did not answer."""
        with self._lock:
            self._failures += 1
            now, was_open = self._monotonic(), self.is_open
            # Those that were under way when it opened, or when a trial failed, tell nothing new.
            if self._failures < self._rules.failures or (was_open and now < self._counts_from):
                return
            if was_open:
                self._pause = min(2 * self._pause, self._rules.longest_seconds)
            self.is_open = True
            self._put_off(now)
            self._counts_from = self._try_at
        if not was_open:
            self._events.emit(CircuitBreakerMoved(self.name, is_open=True))

    def _put_off(self, now: float) -> None:
        spread = self._rules.spread * (2 * self._chance() - 1)
        self._try_at = now + self._pause * (1 + spread)
