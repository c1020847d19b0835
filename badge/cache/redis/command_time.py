"""How much time is left of the command that this thread is about: connecting, asking and reading share it.

redis-py hands no deadline down to its sockets, and makes connections of its own accord, so it stands
beside the thread.
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
    """Whatever this thread does on bounded sockets in the block has to end within so many seconds."""
    _current.ends, _current.monotonic = monotonic() + seconds, monotonic
    try:
        yield
    finally:
        _current.ends = None


def seconds_left(most: float) -> float:
    """What is left, at most so much; raises `TimeoutError` where nothing is."""
    ends = getattr(_current, "ends", None)
    if ends is None:
        return most
    left: float = ends - _current.monotonic()
    if left <= 0:
        raise TimeoutError("the command's time is over")
    return min(left, most)


class CommandSocket:
    """A connected socket, each wait on which is given what is left of the thread's command."""

    def __init__(self, sock: socket.socket, most: float) -> None:
        self._sock, self._most = sock, most
        self._polls = False

    def settimeout(self, timeout: float | None) -> None:
        """Zero is the pool's way of looking whether bytes are waiting; any other is ours to set."""
        self._polls = timeout == 0
        self._sock.settimeout(timeout)

    def recv(self, *args: Any) -> bytes:
        """Read, within what is left of the command's time."""
        self._wait_only_what_is_left()
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Read into a buffer, within what is left of the command's time."""
        self._wait_only_what_is_left()
        return self._sock.recv_into(*args)

    def sendall(self, *args: Any) -> None:
        """Write, within what is left of the command's time."""
        self._wait_only_what_is_left()
        self._sock.sendall(*args)

    def _wait_only_what_is_left(self) -> None:
        if not self._polls:
            self._sock.settimeout(seconds_left(self._most))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
