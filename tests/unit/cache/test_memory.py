"""The in-process cache has a maximum size, and with size 0 it stores nothing."""

from datetime import timedelta

from badge.cache.memory import MemoryStatusCache
from badge.model import BackupStatus, CacheEntry, Report
from tests.doubles import START, ManualClock


def entry() -> CacheEntry:
    report = Report(status=BackupStatus.FAILED, observed_at=START)
    return CacheEntry(report=report, fetched_at=START, confirmed_at=START, fresh_until=START + timedelta(minutes=2))


def key(name: str) -> tuple[str, str, str, str]:
    return ("github", "acme", "repository", name)


def test_the_least_recently_used_entry_is_dropped_first() -> None:
    cache = MemoryStatusCache(ManualClock(), max_entries=2)
    cache.put(key("a"), entry())
    cache.put(key("b"), entry())
    cache.get(key("a"))
    cache.put(key("c"), entry())
    assert [cache.get(key(name)) is not None for name in "abc"] == [True, False, True]


def test_with_size_0_nothing_is_stored() -> None:
    cache = MemoryStatusCache(ManualClock(), max_entries=0)
    assert not cache.put(key("a"), entry())
    assert cache.get(key("a")) is None


def test_fences_are_dropped_when_no_fetch_can_be_that_old() -> None:
    clock = ManualClock()
    cache = MemoryStatusCache(clock)
    cache.invalidate(key("a"))
    clock.advance(seconds=61)
    cache.invalidate(key("b"))
    assert cache.put(key("a"), entry())
