"""Small typed stand-ins for the ports, and a clock that only moves when told to."""

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
    Clock,
    StatusCache,
    StatusSource,
    SubjectKey,
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
    """A clock that only `advance` moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class ScriptedSource:
    """A source that answers with what `answer` makes: a report, or a raised SourceUnavailable."""

    answer: Callable[[Subject], Report]
    name: str = "scripted"
    folds: bool = False
    local: bool = False
    asked: list[tuple[Subject, Report | None]] = field(default_factory=list)

    def folds_case(self, subject: Subject) -> bool:
        return self.folds

    def is_local(self, subject: Subject) -> bool:
        return self.local

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        self.asked.append((subject, known))
        return self.answer(subject)


@dataclass
class RecordedEvents:
    """Keeps every event, in order."""

    seen: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.seen.append(event)


@dataclass
class SharedCache:
    """A status cache over the server at a URL, as one process has it."""

    url: str
    clock: Clock
    seconds: float = 0.05
    connections: int = 8
    events: RecordedEvents = field(default_factory=RecordedEvents)
    rules: CircuitBreakerRules = field(default_factory=CircuitBreakerRules)

    def __post_init__(self) -> None:
        self.connector = RedisConnector(self.url, timedelta(seconds=self.seconds), self.connections)
        self.breaker = CircuitBreaker("redis", self.events, self.rules)
        self.commands = RedisCommands(self.connector, self.events, self.breaker)
        self.local = MemoryStatusCache(self.clock)
        self.cache = RedisStatusCache(self.commands, self.local, self.events, self.clock)
        self.pauses = RedisSourcePauses(self.commands, self.clock)
        # What is left to the garbage collector warns of open sockets.
        weakref.finalize(self.cache, _disconnect, self.connector)

    @property
    def is_trying(self) -> bool:
        """Whether a thread is finding out if the server is back."""
        return self.commands._trying.get().is_set()


def _disconnect(connector: RedisConnector) -> None:
    for pool in pools_of(connector._client):
        pool.disconnect()


def pools_of(client: Any) -> Iterator[Any]:
    """The connections of a client, and of all that it asks behind its caller's back."""
    if isinstance(client, redis.RedisCluster):
        yield from (node.redis_connection.connection_pool for node in client.get_nodes() if node.redis_connection)
    elif client is not None:
        yield client.connection_pool
        if hasattr(client.connection_pool, "sentinel_manager"):
            yield from (sentinel.connection_pool for sentinel in client.connection_pool.sentinel_manager.sentinels)


@dataclass
class Inline:
    """A crew that does each job while its giver waits, so that tests need not; full where `has_room` is False."""

    has_room: bool = True

    @property
    def is_full(self) -> bool:
        return not self.has_room

    def submit(self, job: Job) -> bool:
        if self.has_room:
            job()
        return self.has_room


@contextlib.contextmanager
def no_thread_to_give() -> Iterator[None]:
    """The system refuses every new thread, as at a container's limit: none has room for such a stack."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


class OneProcess(MemoryStatusCache):
    """A cache that all processes share, for there is but one."""

    def shared(self, key: SubjectKey) -> CacheEntry | None:
        return self.get(key)


@dataclass
class Resolving:
    """A resolver and all that it stands on, of which tests move what they like."""

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
        """A resolver of another process, as it were: what it shares with others is the cache."""
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
