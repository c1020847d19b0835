"""redis-py connections whose connecting, sending and reading stay within the thread's command time."""

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
    """Mixin for each kind of connection."""

    def _connect(self) -> Any:
        most = self.socket_timeout  # type: ignore[attr-defined] # the connection's own
        timeouts: Any = self
        timeouts.socket_connect_timeout = seconds_left(most)
        try:
            return CommandSocket(super()._connect(), most)  # type: ignore[misc] # the connection's own
        finally:
            timeouts.socket_connect_timeout = most


class _Tcp(redis.Connection):
    """TCP with one time limit; redis-py has none for DNS look-ups, and gives each address the whole timeout."""

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
def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context for these options.

    It is made only once, because reading the system's certificates takes much of a command's time. Raises what `ssl`
    raises for certificates that can't be used.
    """
    context = ssl.create_default_context(cafile=tls.ca_certs, capath=tls.ca_path)
    context.check_hostname = tls.checks_name
    context.verify_mode = tls.verifies
    if tls.certfile is not None:
        context.load_cert_chain(tls.certfile, tls.keyfile, tls.password)
    return context


class BoundedTlsConnection(Bounded, redis.SSLConnection, _Tcp):
    """A bounded connection over TLS. Its context is cached, so only the first instance reads the certificates."""

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

    # redis-py 8.1 reads these for its timeout message, but Unix connections have none.
    host, port = "", 0


class BoundedSentinelConnection(Bounded, SentinelManagedConnection, _Tcp):
    """A bounded connection to the current primary, as reported by Sentinel."""


class BoundedSentinelTlsConnection(BoundedSentinelConnection, BoundedTlsConnection):
    """A bounded connection to the current primary, over TLS."""
