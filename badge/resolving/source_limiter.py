"""Limits on calls to one source: circuit breaker, budget, pause and worker pool."""

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
    """Runs jobs: a worker pool, or in tests the caller itself."""

    @property
    def is_full(self) -> bool:
        """Whether another job would be refused."""
        ...

    def submit(self, job: Job) -> bool:
        """Run the job; returns False if there is no room."""
        ...


@dataclass
class SourceLimiter:
    """Circuit breaker, budget, pause and worker pool of one source, in one process."""

    breaker: CircuitBreaker
    budget: Budget
    pool: Runner
    clock: Clock
    is_failing: bool = False
    """Whether the most recent call failed; failures that concern only one subject don't count."""
    _paused_until: datetime | None = None

    def refusal(self, *, is_new: bool) -> Refusal | None:
        """Return why a call would be refused, as far as this process knows, or None; nothing is charged."""
        if self.is_paused(self._paused_until):
            return Refusal.PAUSE
        if self.breaker.is_open and self.breaker.seconds_to_trial > 0:
            return Refusal.BREAKER
        return self.budget.refusal(is_new=is_new) or (Refusal.QUEUE if self.pool.is_full else None)

    def admit(self, *, is_new: bool, paused_until: Callable[[], datetime | None]) -> Refusal | None:
        """Charge one call, or return why it is refused. `paused_until` reads the end of the fleet-wide pause."""
        if self.is_paused(self._paused_until) or self.is_paused(self._learn(paused_until())):
            return Refusal.PAUSE
        # Check the budget first: `admits` may start a trial, and a trial refused for lack of budget would leave the
        # breaker open for one more pause.
        if (refusal := self.budget.refusal(is_new=is_new)) is not None:
            return refusal
        if not self.breaker.admits():
            return Refusal.BREAKER
        return self.budget.take(is_new=is_new)

    def answered(self) -> None:
        """Record that the source answered."""
        self.is_failing = False
        self.breaker.succeeded()

    def failed(self, unavailable: SourceUnavailable) -> datetime | None:
        """Record that the source did not answer; returns the end of the pause it asked for, if any."""
        if unavailable.is_about_subject:
            return None
        self.is_failing = True
        self.breaker.failed()
        if unavailable.retry_after is None:
            return None
        return self._learn(self.clock() + min(unavailable.retry_after, LONGEST_PAUSE))

    def is_paused(self, until: datetime | None) -> bool:
        """Whether `until` is in the future."""
        return until is not None and self.clock() < until

    def _learn(self, until: datetime | None) -> datetime | None:
        if until is not None and (self._paused_until is None or until > self._paused_until):
            self._paused_until = until
        return until


class SourceLimiters:
    """The limiters by source name, one for each configured source."""

    def __init__(self, make: Callable[[str], SourceLimiter]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._limiters: dict[str, SourceLimiter] = {}

    def of(self, source: StatusSource) -> SourceLimiter:
        """Return the source's limiter, created on first use."""
        with self._lock:
            limiter = self._limiters.get(source.name)
            if limiter is None:
                limiter = self._limiters[source.name] = self._make(source.name)
            return limiter
