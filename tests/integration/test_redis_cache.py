"""A real Valkey that is stopped, full or dripping: never an exception, never a wrong status."""

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

from badge.cache.envelope import key_names
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
from tests.doubles import SharedCache, no_thread_to_give
from tests.servers import ValkeyServer, eventually, running_valkey

KEY = ("github", "acme", "repository", "web")
OTHER = ("github", "acme", "repository", "api")
Told = TypeVar("Told", CacheLost, CacheRegained, CacheCommandFailed, CircuitBreakerMoved)
BUDGET = timedelta(milliseconds=250)  # more than a machine that others use stands still for


def now() -> datetime:
    return datetime.now(UTC)


def entry(status: BackupStatus = BackupStatus.SUCCEEDED) -> CacheEntry:
    moment = now()
    report = Report(status=status, observed_at=moment)
    return CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


class Rig:
    """A cache on a server of its own."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.client = connect(server.url, BUDGET, 4)
        self.admin = connect(server.url, timedelta(seconds=10), 1)  # plants what takes longer than a command may
        self.shared = SharedCache(server.url, now, BUDGET.total_seconds())
        self.events, self.cache, self.breaker = self.shared.events, self.shared.cache, self.shared.breaker
        self.names = key_names(KEY)

    def told(self, kind: type[Told]) -> list[Told]:
        return [event for event in self.events.seen if isinstance(event, kind)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_valkey(tmp_path) as server:
        yield Rig(server)


@pytest.mark.alone
def test_a_frozen_server_costs_three_commands_and_is_told_once(rig: Rig) -> None:
    rig.server.freeze()
    began = time.monotonic()
    for _ in range(100):
        assert rig.cache.get(KEY) is None
        rig.cache.invalidate(KEY)
        assert not rig.cache.is_up()
    assert time.monotonic() - began < 3 * 3 * BUDGET.total_seconds()
    assert len(rig.told(CacheLost)) == len(rig.told(CircuitBreakerMoved)) == 1
    assert len(rig.told(CacheCommandFailed)) == 3


def test_without_the_server_what_this_process_knows_carries_on(rig: Rig) -> None:
    known, new = entry(), entry(BackupStatus.FAILED)
    rig.cache.put(KEY, known)
    rig.server.freeze()
    assert rig.cache.get(KEY) == known
    lease = until_given_up(rig)
    assert rig.cache.claim(KEY).lease is None
    assert rig.cache.put(KEY, new, lease)
    assert rig.cache.get(KEY) == new


def until_given_up(rig: Rig) -> Lease:
    """What is merely late gives no right to fetch; only with the server given up is this process' own word enough."""
    refused = 0
    while (lease := rig.cache.claim(KEY).lease) is None:
        refused += 1
    assert rig.breaker.is_open
    assert refused == 1  # the other two commands that failed were this test's
    return lease


def test_when_the_server_is_back_so_is_the_cache(rig: Rig) -> None:
    value = entry()
    rig.cache.put(KEY, value)
    rig.server.freeze()
    for _ in range(3):
        rig.cache.get(OTHER)
    assert rig.breaker.is_open
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) == value
    assert len(rig.told(CacheRegained)) == 1


def test_it_comes_back_though_there_was_no_thread_to_find_out(rig: Rig) -> None:
    rig.server.freeze()
    with no_thread_to_give():
        for _ in range(4):
            rig.cache.get(KEY)
    assert rig.breaker.is_open
    assert not rig.shared.is_trying
    rig.server.thaw()
    rig.cache.get(KEY)
    assert eventually(lambda: not rig.breaker.is_open, 5)


def test_what_was_to_be_forgotten_meanwhile_is_forgotten_before_anybody_reads_it_again(rig: Rig) -> None:
    rig.cache.put(KEY, entry())
    rig.server.freeze()
    for _ in range(3):
        rig.cache.invalidate(KEY)
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) is None
    assert rig.admin.exists(rig.names.value) == 0


class Overtaken:
    """A client that loses commands for a while, and between whose next answer and its reader something happens."""

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
    """Makes such clients."""

    def _made(self) -> Any:
        return Overtaken(super()._made())


def test_a_claim_that_read_just_before_a_lost_forget_was_made_up_for_has_not_what_was_to_be_forgotten(rig: Rig) -> None:
    connector = OvertakenConnector(rig.server.url, BUDGET, 4)
    commands = RedisCommands(connector, rig.events, rig.breaker)
    cache = RedisStatusCache(commands, MemoryStatusCache(now), rig.events, now)
    cache.put(KEY, entry())
    client: Any = connector.client()
    client.is_lost = True
    with no_thread_to_give():  # so that nobody else makes up for it
        cache.invalidate(KEY)
    client.is_lost, client.meanwhile = False, commands.on_return[0]
    attempt = cache.claim(KEY)
    assert attempt.lease is not None
    assert attempt.entry is None


def test_what_this_process_put_meanwhile_is_not_taken_for_shared(rig: Rig) -> None:
    """Another one may have taken in a report since."""
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


def test_what_was_put_meanwhile_is_not_asked_for_again(rig: Rig) -> None:
    rig.server.freeze()
    for _ in range(3):
        rig.cache.get(KEY)
    value = entry()
    assert rig.cache.put(KEY, value)
    rig.server.thaw()
    assert eventually(lambda: not rig.breaker.is_open, 5)
    assert rig.cache.get(KEY) == value


def test_what_was_fetched_meanwhile_is_not_undone_by_what_the_server_still_has(rig: Rig) -> None:
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


def test_a_server_that_was_emptied_is_a_miss_and_what_was_known_can_be_recalled_until_it_is_forgotten(rig: Rig) -> None:
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


def test_a_full_server_loses_writes_and_is_no_outage(rig: Rig) -> None:
    rig.client.config_set("maxmemory-policy", "noeviction")
    rig.client.config_set("maxmemory", "1")
    value = entry()
    lease = rig.cache.claim(KEY).lease
    assert rig.cache.claim(KEY).lease is None  # among this process' callers at least it is one at a time
    assert rig.cache.put(KEY, value, lease)
    assert rig.cache.get(KEY) == value  # this process has it
    assert not rig.breaker.is_open
    assert rig.told(CacheLost) == []
    assert {event.error for event in rig.told(CacheCommandFailed)} == {"OutOfMemoryError"}


def test_entries_end_by_themselves_and_names_stay_out_of_the_keys(rig: Rig) -> None:
    rig.cache.put(KEY, entry())
    assert 6 * 86_400 < rig.client.ttl(rig.names.value) <= 7 * 86_400
    assert "acme" not in str(rig.client.keys())
    braces = {name[name.index("{") : name.index("}")] for name in rig.names}
    assert len(braces) == 1


def dripping_server(seconds: float) -> int:
    """Answers each byte it gets with one byte of a never-ending reply every 20 ms."""
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
                time.sleep(0.02)  # noqa: TID251 - a drip is a wait

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.alone
def test_a_dripping_server_can_not_hold_a_command() -> None:
    cache = SharedCache(f"redis://127.0.0.1:{dripping_server(3)}/0", now).cache
    began = time.monotonic()
    assert cache.get(KEY) is None
    assert time.monotonic() - began < 3 * BUDGET.total_seconds()


@pytest.mark.alone
@pytest.mark.parametrize("scheme", ["redis", "unix"])
def test_a_server_that_takes_no_connection_can_not_hold_a_command(tmp_path: Path, scheme: str) -> None:
    listener = socket.socket(socket.AF_INET if scheme == "redis" else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if scheme == "redis" else str(tmp_path / "full.sock"))
    listener.listen(0)
    address = listener.getsockname()
    with listener, contextlib.ExitStack() as waiting:
        for _ in range(4):  # fill the line of those who wait to be taken
            client = waiting.enter_context(socket.socket(listener.family))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(address)
        cache = SharedCache(f"redis://127.0.0.1:{address[1]}/0" if scheme == "redis" else f"unix://{address}", now)
        began = time.monotonic()
        assert cache.cache.get(KEY) is None
        assert time.monotonic() - began < 3 * BUDGET.total_seconds()
        assert [type(event) for event in cache.events.seen] == [CacheCommandFailed, CacheLost]


def test_a_command_s_time_is_counted_from_its_own_beginning() -> None:
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
