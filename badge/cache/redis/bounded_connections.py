"""redis-py's connections, on which connecting and each command end with the thread's command time."""

from __future__ import annotations

import socket
import ssl
from functools import cache, partial
from typing import Any, NamedTuple

import redis
from redis.sentinel import SentinelManagedConnection

from badge.cache.redis.command_time import CommandSocket, seconds_left
from badge.resilience.host_names import HOST_NAMES


class Bounded:
    """Mixed into each kind of connection."""

    def _connect(self) -> Any:
        most = self.socket_timeout  # type: ignore[attr-defined] # the connection's own
        timeouts: Any = self
        timeouts.socket_connect_timeout = seconds_left(most)
        try:
            return CommandSocket(super()._connect(), most)  # type: ignore[misc] # the connection's own
        finally:
            timeouts.socket_connect_timeout = most


class _Tcp(redis.Connection):
    """redis-py's own looks names up for as long as that takes, and gives each address the whole time."""

    names = HOST_NAMES

    def _connect(self) -> socket.socket:
        assert self.socket_timeout is not None
        sock = self.names.connect(self.host, self.port, partial(seconds_left, self.socket_timeout))
        if self.socket_keepalive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in self.socket_keepalive_options.items():
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
        return sock


class BoundedConnection(Bounded, _Tcp):
    """A bounded connection over TCP."""


class Tls(NamedTuple):
    """The TLS options of a URL."""

    ca_certs: str | None
    ca_path: str | None
    certfile: str | None
    keyfile: str | None
    password: str | None
    verifies: ssl.VerifyMode
    checks_name: bool


TLS_OPTIONS = frozenset(
    f"ssl_{name}" for name in ("ca_certs", "ca_path", "certfile", "keyfile", "password", "cert_reqs", "check_hostname")
)


@cache
def tls_context(said: Tls) -> ssl.SSLContext:
    """The same for all connections: to read the system's certificates takes half of a command's time, or more."""
    context = ssl.create_default_context(cafile=said.ca_certs, capath=said.ca_path)
    context.check_hostname = said.checks_name
    context.verify_mode = said.verifies
    if said.certfile is not None:
        context.load_cert_chain(said.certfile, said.keyfile, said.password)
    return context


class BoundedTlsConnection(Bounded, redis.SSLConnection, _Tcp):
    """A bounded connection over TLS, made with the certificates at hand, before any command's time begins to run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        files = (self.ca_certs, self.ca_path, self.certfile, self.keyfile, self.certificate_password)
        self._context = tls_context(Tls(*files, self.cert_reqs, self.check_hostname))

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        assert self.socket_timeout is not None
        sock.settimeout(seconds_left(self.socket_timeout))
        return self._context.wrap_socket(sock, server_hostname=self.host)


class BoundedUnixConnection(Bounded, redis.UnixDomainSocketConnection):
    """A bounded connection over a Unix socket."""

    # redis-py 8.1 names them when connecting takes too long, and has none here.
    host, port = "", 0


class BoundedSentinelConnection(Bounded, SentinelManagedConnection, _Tcp):
    """A bounded connection to the server that Sentinel calls the primary."""


class BoundedSentinelTlsConnection(BoundedSentinelConnection, BoundedTlsConnection):
    """A bounded connection over TLS to the server that Sentinel calls the primary."""
