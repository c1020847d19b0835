"""One caller per key does the work; the others of this process get its result, or its failure."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class Flight(Generic[Result]):
    """Work under way. It lands once, with a result or with the exception that ended it."""

    def __init__(self) -> None:
        self._landed = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None

    def land(self, result: Result) -> None:
        """End it for all who wait."""
        self._result = result
        self._landed.set()

    def crash(self, error: BaseException) -> None:
        """End it with an exception, which all who wait get to see."""
        self._error = error
        self._landed.set()

    def wait(self, seconds: float) -> Result | None:
        """Its result, or None if it has not landed by then; raises what it crashed with."""
        if not self._landed.wait(seconds):
            return None
        if self._error is not None:
            raise self._error
        return self._result


class SingleFlight(Generic[Key, Result]):
    """The flights of one process, a key each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Key, Flight[Result]] = {}

    def board(self, key: Key) -> tuple[Flight[Result], bool]:
        """The key's flight, and whether it is new: then the caller has to see that it lands and is over."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def over(self, key: Key) -> None:
        """The next caller begins a new one."""
        with self._lock:
            self._flights.pop(key, None)
