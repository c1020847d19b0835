"""Connections for `requests`, on which connecting, the TLS handshake and reading share one deadline.

A timeout of `requests` limits each wait for bytes, not the whole response: a server that sends one byte a second can
hold the caller forever (requests' documentation, "Timeouts"). Here the socket timeout is set to the remaining time
before each read, so that even a slow drip ends in time. urllib3 would also let name resolution take as long as
resolv.conf allows, and apply the full timeout to each address and again to the TLS handshake; here they share the
remaining time.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from badge.deadline import Deadline
from badge.resilience.host_names import HostNames


@dataclass(frozen=True, slots=True)
class Call:
    """What a connection needs to know about the current request; urllib3 offers no way to pass it down."""

    deadline: Deadline
    names: HostNames


_current = threading.local()


@contextmanager
def calling(call: Call) -> Iterator[None]:
    """Make this the current call of every connection that this thread uses in the block."""
    _current.call = call
    try:
        yield
    finally:
        _current.call = None


def _seconds_left(deadline: Deadline) -> float:
    left = deadline.remaining
    if left == 0:  # a socket timeout of 0 would mean non-blocking mode
        raise TimeoutError("deadline")
    return left


class _DeadlineReader(io.RawIOBase):
    """The stream from which http.client reads; each read gets only the remaining time."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_seconds_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """A connected socket that is read within the calling thread's deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        # The socket's own file object keeps the socket open until it is read to the end. It is unbuffered, because the
        # buffer is added below.
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_DeadlineReader(raw, self._sock, _current.call.deadline))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _HttpConnection(HTTPConnection):
    """A connection that connects, does its handshake and reads within the calling thread's deadline."""

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", _DeadlineSocket(self.sock))

    def _new_conn(self) -> socket.socket:
        call: Call = _current.call
        try:
            sock = call.names.connect(self._dns_host, self.port, partial(_seconds_left, call.deadline))
        except socket.gaierror as error:
            raise NameResolutionError(self._dns_host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error
        self.timeout = sock.gettimeout()  # the remaining time, for the handshake and the request
        return sock


class _HttpsConnection(_HttpConnection, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class DeadlineAdapter(HTTPAdapter):
    """A requests adapter whose connections keep to the deadline of `calling`."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: D102 - HTTPAdapter's
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
