"""Limits on calls to a source: pause, budget and breaker together."""

from badge.events import FailureKind, Refusal
from badge.ports import SourceUnavailable
from badge.resilience.budget import Budget, BudgetLimits
from badge.resilience.circuit_breaker import CircuitBreaker, CircuitBreakerRules
from badge.resolving.source_limiter import SourceLimiter
from tests.doubles import Inline, ManualClock, RecordedEvents


def test_a_used_up_budget_does_not_waste_a_trial() -> None:
    now = 0.0
    rules = CircuitBreakerRules(first_pause_seconds=3)
    breaker = CircuitBreaker("x", RecordedEvents(), rules, lambda: now, lambda: 0.5)
    budget = Budget(BudgetLimits(per_second=1, new_per_second=1, new_burst=1), lambda: now)
    limiter = SourceLimiter(breaker, budget, Inline(), ManualClock())

    def admit() -> Refusal | None:
        return limiter.admit(is_new=True, paused_until=lambda: None)

    for _ in range(3):
        limiter.failed(SourceUnavailable(FailureKind.TIMEOUT))
    now = 3
    assert budget.take(is_new=True) is None
    assert admit() is Refusal.NEW_SUBJECTS
    now = 4
    assert admit() is None
    now = 5
    assert admit() is Refusal.BREAKER
