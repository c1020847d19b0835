"""Single flight: within one process, one caller per key does the work and the others share its result."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class Flight(Generic[Result]):
    """A piece of work under way. It ends exactly once, with a result or an exception."""

    def __init__(self) -> None:
        self._landed = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None

    def land(self, result: Result) -> None:
        """End the flight with a result for all waiting callers."""
        self._result = result
        self._landed.set()

    def crash(self, error: BaseException) -> None:
        """End the flight with an exception, raised for all waiting callers."""
        self._error = error
        self._landed.set()

    @property
    def has_ended(self) -> bool:
        """Whether there is a result or an exception."""
        return self._landed.is_set()

    def wait(self, seconds: float) -> Result | None:
        """Return the result, or None if the flight has not ended within `seconds`; raises its exception."""
        if not self._landed.wait(seconds):
            return None
        if self._error is not None:
            raise self._error
        return self._result


class SingleFlight(Generic[Key, Result]):
    """The flights of one process, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Key, Flight[Result]] = {}

    def board(self, key: Key) -> tuple[Flight[Result], bool]:
        """Return the key's flight and whether it is new.

        A caller that gets a new flight must call `over` and then end the flight.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def over(self, key: Key) -> None:
        """Remove the key's flight, so that the next caller starts a new one."""
        with self._lock:
            self._flights.pop(key, None)
