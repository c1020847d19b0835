"""The time left for this thread's current command, shared by connecting, sending and reading.

Thread-local, because redis-py passes no deadline down to its sockets and opens connections by itself.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_current = threading.local()


@contextmanager
def command_time(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Limit this thread's work on bounded sockets to this many seconds in total while the block runs."""
    _current.ends, _current.monotonic = monotonic() + seconds, monotonic
    try:
        yield
    finally:
        _current.ends = None


def seconds_left(most: float) -> float:
    """Return the seconds left, at most `most`; raises `TimeoutError` if none are left."""
    ends = getattr(_current, "ends", None)
    if ends is None:
        return most
    left: float = ends - _current.monotonic()
    if left <= 0:
        raise TimeoutError("the command's time is used up")
    return min(left, most)


class CommandSocket:
    """A connected socket on which each wait is limited to the command time left."""

    def __init__(self, sock: socket.socket, most: float) -> None:
        self._sock, self._most = sock, most
        self._polls = False

    def settimeout(self, timeout: float | None) -> None:
        """Set the timeout. The pool uses zero to poll for waiting bytes; any other value is overridden per wait."""
        self._polls = timeout == 0
        self._sock.settimeout(timeout)

    def recv(self, *args: Any) -> bytes:
        """Read within the time left."""
        self._limit_next_wait()
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Read into a buffer within the time left."""
        self._limit_next_wait()
        return self._sock.recv_into(*args)

    def sendall(self, *args: Any) -> None:
        """Write within the time left."""
        self._limit_next_wait()
        self._sock.sendall(*args)

    def _limit_next_wait(self) -> None:
        if not self._polls:
            self._sock.settimeout(seconds_left(self._most))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
