"""Commands that may be lost: what is done instead, and when to stop trying.

A server that is away costs a request nothing once the breaker is open: it is found out in the
background whether it is back. Nothing here raises for what a server may do.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from redis.exceptions import OutOfMemoryError

from badge.cache.redis.command_time import command_time
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.connection_errors import LOSSES
from badge.events import (
    AnswerCrashed,
    CacheCommandFailed,
    CacheLost,
    CacheRegained,
)
from badge.ports import Events
from badge.resilience.circuit_breaker import CircuitBreaker
from badge.resilience.per_process import PerProcess
from badge.resilience.worker_pool import start_thread

# A trial may also have to find out the topology, which takes several questions.
TRIAL_SECONDS = 1.0

_Answer = TypeVar("_Answer")


@dataclass
class RedisCommands:
    """What all users of one server share: its client, and whether it is lost just now."""

    connector: RedisConnector
    events: Events
    breaker: CircuitBreaker
    on_return: list[Callable[[], None]] = field(default_factory=list)
    """What may have to be made up for, before anybody uses again a server that was given up."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _failures: int = field(default=0, init=False)
    _trying: PerProcess[threading.Event] = field(default_factory=lambda: PerProcess(threading.Event), init=False)
    """Set while a thread is finding out whether the server is back."""
    _owes: bool = field(default=False, init=False)

    def attempt(
        self,
        operation: str,
        command: Callable[[], _Answer],
        instead: Callable[[], _Answer],
        *,
        when_late: Callable[[], _Answer] | None = None,
    ) -> _Answer:
        """The command's answer, or that of `instead` where the server is lost or full.

        `when_late`: what to do instead where the command failed and the server is not given up yet.
        """
        if self.breaker.is_open:
            self._find_out_in_the_background()
            return instead()
        try:
            with command_time(self.connector.seconds):
                answer = command()
        except OutOfMemoryError as error:
            # The server is there and full: this write is lost, the outage is none.
            self.events.emit(CacheCommandFailed(operation, type(error).__name__))
            return instead()
        except LOSSES as error:
            self._lost(operation, error)
            return instead() if when_late is None or self.breaker.is_open else when_late()
        self._answered()
        return answer

    def warm_up(self) -> None:
        """Connect in the background: a process' first command loads code, which takes longer than a command may."""
        start_thread(self._connect, "redis-warm-up")

    def make_up_soon(self) -> None:
        """Have `on_return` called in the background, until it comes through, though the server is not given up."""
        with self._lock:
            self._owes = True
        self._find_out_in_the_background()

    def _connect(self) -> None:
        with contextlib.suppress(*LOSSES), command_time(TRIAL_SECONDS):
            self.connector.client().ping()  # where it fails, the first command will tell

    def _lost(self, operation: str, error: Exception) -> None:
        self.events.emit(CacheCommandFailed(operation, type(error).__name__))
        with self._lock:
            self._failures += 1
            is_first = self._failures == 1
        if is_first:
            self.events.emit(CacheLost(operation, type(error).__name__))
        self.breaker.failed()
        if self.breaker.is_open:
            self._find_out_in_the_background()

    def _answered(self) -> None:
        if self._failures == 0 and not self.breaker.is_open:
            return
        with self._lock:
            failures, self._failures = self._failures, 0
        self.breaker.succeeded()
        if failures:
            self.events.emit(CacheRegained(failures))

    def _find_out_in_the_background(self) -> None:
        trying = self._trying.get()
        if trying.is_set():
            return
        with self._lock:
            if not trying.is_set() and start_thread(self._try_until_it_is_back, "redis-trial"):
                trying.set()

    def _try_until_it_is_back(self) -> None:
        pause = threading.Event()
        while self._is_needed():
            pause.wait(self.breaker.seconds_to_trial)
            self._owes = False
            try:
                with command_time(TRIAL_SECONDS):
                    self.connector.client().ping()
                for make_up in self.on_return:
                    make_up()
            except Exception as error:  # noqa: BLE001 - were this thread to end, the breaker would stay open for ever
                if not isinstance(error, LOSSES):
                    self.events.emit(AnswerCrashed("redis-trial", error))
                self._owes = True
                self.breaker.failed()
            else:
                self._answered()

    def _is_needed(self) -> bool:
        """Whether to go on trying; if not, the next outage finds nobody trying."""
        with self._lock:
            if self.breaker.is_open or self._owes:
                return True
            self._trying.get().clear()
            return False
