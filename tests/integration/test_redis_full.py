"""A real Valkey with too little memory causes no exception, no outage and no wrong status."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from badge.cache.redis.connection import connect
from badge.events import CacheCommandFailed
from badge.model import BackupStatus, CacheEntry, Report
from badge.ports import CacheKey
from tests.doubles import SharedCache
from tests.servers import running_valkey

KEYS = 8_000
MEMORY = 3 * 2**20


def now() -> datetime:
    return datetime.now(UTC)


def key(number: int) -> CacheKey:
    return ("github", "acme", "repository", f"repo-{number}")


def entry(number: int) -> CacheEntry:
    status = (BackupStatus.SUCCEEDED, BackupStatus.FAILED)[number % 2]
    moment = now()
    report = Report(status=status, observed_at=moment, revision=number)
    return CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_a_full_server_is_not_an_outage(tmp_path: Path, policy: str) -> None:
    with running_valkey(tmp_path, "--maxmemory", str(MEMORY), "--maxmemory-policy", policy) as server:
        writer, reader = (SharedCache(server.url, now, seconds=1) for _ in range(2))
        admin: Any = connect(server.url, timedelta(seconds=5), 1)
        assert all(writer.cache.put(key(number), entry(number)) for number in range(KEYS))
        found = {number: reader.cache.get(key(number)) for number in range(KEYS)}
        there = {number: value for number, value in found.items() if value is not None}
        # An entry that did not fit is a miss for other processes; each entry that was stored is correct.
        assert 0 < len(there) < KEYS
        assert all(value.report is not None and value.report.revision == number for number, value in there.items())
        refused = Counter(writer.events.seen)
        if policy == "noeviction":
            # Each write is tried twice, and this process keeps its own entries.
            assert set(refused) == {CacheCommandFailed("put", "OutOfMemoryError")}
            assert refused.total() >= 2 * (KEYS - len(there))
            assert all(writer.cache.get(key(number)) is not None for number in range(KEYS))
        else:
            assert refused == {}
            assert admin.info("stats")["evicted_keys"] >= KEYS - len(there)
        assert reader.events.seen == []
        assert not writer.breaker.is_open
        assert writer.cache.is_up()
        assert admin.info("memory")["used_memory"] < 2 * MEMORY
