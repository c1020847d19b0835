"""What stands between the resolver and one source: who may ask, how often, and who does the asking."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from badge.events import Refusal
from badge.ports import LONGEST_PAUSE, Clock, SourceUnavailable, StatusSource
from badge.resilience.budget import Budget
from badge.resilience.circuit_breaker import CircuitBreaker
from badge.resilience.worker_pool import Job


class Runner(Protocol):
    """Who does the asking: a crew, or in tests the caller itself."""

    @property
    def is_full(self) -> bool:
        """Whether no further job would be taken."""
        ...

    def submit(self, job: Job) -> bool:
        """Have it done; False where there is no room."""
        ...


@dataclass
class SourceLimiter:
    """One source's breaker, budget, pause and crew, in one process."""

    breaker: CircuitBreaker
    budget: Budget
    pool: Runner
    clock: Clock
    _paused_until: datetime | None = None

    def refusal(self, *, is_new: bool) -> Refusal | None:
        """Why a question would not be asked, as far as this process knows."""
        if self.is_paused(self._paused_until):
            return Refusal.PAUSE
        if self.breaker.is_open and self.breaker.seconds_to_trial > 0:
            return Refusal.BREAKER
        return self.budget.refusal(is_new=is_new) or (Refusal.QUEUE if self.pool.is_full else None)

    def admit(self, *, is_new: bool, paused_until: Callable[[], datetime | None]) -> Refusal | None:
        """Use up the right to one question, or say why there is none. `paused_until`: as the fleet knows it."""
        if self.is_paused(self._paused_until) or self.is_paused(self._learn(paused_until())):
            return Refusal.PAUSE
        # The budget is looked at first: a trial that it then refused would leave the breaker open for a pause more.
        if (refusal := self.budget.refusal(is_new=is_new)) is not None:
            return refusal
        if not self.breaker.admits():
            return Refusal.BREAKER
        return self.budget.take(is_new=is_new)

    def answered(self) -> None:
        """The source answered a question."""
        self.breaker.succeeded()

    def failed(self, unavailable: SourceUnavailable) -> datetime | None:
        """It did not. Gives the moment until which it wants not to be asked, if it named one."""
        if unavailable.is_about_subject:
            return None
        self.breaker.failed()
        if unavailable.retry_after is None:
            return None
        return self._learn(self.clock() + min(unavailable.retry_after, LONGEST_PAUSE))

    def is_paused(self, until: datetime | None) -> bool:
        """Whether that moment lies ahead."""
        return until is not None and self.clock() < until

    def _learn(self, until: datetime | None) -> datetime | None:
        if until is not None and (self._paused_until is None or until > self._paused_until):
            self._paused_until = until
        return until


class SourceLimiters:
    """The guard of each source, by its name; there are as many as the configuration has sources."""

    def __init__(self, make: Callable[[str], SourceLimiter]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._limiters: dict[str, SourceLimiter] = {}

    def of(self, source: StatusSource) -> SourceLimiter:
        """Its guard, the same one always."""
        with self._lock:
            limiter = self._limiters.get(source.name)
            if limiter is None:
                limiter = self._limiters[source.name] = self._make(source.name)
            return limiter
