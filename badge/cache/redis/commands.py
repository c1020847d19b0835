"""Commands with a fallback for when the server fails, hangs or is full, behind a circuit breaker.

Once the breaker is open, a lost server costs a request nothing: trials run in the background. Whatever a server
does, nothing here raises an exception.
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
from badge.cache.redis.connection_errors import LOSSES, is_denied, name_of
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

# Longer than a command's time, because a trial may have to learn a Cluster's topology first.
TRIAL_SECONDS = 1.0

_Answer = TypeVar("_Answer")


@dataclass
class RedisCommands:
    """Runs commands on one server; shared by all users of it."""

    connector: RedisConnector
    events: Events
    breaker: CircuitBreaker
    on_return: list[Callable[[], None]] = field(default_factory=list)
    """Run by each trial after its PING; the breaker closes only when all of them succeed. May raise `LOSSES`."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _failures: int = field(default=0, init=False)
    _trying: PerProcess[threading.Event] = field(default_factory=lambda: PerProcess(threading.Event), init=False)
    """Set while a thread is running trials."""
    _is_call_due: bool = field(default=False, init=False)

    def attempt(
        self,
        operation: str,
        command: Callable[[], _Answer],
        *,
        instead: Callable[[], _Answer],
        when_late: Callable[[], _Answer] | None = None,
    ) -> _Answer:
        """Run a command; returns the result of `instead` if the server is lost or full.

        `when_late` replaces `instead` if the command failed but the breaker is still closed.
        """
        if self.breaker.is_open:
            self._try_in_background()
            return instead()
        try:
            with command_time(self.connector.seconds):
                answer = command()
        except OutOfMemoryError as error:
            # The server is up but full: this write is lost, but it is not an outage.
            self.events.emit(CacheCommandFailed(operation, type(error).__name__))
            return instead()
        except LOSSES as error:
            self._lost(operation, error)
            return instead() if when_late is None or self.breaker.is_open else when_late()
        self._answered()
        return answer

    def warm_up(self) -> None:
        """Connect in the background: a process's first command imports code, which takes longer than its time limit."""
        start_thread(self._connect, "redis-warm-up")

    def call_on_return_soon(self) -> None:
        """Call the `on_return` callbacks in the background until all succeed, even if the breaker is closed."""
        with self._lock:
            self._is_call_due = True
        self._try_in_background()

    def _connect(self) -> None:
        with contextlib.suppress(*LOSSES), command_time(TRIAL_SECONDS):
            self.connector.client().ping()  # if it fails, so will the first command

    def _lost(self, operation: str, error: Exception) -> None:
        self.events.emit(CacheCommandFailed(operation, name_of(error)))
        with self._lock:
            self._failures += 1
            is_first = self._failures == 1
        if is_first:
            self.events.emit(CacheLost(operation, name_of(error)))
        # A server whose ACL forbids one command still answers others, and each such answer would reset the failure
        # count. So a denied command opens the breaker at once.
        self.breaker.failed(is_lasting=is_denied(error))
        if self.breaker.is_open:
            self._try_in_background()

    def _answered(self) -> None:
        if self._failures == 0 and not self.breaker.is_open:
            return
        with self._lock:
            failures, self._failures = self._failures, 0
        self.breaker.succeeded()
        if failures:
            self.events.emit(CacheRegained(failures))

    def _try_in_background(self) -> None:
        trying = self._trying.get()
        if trying.is_set():
            return
        with self._lock:
            if not trying.is_set() and start_thread(self._try_until_it_is_back, "redis-trial"):
                trying.set()

    def _try_until_it_is_back(self) -> None:
        pause = threading.Event()
        while self._must_go_on():
            pause.wait(self.breaker.seconds_to_trial)
            self._is_call_due = False
            try:
                with command_time(TRIAL_SECONDS):
                    self.connector.client().ping()
                for callback in self.on_return:
                    callback()
            except Exception as error:  # noqa: BLE001 - if this thread died, the breaker would stay open forever
                if not isinstance(error, LOSSES):
                    self.events.emit(AnswerCrashed("redis-trial", error))
                self._is_call_due = True
                self.breaker.failed()
            else:
                self._answered()

    def _must_go_on(self) -> bool:
        """Return whether to go on; if not, also clear the flag, so that the next outage starts a new thread."""
        with self._lock:
            if self.breaker.is_open or self._is_call_due:
                return True
            self._trying.get().clear()
            return False
