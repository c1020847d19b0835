"""Clients of Redis or Valkey on which no command can last longer than it may.

redis-py 8 holds one GET for up to a minute on a silent server by its defaults, and its socket timeout
bounds each wait for bytes, not the command. So every timeout and the retry are given explicitly,
and the socket is given only the time that is left of the command's.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class CommandSocket:
    """A connected socket whose waiting, in all, ends `budget` seconds after `arm`."""

    def __init__(self, sock: socket.socket, budget: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sock, self._budget, self._monotonic = sock, budget, monotonic
        self._polls = False
        self.arm()

    def arm(self) -> None:
        """Begin a command's time."""
        self._ends = self._monotonic() + self._budget

    def settimeout(self, timeout: float | None) -> None:
        """Zero is the pool's way of looking whether bytes are waiting; any other is ours to set."""
        self._polls = timeout == 0
        self._sock.settimeout(timeout)

    def recv(self, *args: Any) -> bytes:
        """Read, within what is left."""
        self._wait_only_what_is_left()
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Read into a buffer, within what is left."""
        self._wait_only_what_is_left()
        return self._sock.recv_into(*args)

    def sendall(self, *args: Any) -> None:
        """Write, within what is left."""
        self._wait_only_what_is_left()
        self._sock.sendall(*args)

    def _wait_only_what_is_left(self) -> None:
        if self._polls:
            return
        left = self._ends - self._monotonic()
        if left <= 0:
            raise TimeoutError("the command's time is over")
        self._sock.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Bounded:
    """Mixed into redis-py's connections: each command gets the socket timeout as its whole time."""

    def _connect(self) -> Any:
        budget = self.socket_timeout  # type: ignore[attr-defined] # the connection's own
        return CommandSocket(super()._connect(), budget)  # type: ignore[misc] # the connection's own

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        sock = self._sock  # type: ignore[attr-defined] # the connection's own
        if isinstance(sock, CommandSocket):
            sock.arm()
        super().send_packed_command(*args, **options)  # type: ignore[misc] # the connection's own


class BoundedConnection(_Bounded, redis.Connection):
    """Over TCP."""


class BoundedTlsConnection(_Bounded, redis.SSLConnection):
    """Over TLS."""


class BoundedUnixConnection(_Bounded, redis.UnixDomainSocketConnection):
    """Over a Unix socket."""


_BY_SCHEME: dict[str, Any] = {
    "redis": BoundedConnection,
    "rediss": BoundedTlsConnection,
    "unix": BoundedUnixConnection,
}


def connect(url: str, timeout: timedelta, max_connections: int) -> redis.Redis:
    """A client for a standalone server by `redis://`, `rediss://` or `unix://`. Connects at first use."""
    seconds = timeout.total_seconds()
    pool = redis.BlockingConnectionPool.from_url(
        url,
        connection_class=_BY_SCHEME[urlsplit(url).scheme],
        max_connections=max_connections,
        timeout=seconds,  # how long to wait for a free connection; 20 s by default
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        protocol=2,  # no HELLO, which some proxies refuse; nothing here needs RESP3
        driver_info=None,
    )
    return redis.Redis(connection_pool=pool)
