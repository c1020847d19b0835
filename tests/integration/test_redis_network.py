"""A network that delays, drops, drips, garbles, resets and truncates answers never makes the cache late or wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from badge.cache.redis.pictures import RedisPictureStore
from badge.events import CacheEntryRefused
from badge.model import BackupStatus, CacheEntry, Report
from badge.ports import Lease
from badge.resilience.circuit_breaker import CircuitBreakerRules
from tests.doubles import SharedCache
from tests.servers import eventually, running_valkey
from tests.tcp_proxy import BLACK_HOLE, MODES, TcpProxy, running_proxy
from tests.timing import assert_within, seconds_of

KEY = ("github", "acme", "repository", "web")
OTHER = ("github", "acme", "repository", "api")
IN_TIME_SECONDS = 0.06
BACK_SECONDS, SLACK_SECONDS = 5.0, 3.0

FAULTS = sorted(set(MODES) - {"pass"})
# `put` tries twice.
COMMANDS_OF = {"put": 2}


def now() -> datetime:
    return datetime.now(UTC)


def entry(status: BackupStatus = BackupStatus.SUCCEEDED) -> CacheEntry:
    moment = now()
    report = Report(status=status, observed_at=moment)
    return CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpProxy]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server, running_proxy(server.socket) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def healthy(proxy: TcpProxy) -> None:
    proxy.mode = "pass"


@dataclass
class Operations:
    """All operations that use the server, by name."""

    shared: SharedCache
    lease: Lease = field(default_factory=lambda: Lease(KEY, "token", now()))

    def __post_init__(self) -> None:
        self.pictures = RedisPictureStore(self.shared.commands)

    def all(self) -> dict[str, Callable[[], object]]:
        cache, pauses = self.shared.cache, self.shared.pauses
        return {
            "get": lambda: cache.get(KEY),
            "fetch_began": lambda: cache.fetch_began(KEY),
            "claim": lambda: cache.claim(KEY),
            "put": lambda: cache.put(KEY, entry(), self.lease),
            "renew": lambda: cache.renew(self.lease),
            "release": lambda: cache.release(self.lease),
            "invalidate": lambda: cache.invalidate(KEY),
            "pause": lambda: pauses.pause("upstream", now() + timedelta(seconds=30)),
            "paused_until": lambda: pauses.paused_until("upstream"),
            "is_up": cache.is_up,
            "picture get": lambda: self.pictures.get("one"),
            "picture put": lambda: self.pictures.put("one", b"picture"),
        }


NAMES = sorted(Operations(SharedCache("redis://127.0.0.1:1/0", now)).all())


def timed(proxy: TcpProxy, mode: str, name: str, *, is_connected: bool) -> float:
    """Return the duration of one operation in a process that has not noticed an outage yet."""
    shared = SharedCache(proxy.url, now)
    proxy.mode = "pass"
    if is_connected:
        assert eventually(shared.cache.is_up)
        shared.commands.breaker.succeeded()
    proxy.mode = mode
    took = seconds_of(Operations(shared).all()[name])
    proxy.mode = "pass"
    assert eventually(lambda: not shared.is_trying, BACK_SECONDS + SLACK_SECONDS)
    return took


@pytest.mark.alone
@pytest.mark.parametrize("mode", FAULTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_operation_ends_in_time(proxy: TcpProxy, mode: str, name: str) -> None:
    limit = COMMANDS_OF.get(name, 1) * IN_TIME_SECONDS
    for is_connected in (False, True):
        assert_within(limit + IN_TIME_SECONDS / 2, partial(timed, proxy, mode, name, is_connected=is_connected))


@pytest.mark.parametrize("mode", FAULTS)
def test_the_cache_recovers_with_the_network(proxy: TcpProxy, mode: str) -> None:
    shared = SharedCache(proxy.url, now)
    shared.cache.invalidate(KEY)
    assert eventually(lambda: shared.cache.put(KEY, entry()))
    proxy.mode = mode
    for operation in Operations(shared).all().values():
        operation()
    assert shared.breaker.is_open
    proxy.mode = "pass"
    assert eventually(lambda: not shared.breaker.is_open, BACK_SECONDS + SLACK_SECONDS)
    newer = entry(BackupStatus.FAILED)
    assert eventually(lambda: shared.cache.put(KEY, newer))
    assert eventually(lambda: SharedCache(proxy.url, now).cache.get(KEY) == newer)


@pytest.mark.parametrize("read", ["get", "claim"])
def test_a_lost_invalidation_is_repeated_before_the_next_read(proxy: TcpProxy, read: str) -> None:
    shared = SharedCache(proxy.url, now)
    key = (*OTHER[:3], read)
    assert shared.cache.put(key, entry())
    proxy.mode = BLACK_HOLE
    shared.cache.invalidate(key)
    proxy.mode = "pass"
    assert (shared.cache.get(key) if read == "get" else shared.cache.claim(key).entry) is None
    assert eventually(lambda: SharedCache(proxy.url, now).cache.get(key) is None, BACK_SECONDS + SLACK_SECONDS)
    assert shared.cache.get(key) is None


def test_a_late_answer_is_never_taken_for_another_command_s(proxy: TcpProxy) -> None:
    shared = SharedCache(proxy.url, now, rules=CircuitBreakerRules(failures=1_000_000))
    values = {(*OTHER[:3], str(status)): entry(status) for status in (BackupStatus.SUCCEEDED, BackupStatus.FAILED)}
    for key, value in values.items():
        assert shared.cache.put(key, value)
    keys, ends = list(values), time.monotonic() + 3

    def read(number: int) -> int:
        right = 0
        while time.monotonic() < ends:
            key = keys[number % 2]
            assert shared.cache.get(key) == values[key]
            right += 1
        return right

    with ThreadPoolExecutor(4) as pool:
        read_times = [pool.submit(read, number) for number in range(4)]
        jitter = random.Random(7)
        while time.monotonic() < ends:
            proxy.mode = jitter.choice(sorted(MODES))
            time.sleep(0.03)  # noqa: TID251 - the time between changes of the network
        proxy.mode = "pass"
        assert sum(future.result() for future in read_times) > 100
    assert [event for event in shared.events.seen if isinstance(event, CacheEntryRefused)] == []
