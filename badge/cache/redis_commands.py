"""Commands that may be lost: a server that is away is told of once an outage, and never raises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import ChildDeadlockedError, OutOfMemoryError, RedisClusterException, RedisError

from badge.model import CacheLost, CacheRegained
from badge.ports import Events

# Not all of redis-py's exceptions are RedisErrors: these two derive from Exception alone.
LOSSES = (RedisError, RedisClusterException, ChildDeadlockedError, OSError)

_Answer = TypeVar("_Answer")


class RedisCommands:
    """What all users of one server share: whether it is lost just now."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._failures = 0

    def attempt(self, operation: str, command: Callable[[], _Answer]) -> _Answer | None:
        """The command's answer, or None where the server is lost; told once per outage."""
        try:
            answer = command()
        except OutOfMemoryError:
            # The server is there and full: this write is lost, the outage is none.
            return None
        except LOSSES as error:
            self._lost(operation, error)
            return None
        self._answered()
        return answer

    def _lost(self, operation: str, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            is_first = self._failures == 1
        if is_first:
            self._events.emit(CacheLost(operation, type(error).__name__))

    def _answered(self) -> None:
        if self._failures == 0:
            return
        with self._lock:
            failures, self._failures = self._failures, 0
        if failures:
            self._events.emit(CacheRegained(failures))
