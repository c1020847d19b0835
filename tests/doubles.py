"""Small typed stand-ins for the ports, and a clock that only moves on demand."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from badge.cache.memory import MemorySourcePauses, MemoryStatusCache
from badge.cache.redis.commands import RedisCommands
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.source_pauses import RedisSourcePauses
from badge.cache.redis.status_cache import RedisStatusCache
from badge.deadline import Deadline
from badge.events import Event
from badge.model import CacheEntry, Report, Subject
from badge.ports import (
    CacheKey,
    Clock,
    StatusCache,
    StatusSource,
)
from badge.resilience.budget import Budget, BudgetLimits
from badge.resilience.circuit_breaker import CircuitBreaker, CircuitBreakerRules
from badge.resilience.worker_pool import Job
from badge.resolving.fetcher import Fetcher
from badge.resolving.lifetimes import Lifetimes
from badge.resolving.resolver import Resolver
from badge.resolving.source_limiter import SourceLimiter, SourceLimiters
from badge.sources.routing import OneSource

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class ManualClock:
    """A clock that moves only on `advance`."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class ScriptedSource:
    """A source that answers with the result of `answer`: a report, or a raised SourceUnavailable."""

    answer: Callable[[Subject], Report]
    name: str = "scripted"
    folds: bool = False
    local: bool = False
    asked: list[tuple[Subject, Report | None]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.name

    def cache_key(self, subject: Subject) -> CacheKey:
        return self.place, *subject.key(fold_case=self.folds)

    def is_local(self, subject: Subject) -> bool:
        return self.local

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        self.asked.append((subject, known))
        return self.answer(subject)


@dataclass
class RecordedEvents:
    """Records every event, in order."""

    seen: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.seen.append(event)


@dataclass
class SharedCache:
    """One process's status cache on the server at a URL."""

    url: str
    clock: Clock
    seconds: float = 0.05
    longest_wait: timedelta = timedelta(minutes=15)
    connections: int = 8
    events: RecordedEvents = field(default_factory=RecordedEvents)
    rules: CircuitBreakerRules = field(default_factory=CircuitBreakerRules)

    def __post_init__(self) -> None:
        self.connector = RedisConnector(self.url, timedelta(seconds=self.seconds), self.connections)
        self.breaker = CircuitBreaker("redis", self.events, self.rules)
        self.commands = RedisCommands(self.connector, self.events, self.breaker)
        self.local = MemoryStatusCache(self.clock)
        self.cache = RedisStatusCache(self.commands, self.local, self.events, self.clock, self.longest_wait)
        self.pauses = RedisSourcePauses(self.commands, self.clock)
        # Sockets left to the garbage collector would cause warnings.
        weakref.finalize(self.cache, _disconnect, self.connector)

    @property
    def is_trying(self) -> bool:
        """Whether a thread is running trials."""
        return self.commands._trying.get().is_set()


def _disconnect(connector: RedisConnector) -> None:
    for pool in pools_of(connector._client):
        pool.disconnect()


def pools_of(client: Any) -> Iterator[Any]:
    """Yield the connection pools of a client, including those to Sentinels or to a Cluster's servers."""
    if isinstance(client, redis.RedisCluster):
        yield from (node.redis_connection.connection_pool for node in client.get_nodes() if node.redis_connection)
    elif client is not None:
        yield client.connection_pool
        if hasattr(client.connection_pool, "sentinel_manager"):
            yield from (sentinel.connection_pool for sentinel in client.connection_pool.sentinel_manager.sentinels)


@dataclass
class Inline:
    """A worker pool that runs each job on the caller's thread, so that tests need not wait; full if not `has_room`."""

    has_room: bool = True

    @property
    def is_full(self) -> bool:
        return not self.has_room

    def submit(self, job: Job) -> bool:
        if self.has_room:
            job()
        return self.has_room


@contextlib.contextmanager
def without_threads() -> Iterator[None]:
    """Make starting threads fail, as it does at a container's limit, by asking for an impossible stack size."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


class OneProcess(MemoryStatusCache):
    """A cache whose entries count as shared, for tests with one process."""

    def shared(self, key: CacheKey) -> CacheEntry | None:
        return self.get(key)


@dataclass
class Resolving:
    """A resolver with all its parts, which tests can replace or change."""

    source: StatusSource
    clock: ManualClock = field(default_factory=ManualClock)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    pool: Inline = field(default_factory=Inline)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    limits: BudgetLimits = field(default_factory=BudgetLimits)
    cache: StatusCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = OneProcess(self.clock)
        self.pauses = MemorySourcePauses(self.clock)
        self.resolver = self.made()

    def monotonic(self) -> float:
        return self.clock.now.timestamp()

    def limiter(self, name: str) -> SourceLimiter:
        breaker = CircuitBreaker(name, self.events, monotonic=self.monotonic, jitter=lambda: 0.5)
        return SourceLimiter(breaker, Budget(self.limits, self.monotonic), self.pool, self.clock)

    def made(self) -> Resolver:
        """Return a resolver like that of another process, which shares only the cache and the pauses."""
        fetcher = Fetcher(
            self.cache,
            self.pauses,
            self.clock,
            self.events,
            SourceLimiters(self.limiter).of,
            self.lifetimes,
            jitter=lambda: 0.0,
            pause=self.pause,
        )
        routing = OneSource(self.source)
        return Resolver(routing, self.cache, fetcher, self.clock, self.events, self.lifetimes)

    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
