"""Values that each process makes for itself, because threads and connections don't survive a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class PerProcess(Generic[_Value]):
    """One value per process, created on first use."""

    def __init__(self, make: Callable[[], _Value]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._mine: tuple[int, _Value] | None = None
        self._inherited: list[object] = []

    def get(self) -> _Value:
        """Return this process's value, which all of its threads share."""
        mine = self._mine
        if mine is not None and mine[0] == os.getpid():
            return mine[1]
        with self._lock:
            if self._mine is None or self._mine[0] != os.getpid():
                made = self._make()
                # Keep the parent's value referenced: if the garbage collector closed it here, that could corrupt
                # the parent's database (sqlite.org/howtocorrupt.html, section 2.6).
                self._inherited.append(self._mine)
                self._mine = os.getpid(), made
            return self._mine[1]

    def take(self) -> _Value | None:
        """Return this process's value, or None if there is none; the next `get` then creates a new one."""
        with self._lock:
            if self._mine is None or self._mine[0] != os.getpid():
                return None
            value, self._mine = self._mine[1], None
            return value
