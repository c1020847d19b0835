"""A real Valkey that is stopped, full, poisoned or dripping: never an exception, never a wrong status."""

from __future__ import annotations

import json
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.retry import Retry

from badge.cache.envelope import key_names, seal
from badge.cache.redis_cache import RedisStatusCache
from badge.cache.redis_commands import RedisCommands
from badge.cache.redis_connection import CommandSocket, connect
from badge.model import BackupStatus, CacheEntryRefused, CacheLost, CacheRegained, Kept, Report
from tests.doubles import RecordedEvents
from tests.servers import ValkeyServer, eventually, running_valkey

KEY = ("github", "acme", "repository", "web")
BUDGET = timedelta(milliseconds=50)


def now() -> datetime:
    return datetime.now(UTC)


def kept(status: BackupStatus = BackupStatus.SUCCEEDED) -> Kept:
    moment = now()
    report = Report(status=status, observed_at=moment)
    return Kept(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


class Rig:
    """A cache on a server of its own."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.client = connect(server.url, BUDGET, 4)
        self.admin = connect(server.url, timedelta(seconds=10), 1)  # plants what takes longer than a command may
        self.events = RecordedEvents()
        self.cache = RedisStatusCache(self.client, RedisCommands(self.events), self.events, now)
        self.value, self.fence = key_names(KEY)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_valkey(tmp_path) as server:
        yield Rig(server)


def test_a_frozen_server_is_a_miss_in_time_and_told_once(rig: Rig) -> None:
    rig.cache.put(KEY, kept())
    rig.server.freeze()
    began = time.monotonic()
    assert rig.cache.get(KEY) is None
    assert not rig.cache.put(KEY, kept())
    rig.cache.forget(KEY)
    assert not rig.cache.is_up()
    assert time.monotonic() - began < 4 * 3 * BUDGET.total_seconds()
    assert [type(event) for event in rig.events.seen] == [CacheLost]


def test_when_the_server_is_back_so_is_the_cache(rig: Rig) -> None:
    rig.cache.put(KEY, kept())
    rig.server.freeze()
    rig.cache.get(KEY)
    rig.server.thaw()
    assert eventually(lambda: rig.cache.get(KEY) is not None)
    assert isinstance(rig.events.seen[-1], CacheRegained)


def test_a_killed_server_is_a_miss(rig: Rig) -> None:
    rig.server.process.kill()
    rig.server.process.wait()
    assert rig.cache.get(KEY) is None
    assert rig.cache.fetch_began(KEY) <= now()


def test_a_full_server_loses_writes_and_is_no_outage(rig: Rig) -> None:
    rig.client.config_set("maxmemory-policy", "noeviction")
    rig.client.config_set("maxmemory", "1")
    assert not rig.cache.put(KEY, kept())
    assert rig.events.seen == []


def poisons() -> dict[str, bytes]:
    good = json.loads(seal(KEY, kept()))
    far = 10**17
    changes: dict[str, dict[str, Any]] = {
        "other schema": {"v": 99},
        "other key": {"k": ["github", "acme", "repository", "api"]},
        "no key": {"k": None},
        "status word": {"st": "great"},
        "status type": {"st": 1},
        "far future": {"f": far},
        "huge number": {"at": 10**30},
        "text for time": {"t0": "now"},
        "bool for number": {"rev": True},
        "number for bool": {"ex": 1},
        "visibility": {"vis": "everybody"},
    }
    poisoned = {name: json.dumps({**good, **change}).encode() for name, change in changes.items()}
    missing = {f"no {name}": json.dumps({k: v for k, v in good.items() if k != name}).encode() for name in good}
    raw = {
        "bytes": b"\x80\x04\xff",
        "empty": b"",
        "number": b"5",
        "deep": b"[" * 8000,
        "pickle": pickle.dumps({"st": "succeeded"}),
        "10 MB": b" " * 10_000_000,
        "half": seal(KEY, kept())[:80],
    }
    return {**poisoned, **missing, **raw}


def optional_in_an_envelope(name: str) -> bool:
    return name in {"no started_at", "no finished_at", "no stale_after"}


@pytest.mark.parametrize("name", [name for name in poisons() if not optional_in_an_envelope(name)])
def test_a_poisoned_value_is_a_miss_and_is_replaced(rig: Rig, name: str) -> None:
    rig.admin.set(rig.value, poisons()[name])
    slow = RedisStatusCache(
        connect(rig.server.url, timedelta(seconds=10), 2), RedisCommands(rig.events), rig.events, now
    )
    assert slow.get(KEY) is None
    assert [type(event) for event in rig.events.seen] == [CacheEntryRefused]
    rig.admin.set(rig.value, poisons()[name])
    value = kept()
    assert slow.put(KEY, value)
    assert slow.get(KEY) == value


def test_a_value_of_another_type_is_replaced(rig: Rig) -> None:
    for name in (rig.value, rig.fence):
        rig.client.lpush(name, "x")
    assert rig.cache.get(KEY) is None
    value = kept()
    assert rig.cache.put(KEY, value)
    assert rig.cache.get(KEY) == value


def test_entries_end_by_themselves_and_names_stay_out_of_the_keys(rig: Rig) -> None:
    rig.cache.put(KEY, kept())
    assert 6 * 86_400 < rig.client.ttl(rig.value) <= 7 * 86_400
    assert "acme" not in str(rig.client.keys())
    braces = {name[name.index("{") : name.index("}")] for name in (rig.value, rig.fence)}
    assert len(braces) == 1


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://u:p@h:1/0", "unix:///run/x.sock"])
def test_every_client_carries_its_timeouts_and_no_retry(url: str) -> None:
    connection: Any = connect(url, BUDGET, 4).connection_pool.make_connection()
    assert connection.socket_timeout == connection.socket_connect_timeout == BUDGET.total_seconds()
    assert isinstance(connection.retry, Retry)
    assert connection.retry.get_retries() == 0


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


def test_a_dripping_server_can_not_hold_a_command() -> None:
    client = connect(f"redis://127.0.0.1:{dripping_server(3)}/0", BUDGET, 1)
    cache = RedisStatusCache(client, RedisCommands(RecordedEvents()), RecordedEvents(), now)
    began = time.monotonic()
    assert cache.get(KEY) is None
    assert time.monotonic() - began < 3 * BUDGET.total_seconds()


def test_a_command_s_time_is_counted_from_its_own_beginning() -> None:
    moments = iter([0.0, 0.04, 1.0, 1.01])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = CommandSocket(ours, 0.05, lambda: next(moments))
        theirs.sendall(b"ab")
        assert bounded.recv(1) == b"a"
        bounded.arm()
        assert bounded.recv(1) == b"b"
