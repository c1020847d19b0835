"""Rate limits for each key: a burst, then a number of calls a minute."""

from dataclasses import dataclass, field

from badge.web.intake.rates import MOST_KEYS, KeyRate


@dataclass
class Bench:
    now: float = 0.0
    rate: KeyRate = field(init=False)

    def __post_init__(self) -> None:
        self.rate = KeyRate(3, lambda: self.now)

    def admitted(self, key: str, times: int) -> int:
        return sum(self.rate.admits(key) for _ in range(times))


def test_calls_above_the_rate_are_refused() -> None:
    assert Bench().admitted("a", 10) == 3


def test_a_minute_later_calls_are_allowed_again() -> None:
    bench = Bench()
    bench.admitted("a", 10)
    bench.now = 19.9
    assert bench.admitted("a", 10) == 0
    bench.now = 20.1
    assert bench.admitted("a", 10) == 1
    bench.now = 500
    assert bench.admitted("a", 10) == 3


def test_each_key_has_its_own_limit() -> None:
    bench = Bench()
    bench.admitted("a", 10)
    assert bench.admitted("b", 10) == 3


def test_made_up_keys_use_bounded_memory_and_are_not_stored() -> None:
    bench = Bench()
    for number in range(MOST_KEYS + 50):
        bench.rate.admits(f"secret-{number}")
    assert len(bench.rate._buckets) == MOST_KEYS
    assert not any(b"secret" in hashed for hashed in bench.rate._buckets)
