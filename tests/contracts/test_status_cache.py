"""The StatusCache port: one suite, every implementation."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from badge.cache.memory import MemorySourcePauses, MemoryStatusCache
from badge.model import BackupStatus, CacheEntry, Reason, Report, Visibility
from badge.ports import Lease, LeaseAttempt, SourcePauses, StatusCache
from tests.doubles import SharedCache
from tests.servers import eventually, running_valkey
from tests.topologies import cluster, password_server, tls_server, watched_servers

KEY = ("github", "acme", "repository", "web")
OTHER = ("github", "acme", "repository", "api")


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def unix_socket(folder: Path) -> Iterator[str]:
    with running_valkey(folder) as server:
        yield server.url


@contextmanager
def sentinel(folder: Path) -> Iterator[str]:
    with watched_servers(folder) as watched:
        yield watched.url


@contextmanager
def three_masters(folder: Path) -> Iterator[str]:
    with cluster(folder) as servers:
        yield servers.url


SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "unix": unix_socket,
    "tcp": password_server,
    "tls": tls_server,
    "sentinel": sentinel,
    "cluster": three_masters,
}


@pytest.fixture(scope="module", params=["memory", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """URL of servers that all tests in this module share; None for the process's own memory."""
    if request.param == "memory":
        yield None
        return
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as url:
        yield url


@pytest.fixture
def cache(url: str | None) -> Iterator[StatusCache]:
    if url is None:
        yield MemoryStatusCache(now)
        return
    shared = SharedCache(url, now, seconds=0.5)
    shared.connector.client().flushall()
    yield shared.cache


@pytest.fixture
def pauses(url: str | None) -> SourcePauses:
    if url is None:
        return MemorySourcePauses(now)
    shared = SharedCache(url, now, seconds=0.5)
    shared.connector.client().flushall()
    return shared.pauses


def reported(began: datetime, status: BackupStatus = BackupStatus.SUCCEEDED) -> Report:
    return Report(
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


def entry(began: datetime, status: BackupStatus = BackupStatus.SUCCEEDED) -> CacheEntry:
    ends = began + timedelta(minutes=2)
    return CacheEntry(report=reported(began, status), fetched_at=began, confirmed_at=began, fresh_until=ends)


def test_an_entry_is_returned_as_it_was_stored(cache: StatusCache) -> None:
    value = entry(cache.fetch_began(KEY))
    assert cache.put(KEY, value)
    assert cache.get(KEY) == value
    assert cache.get(OTHER) is None


@pytest.mark.parametrize("year", [1971, 2015, 9999])
def test_a_source_s_times_in_the_far_future_are_stored(cache: StatusCache, year: int) -> None:
    began = cache.fetch_began(KEY)
    far = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    report = replace(reported(began), last_success_at=far, next_run_at=far, stale_after=far)
    value = replace(entry(began), report=report)
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_a_very_old_confirmation_is_stored(cache: StatusCache) -> None:
    began = cache.fetch_began(KEY)
    old = datetime(2010, 1, 1, tzinfo=UTC)
    value = replace(entry(began), confirmed_at=old, report=replace(reported(began), observed_at=old))
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_an_absent_subject_is_stored(cache: StatusCache) -> None:
    began = cache.fetch_began(KEY)
    value = replace(entry(began), report=Report.absent(began))
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_the_later_fetch_wins_in_any_order(cache: StatusCache) -> None:
    early, late = cache.fetch_began(KEY), cache.fetch_began(KEY)
    assert cache.put(KEY, entry(late, BackupStatus.FAILED))
    assert not cache.put(KEY, entry(early - timedelta(seconds=1)))
    found = cache.get(KEY)
    assert found is not None
    assert found.report is not None
    assert found.report.status is BackupStatus.FAILED


def test_the_result_of_a_fetch_that_began_before_an_invalidation_is_rejected(cache: StatusCache) -> None:
    began = cache.fetch_began(KEY)
    cache.put(KEY, entry(began))
    cache.invalidate(KEY)
    assert cache.get(KEY) is None
    assert not cache.put(KEY, entry(began))
    assert cache.get(KEY) is None


def test_the_result_of_a_fetch_that_began_after_an_invalidation_is_stored(cache: StatusCache) -> None:
    cache.invalidate(KEY)
    assert cache.put(KEY, entry(cache.fetch_began(KEY) + timedelta(microseconds=1)))


def test_shared_returns_only_what_another_process_would_find(cache: StatusCache, url: str | None) -> None:
    value = entry(cache.fetch_began(KEY))
    cache.put(KEY, value)
    assert cache.get(KEY) == value
    assert cache.shared(KEY) == (value if url else None)
    assert cache.shared(OTHER) is None
    cache.invalidate(KEY)
    assert cache.shared(KEY) is None


def test_invalidating_one_entry_leaves_the_others(cache: StatusCache) -> None:
    value = entry(cache.fetch_began(OTHER))
    cache.put(OTHER, value)
    cache.invalidate(KEY)
    assert cache.get(OTHER) == value


def test_a_failed_fetch_is_stored(cache: StatusCache) -> None:
    value = replace(entry(cache.fetch_began(KEY)), report=None, failures=3)
    cache.put(KEY, value)
    assert cache.get(KEY) == value


def held(cache: StatusCache, key: tuple[str, str, str, str] = KEY) -> Lease:
    lease = cache.claim(key).lease
    assert lease is not None
    return lease


def test_only_one_caller_at_a_time_holds_the_lease(cache: StatusCache) -> None:
    lease = held(cache)
    assert cache.claim(KEY).lease is None
    held(cache, OTHER)
    cache.release(lease)
    assert held(cache).token != lease.token


def test_a_lease_attempt_returns_the_cached_entry(cache: StatusCache) -> None:
    value = entry(cache.fetch_began(KEY))
    cache.put(KEY, value)
    assert cache.claim(KEY).entry == value
    assert cache.claim(KEY) == LeaseAttempt(None, value)


def test_a_result_releases_the_lease_even_if_it_is_rejected(cache: StatusCache) -> None:
    lease = held(cache)
    assert cache.put(KEY, entry(lease.began), lease)
    again = held(cache)
    assert not cache.put(KEY, entry(lease.began - timedelta(seconds=1)), again)
    held(cache)


def test_a_lease_expires_unless_it_is_renewed(cache: StatusCache) -> None:
    lease = held(cache)
    for _ in range(4):
        time.sleep(0.35)  # noqa: TID251 - leases end by the server's own clock
        cache.renew(lease)
        assert cache.claim(KEY).lease is None
    assert eventually(lambda: cache.claim(KEY).lease is not None, 2)


def test_a_holder_whose_lease_expired_neither_overwrites_nor_releases_what_another_has(cache: StatusCache) -> None:
    late = held(cache)
    time.sleep(1.1)  # noqa: TID251 - leases end by the server's own clock
    heir = held(cache)
    assert cache.put(KEY, entry(heir.began, BackupStatus.FAILED))
    assert not cache.put(KEY, entry(late.began), late)
    cache.release(late)
    cache.renew(late)
    assert cache.claim(KEY).lease is None
    found = cache.get(KEY)
    assert found is not None
    assert found.report is not None
    assert found.report.status is BackupStatus.FAILED


def test_a_source_s_pause_is_stored_until_it_ends(pauses: SourcePauses) -> None:
    assert pauses.paused_until("upstream") is None
    until = now() + timedelta(seconds=0.3)
    pauses.pause("upstream", until)
    assert pauses.paused_until("upstream") == until
    assert pauses.paused_until("another") is None
    assert eventually(lambda: pauses.paused_until("upstream") is None, 2)


def test_a_working_cache_is_up(cache: StatusCache) -> None:
    assert cache.is_up()
