"""Who may ask a source: pause, budget and breaker in one answer."""

from badge.events import Refusal
from badge.ports import SourceUnavailable
from badge.resilience.budget import Budget, BudgetLimits
from badge.resilience.circuit_breaker import Breaker, BreakerRules
from badge.resolving.source_limiter import SourceGuard
from tests.doubles import Inline, ManualClock, RecordedEvents


def test_a_trial_is_not_lost_on_a_budget_that_is_used_up() -> None:
    now = 0.0
    rules = BreakerRules(first_seconds=3)
    breaker = Breaker("x", RecordedEvents(), rules, lambda: now, lambda: 0.5)
    budget = Budget(BudgetLimits(per_second=1, new_per_second=1, new_burst=1), lambda: now)
    guard = SourceGuard(breaker, budget, Inline(), ManualClock())

    def admit() -> Refusal | None:
        return guard.admit(is_new=True, paused_until=lambda: None)

    for _ in range(3):
        guard.failed(SourceUnavailable("timeout"))
    now = 3
    assert budget.take(is_new=True) is None
    assert admit() is Refusal.NEW_SUBJECTS
    now = 4
    assert admit() is None
    now = 5
    assert admit() is Refusal.BREAKER
