"""Budgets: one rate for all calls, and a lower one for subjects never seen before."""

from dataclasses import dataclass

from badge.events import Refusal
from badge.resilience.budget import Budget, BudgetLimits


@dataclass
class Bench:
    limits: BudgetLimits
    now: float = 0.0

    def __post_init__(self) -> None:
        self.budget = Budget(self.limits, lambda: self.now)

    def admitted(self, seconds: float, *, is_new: bool, per_second: int = 300) -> int:
        """Return how many of a flood of calls are admitted."""
        count = 0
        for _ in range(int(seconds * per_second)):
            count += self.budget.take(is_new=is_new) is None
            self.now += 1 / per_second
        return count


def test_a_flood_of_new_names_gets_the_burst_and_then_the_lower_rate() -> None:
    bench = Bench(BudgetLimits(per_second=20, new_per_second=10, new_burst=100))
    assert bench.admitted(30, is_new=True) in range(399, 402)
    assert {bench.budget.take(is_new=True) for _ in range(3)} >= {Refusal.NEW_SUBJECTS}


def test_known_subjects_keep_their_share_during_a_flood_of_new_names() -> None:
    bench = Bench(BudgetLimits(per_second=20, new_per_second=10, new_burst=100))
    bench.admitted(10, is_new=True)
    assert bench.budget.take(is_new=False) is None
    assert bench.admitted(60, is_new=False) > 60 * 19


def test_the_rate_for_all_calls_includes_new_subjects() -> None:
    bench = Bench(BudgetLimits(per_second=1, new_per_second=1000, new_burst=1))
    assert bench.admitted(10, is_new=True) in range(11, 13)
    assert bench.budget.take(is_new=False) is Refusal.RATE


def test_asking_whether_a_call_would_be_refused_uses_up_nothing() -> None:
    bench = Bench(BudgetLimits(per_second=1, new_per_second=1, new_burst=1))
    assert [bench.budget.refusal(is_new=True) for _ in range(9)] == [None] * 9
    assert bench.budget.take(is_new=True) is None
    assert bench.budget.refusal(is_new=True) is Refusal.NEW_SUBJECTS
    assert bench.budget.refusal(is_new=False) is None


def test_a_refused_call_uses_up_nothing() -> None:
    bench = Bench(BudgetLimits(per_second=10, new_per_second=1, new_burst=1))
    for _ in range(100):
        bench.budget.take(is_new=True)
    assert bench.budget.take(is_new=False) is None
