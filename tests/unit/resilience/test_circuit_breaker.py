"""A breaker opens after consecutive failures, admits one trial per pause, and closes when a trial succeeds."""

from dataclasses import dataclass, field

from badge.events import CircuitBreakerMoved
from badge.resilience.circuit_breaker import CircuitBreaker, CircuitBreakerRules
from tests.doubles import RecordedEvents


@dataclass
class Bench:
    now: float = 0.0
    jitter: float = 0.5
    events: RecordedEvents = field(default_factory=RecordedEvents)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker("x", self.events, CircuitBreakerRules(), lambda: self.now, lambda: self.jitter)

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.breaker.failed()


def test_it_opens_after_the_configured_number_of_consecutive_failures() -> None:
    bench = Bench()
    bench.fail(2)
    bench.breaker.succeeded()
    bench.fail(2)
    assert bench.breaker.admits()
    bench.fail(1)
    assert bench.breaker.is_open
    assert bench.events.seen == [CircuitBreakerMoved("x", is_open=True)]


def test_while_it_is_open_one_trial_per_pause_is_admitted() -> None:
    bench = Bench()
    bench.fail(3)
    assert not bench.breaker.admits()
    bench.now = 1.0
    assert [bench.breaker.admits() for _ in range(3)] == [True, False, False]


def test_each_failed_trial_doubles_the_pause_up_to_a_limit() -> None:
    bench = Bench()
    bench.fail(3)
    pauses = []
    for _ in range(5):
        pauses.append(bench.breaker.seconds_to_trial)
        bench.now += pauses[-1]
        assert bench.breaker.admits()
        bench.breaker.failed()
    assert pauses == [1, 2, 4, 5, 5]


def test_one_success_closes_it_and_resets_the_pause() -> None:
    bench = Bench()
    bench.fail(5)
    bench.breaker.succeeded()
    assert not bench.breaker.is_open
    assert bench.breaker.admits()
    bench.fail(3)
    assert bench.breaker.seconds_to_trial == 1
    assert [event.is_open for event in bench.events.seen if isinstance(event, CircuitBreakerMoved)] == [
        True,
        False,
        True,
    ]


def test_jitter_varies_the_pauses_by_a_fifth() -> None:
    for jitter, seconds in ((0.0, 0.8), (1.0, 1.2)):
        bench = Bench(jitter=jitter)
        bench.fail(3)
        assert bench.breaker.seconds_to_trial == seconds


def test_calls_under_way_when_it_opens_do_not_lengthen_the_pause() -> None:
    bench = Bench()
    bench.fail(20)
    assert bench.breaker.seconds_to_trial == 1
    bench.now = 1.0
    assert bench.breaker.admits()
    bench.fail(20)
    assert bench.breaker.seconds_to_trial == 2
