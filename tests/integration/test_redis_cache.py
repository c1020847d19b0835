"""With a real Valkey that is frozen, full or dripping, there is never an exception or a wrong status."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis.exceptions import NoScriptError

from badge.cache.envelope import SCHEMA, key_names
from badge.cache.memory import MemoryStatusCache
from badge.cache.redis.command_time import CommandSocket, command_time
from badge.cache.redis.commands import RedisCommands
from badge.cache.redis.connection import Client, RedisConnector, connect
from badge.cache.redis.status_cache import RedisStatusCache
from badge.events import (
    CacheCommandFailed,
    CacheLost,
    CacheRegained,
    CircuitBreakerMoved,
)
from badge.model import BackupStatus, CacheEntry, Report
from badge.ports import Lease
from tests.doubles import SharedCache, without_threads
from tests.servers import ValkeyServer, eventually, running_valkey

KEY = ("github", "acme", "repository", "web")
OTHER = ("github", "acme", "repository", "api")
EventType = TypeVar("EventType", CacheLost, CacheRegained, CacheCommandFailed, CircuitBreakerMoved)
BUDGET = timedelta(milliseconds=250)  # longer than a busy machine is likely to stall


def now() -> datetime:
    return datetime.now(UTC)


def entry(status: BackupStatus = BackupStatus.SUCCEEDED) -> CacheEntry:
    moment = now()
    report = Report(status=status, observed_at=moment)
    return CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


class Rig:
    """A cache on its own server."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.client = connect(server.url, BUDGET, 4)
        self.admin = connect(
            server.url, timedelta(seconds=10), 1
        )  # for setup that takes longer than a command is allowed to
        self.shared = SharedCache(server.url, now, BUDGET.total_seconds())
        self.events, self.cache, self.breaker = self.shared.events, self.shared.cache, self.shared.breaker
        self.names = key_names(KEY)

    def events_of(self, kind: type[EventType]) -> list[EventType]:
        return [event for event in self.events.seen if isinstance(event, kind)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_valkey(tmp_path) as server:
        yield Rig(server)


def test_a_frozen_server_costs_three_commands_and_is_reported_once(rig: Rig) -> None:
    rig.server.freeze()
    began = time.monotonic()
    for _ in range(100):
        assert rig.cache.get(KEY) is None
        rig.cache.invalidate(KEY)
        assert not rig.cache.is_up()
    assert time.monotonic() - began < 3 * 3 * BUDGET.total_seconds()
    assert len(rig.events_of(CacheLost)) == len(rig.events_of(CircuitBreakerMoved)) == 1
    assert len(rig.events_of(CacheCommandFailed)) == 3


def test_without_the_server_this_process_uses_its_own_entries(rig: Rig) -> None:
    known, new = entry(), entry(BackupStatus.FAILED)
    rig.cache.put(KEY, known)
    rig.server.freeze()
    assert rig.cache.get(KEY) == known
    lease = until_given_up(rig)
    assert rig.cache.claim(KEY).lease is None
    assert rig.cache.put(KEY, new, lease)
    assert rig.cache.get(KEY) == new


def until_given_up(rig: Rig) -> Lease:
    """Return the lease that is granted once the breaker is open; before that, commands time out and grant none."""
    refused = 0
    while (lease := rig.cache.claim(KEY).lease) is None:
        refused += 1
    assert rig.breaker.is_open
    assert refused == 1  # one command failed in the test itself; the third failure opens the breaker
    return lease


def test_the_cache_recovers_with_the_server(rig: Rig) -> None:
    value = entry()
    rig.cache.put(KEY, value)
    rig.server.freeze()
    for _ in range(3):
        rig.cache.get(OTHER)
    assert rig.breaker.is_open
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) == value
    assert len(rig.events_of(CacheRegained)) == 1


def test_the_cache_comes_back_even_if_no_trial_thread_could_be_started_at_first(rig: Rig) -> None:
    rig.server.freeze()
    with without_threads():
        for _ in range(4):
            rig.cache.get(KEY)
    assert rig.breaker.is_open
    assert not rig.shared.is_trying
    rig.server.thaw()
    rig.cache.get(KEY)
    assert eventually(lambda: not rig.breaker.is_open, 5)


def test_an_invalidation_during_an_outage_takes_effect_before_the_next_read(rig: Rig) -> None:
    rig.cache.put(KEY, entry())
    rig.server.freeze()
    for _ in range(3):
        rig.cache.invalidate(KEY)
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) is None
    assert rig.admin.exists(rig.names.value) == 0


class Overtaken:
    """A client that can lose commands, and that can run `meanwhile` before it returns the next answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.is_lost = False
        self.meanwhile: Callable[[], object] | None = None

    def eval(self, *words: Any) -> Any:
        if self.is_lost:
            raise TimeoutError
        answer = self._client.eval(*words)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return answer

    def evalsha(self, *words: Any) -> Any:
        raise NoScriptError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class OvertakenConnector(RedisConnector):
    def _made(self) -> Any:
        return Overtaken(super()._made())


def test_a_lease_attempt_does_not_return_a_value_read_before_the_repeated_invalidation(rig: Rig) -> None:
    connector = OvertakenConnector(rig.server.url, BUDGET, 4)
    commands = RedisCommands(connector, rig.events, rig.breaker)
    cache = RedisStatusCache(commands, MemoryStatusCache(now), rig.events, now, timedelta(minutes=15))
    cache.put(KEY, entry())
    client: Any = connector.client()
    client.is_lost = True
    with without_threads():  # so that nothing else repeats the invalidation
        cache.invalidate(KEY)
    client.is_lost, client.meanwhile = False, commands.on_return[0]
    attempt = cache.claim(KEY)
    assert attempt.lease is not None
    assert attempt.entry is None


def test_an_entry_put_during_an_outage_does_not_count_as_shared(rig: Rig) -> None:
    """Another process may have received a newer report in the meantime."""
    rig.cache.put(KEY, entry())
    assert rig.cache.shared(KEY) is not None
    rig.server.freeze()
    for _ in range(3):
        assert rig.cache.shared(KEY) is None
    rig.cache.put(KEY, entry(BackupStatus.FAILED))
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) is not None
    assert rig.cache.shared(KEY) is None


def test_an_entry_put_during_an_outage_is_not_fetched_again(rig: Rig) -> None:
    rig.server.freeze()
    for _ in range(3):
        rig.cache.get(KEY)
    value = entry()
    assert rig.cache.put(KEY, value)
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) == value


def test_a_report_fetched_during_an_outage_is_not_replaced_by_the_server_s_older_one(rig: Rig) -> None:
    rig.cache.put(KEY, entry())
    rig.server.freeze()
    for _ in range(3):
        rig.cache.get(OTHER)
    newer = entry(BackupStatus.FAILED)
    rig.cache.put(KEY, newer)
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert [rig.cache.get(KEY) for _ in range(2)] == [newer, newer]
    newest = replace(entry(), fetched_at=rig.cache.fetch_began(KEY))
    rig.cache.put(KEY, newest)
    assert rig.cache.get(KEY) == newest


def test_an_emptied_server_is_a_miss_but_entries_can_be_recalled_until_invalidated(rig: Rig) -> None:
    value = entry()
    rig.cache.put(KEY, value)
    rig.admin.flushall()
    assert rig.cache.get(KEY) is None
    assert rig.cache.recall(KEY) == value
    rig.cache.invalidate(KEY)
    assert rig.cache.recall(KEY) is None


def test_a_killed_server_is_a_miss(rig: Rig) -> None:
    rig.server.process.kill()
    rig.server.process.wait()
    assert rig.cache.get(KEY) is None
    assert rig.cache.fetch_began(KEY) <= now()


def test_a_full_server_loses_writes_but_is_not_an_outage(rig: Rig) -> None:
    rig.client.config_set("maxmemory-policy", "noeviction")
    rig.client.config_set("maxmemory", "1")
    value = entry()
    lease = rig.cache.claim(KEY).lease
    assert rig.cache.claim(KEY).lease is None  # within this process, there is still only one at a time
    assert rig.cache.put(KEY, value, lease)
    assert rig.cache.get(KEY) == value  # from this process's own cache
    assert not rig.breaker.is_open
    assert rig.events_of(CacheLost) == []
    assert {event.error for event in rig.events_of(CacheCommandFailed)} == {"OutOfMemoryError"}


def test_entries_expire_and_keys_contain_no_names(rig: Rig) -> None:
    rig.cache.put(KEY, entry())
    assert 6 * 86_400 < rig.client.ttl(rig.names.value) <= 7 * 86_400
    assert "acme" not in str(rig.client.keys())
    braces = {name[name.index("{") : name.index("}")] for name in rig.names}
    assert len(braces) == 1


def dripping_server(seconds: float) -> int:
    """Run a server that sends one byte of an endless reply every 20 ms; returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with listener, client:
            client.recv(1024)
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                try:
                    client.sendall(b"$")
                except OSError:
                    return
                time.sleep(0.02)  # noqa: TID251 - drips slowly

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_a_dripping_server_cannot_block_a_command() -> None:
    cache = SharedCache(f"redis://127.0.0.1:{dripping_server(3)}/0", now).cache
    began = time.monotonic()
    assert cache.get(KEY) is None
    assert time.monotonic() - began < 3 * BUDGET.total_seconds()


@pytest.mark.parametrize("scheme", ["redis", "unix"])
def test_a_server_that_accepts_no_connection_cannot_block_a_command(tmp_path: Path, scheme: str) -> None:
    listener = socket.socket(socket.AF_INET if scheme == "redis" else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if scheme == "redis" else str(tmp_path / "full.sock"))
    listener.listen(0)
    address = listener.getsockname()
    with listener, contextlib.ExitStack() as waiting:
        for _ in range(4):  # fill the backlog
            client = waiting.enter_context(socket.socket(listener.family))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(address)
        cache = SharedCache(f"redis://127.0.0.1:{address[1]}/0" if scheme == "redis" else f"unix://{address}", now)
        began = time.monotonic()
        assert cache.cache.get(KEY) is None
        assert time.monotonic() - began < 3 * BUDGET.total_seconds()
        assert [type(event) for event in cache.events.seen] == [CacheCommandFailed, CacheLost]


def test_each_command_has_its_own_time_limit() -> None:
    moments = iter([0.0, 0.04, 1.0, 1.01, 2.0, 2.06])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = CommandSocket(ours, 0.05)
        theirs.sendall(b"abc")
        for letter in (b"a", b"b"):
            with command_time(0.05, lambda: next(moments)):
                assert bounded.recv(1) == letter
        with command_time(0.05, lambda: next(moments)), pytest.raises(TimeoutError):
            bounded.recv(1)


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1])
def test_an_invalidation_reaches_instances_of_the_previous_and_the_next_version(rig: Rig, schema: int) -> None:
    others = key_names(KEY, schema)
    assert others.value != rig.names.value
    assert (others.fence, others.lease) == (rig.names.fence, rig.names.lease)
    rig.client.set(others.value, b"their entry")
    rig.cache.invalidate(KEY)
    assert rig.client.exists(others.value) == 0
