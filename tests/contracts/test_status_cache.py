"""The StatusCache port: one suite, every implementation."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from badge.cache.memory import MemoryStatusCache
from badge.cache.redis_cache import RedisStatusCache
from badge.cache.redis_commands import RedisCommands
from badge.cache.redis_connection import connect
from badge.model import BackupStatus, Kept, Reason, Report, Visibility
from badge.ports import StatusCache
from tests.doubles import RecordedEvents
from tests.servers import running_valkey

KEY = ("github", "acme", "repository", "web")
OTHER = ("github", "acme", "repository", "api")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StatusCache]:
    if request.param == "memory":
        yield MemoryStatusCache(now)
        return
    with running_valkey(tmp_path) as server:
        yield RedisStatusCache(
            connect(server.url, timedelta(seconds=0.5), 4), RedisCommands(RecordedEvents()), RecordedEvents(), now
        )


def kept(began: datetime, status: BackupStatus = BackupStatus.SUCCEEDED) -> Kept:
    report = Report(
        status=status,
        observed_at=began,
        started_at=began - timedelta(minutes=5),
        finished_at=began - timedelta(minutes=1),
        last_success_at=began,
        last_finished=BackupStatus.FAILED,
        next_run_at=began + timedelta(days=1),
        stale_after=began + timedelta(days=2),
        deleted_at=began,
        size_bytes=2**40,
        url="https://backups.example/run/1",
        visibility=Visibility.PRIVATE,
        enabled=True,
        reason=Reason.STORAGE,
        revision=2**52,
        validator='W/"7"',
    )
    return Kept(report=report, fetched_at=began, confirmed_at=began, fresh_until=began + timedelta(minutes=2))


def test_what_was_put_comes_back_whole(cache: StatusCache) -> None:
    value = kept(cache.fetch_began(KEY))
    assert cache.put(KEY, value)
    assert cache.get(KEY) == value
    assert cache.get(OTHER) is None


@pytest.mark.parametrize("year", [1971, 2015, 9999])
def test_what_a_source_tells_of_far_away_times_is_kept_too(cache: StatusCache, year: int) -> None:
    value = kept(cache.fetch_began(KEY))
    far = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    value = replace(value, report=replace(value.report, last_success_at=far, next_run_at=far, stale_after=far))
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_knowledge_that_is_very_old_is_kept_as_such(cache: StatusCache) -> None:
    value = kept(cache.fetch_began(KEY))
    old = datetime(2010, 1, 1, tzinfo=UTC)
    value = replace(value, confirmed_at=old, report=replace(value.report, observed_at=old))
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_an_absent_subject_is_kept_too(cache: StatusCache) -> None:
    began = cache.fetch_began(KEY)
    value = replace(kept(began), report=Report.absent(began))
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_the_fetch_that_began_later_wins_in_any_order(cache: StatusCache) -> None:
    early, late = cache.fetch_began(KEY), cache.fetch_began(KEY)
    assert cache.put(KEY, kept(late, BackupStatus.FAILED))
    assert not cache.put(KEY, kept(early - timedelta(seconds=1)))
    found = cache.get(KEY)
    assert found is not None
    assert found.report.status is BackupStatus.FAILED


def test_a_fetch_begun_before_a_forget_is_refused(cache: StatusCache) -> None:
    began = cache.fetch_began(KEY)
    cache.put(KEY, kept(began))
    cache.forget(KEY)
    assert cache.get(KEY) is None
    assert not cache.put(KEY, kept(began))
    assert cache.get(KEY) is None


def test_a_fetch_begun_after_a_forget_is_kept(cache: StatusCache) -> None:
    cache.forget(KEY)
    assert cache.put(KEY, kept(cache.fetch_began(KEY) + timedelta(microseconds=1)))


def test_forgetting_one_leaves_the_others(cache: StatusCache) -> None:
    value = kept(cache.fetch_began(OTHER))
    cache.put(OTHER, value)
    cache.forget(KEY)
    assert cache.get(OTHER) == value


def test_it_says_that_it_is_up(cache: StatusCache) -> None:
    assert cache.is_up()
