"""Clients of Redis or Valkey, by URL: one server, Sentinel or Cluster, on which no command outlasts its time.

redis-py 8 holds one GET for up to a minute on a silent server by its defaults, and its socket timeout
bounds each wait for bytes, not the command. So every timeout and the retry are given explicitly,
and sockets are given only the time that is left of the command's.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection

from badge.cache.command_time import CommandSocket, seconds_left

SENTINEL_PORT, SERVER_PORT = 26379, 6379


class _Bounded:
    """Mixed into redis-py's connections: connecting and each command end with the thread's command time."""

    def _connect(self) -> Any:
        most = self.socket_timeout  # type: ignore[attr-defined] # the connection's own
        timeouts: Any = self
        timeouts.socket_connect_timeout = seconds_left(most)
        try:
            return CommandSocket(super()._connect(), most)  # type: ignore[misc] # the connection's own
        finally:
            timeouts.socket_connect_timeout = most


class BoundedConnection(_Bounded, redis.Connection):
    """Over TCP."""


class BoundedTlsConnection(_Bounded, redis.SSLConnection):
    """Over TLS."""


class BoundedUnixConnection(_Bounded, redis.UnixDomainSocketConnection):
    """Over a Unix socket."""

    # redis-py 8.1 names them when connecting takes too long, and has none here.
    host, port = "", 0


class BoundedSentinelConnection(_Bounded, SentinelManagedConnection):
    """To whichever server Sentinel calls the primary."""


class BoundedSentinelTlsConnection(BoundedSentinelConnection, BoundedTlsConnection):
    """The same over TLS."""


_BY_SCHEME: dict[str, Any] = {
    "redis": BoundedConnection,
    "rediss": BoundedTlsConnection,
    "unix": BoundedUnixConnection,
}

SCHEMES = (*_BY_SCHEME, "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")

Client = redis.Redis | redis.RedisCluster


@dataclass
class RedisConnector:
    """The client for a URL, made when it is first asked for: a Cluster's has to ask for the topology first."""

    url: str
    timeout: timedelta
    max_connections: int
    """To each server."""
    _client: Client | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def seconds(self) -> float:
        """The longest that one command may take, with connecting."""
        return self.timeout.total_seconds()

    def client(self) -> Client:
        """The client. Raises what redis-py does where a Cluster does not answer."""
        if self._client is not None:
            return self._client
        # Whoever is second waits for the first no longer than for an answer.
        if not self._lock.acquire(timeout=seconds_left(self.seconds)):
            raise TimeoutError("another thread is connecting")
        try:
            if self._client is None:
                self._client = self._made()
            return self._client
        finally:
            self._lock.release()

    def _made(self) -> Client:
        parts = urlsplit(self.url)
        if parts.scheme.endswith("+sentinel"):
            return self._by_sentinel(parts)
        if parts.scheme.endswith("+cluster"):
            return self._of_cluster(parts)
        return connect(self.url, self.timeout, self.max_connections)

    def _by_sentinel(self, parts: SplitResult) -> redis.Redis:
        """Of redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_password=… ."""
        options = dict(parse_qsl(parts.query))
        asking = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        service, _, db = parts.path.strip("/").partition("/")
        sentinels = redis.Sentinel(
            hosts_of(parts, SENTINEL_PORT),
            # Each gets its share of the time, so that the first one's silence does not use all of it up.
            sentinel_kwargs={**_limits(self.seconds / len(hosts_of(parts, SENTINEL_PORT))), **asking},
            **_limits(self.seconds),
        )
        connection = BoundedSentinelTlsConnection if parts.scheme == "rediss+sentinel" else BoundedSentinelConnection
        client: redis.Redis = sentinels.master_for(
            service,
            connection_class=connection,
            db=int(db or 0),
            max_connections=self.max_connections,
            **_credentials(parts),
            **options,
        )
        return client

    def _of_cluster(self, parts: SplitResult) -> redis.RedisCluster:
        """Of redis+cluster://user:password@host:6379,host:6379 ."""
        nodes = [redis.cluster.ClusterNode(*address) for address in hosts_of(parts, SERVER_PORT)]
        first = nodes.pop(0)
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        return redis.RedisCluster(
            # By URL, for only then its pools take a connection class.
            url=f"redis://{first.host}:{first.port}",
            startup_nodes=nodes,
            connection_class=BoundedTlsConnection if parts.scheme == "rediss+cluster" else BoundedConnection,
            connection_pool_class=redis.BlockingConnectionPool,
            timeout=self.seconds,
            max_connections=self.max_connections,
            require_full_coverage=False,  # what is left of a broken cluster still serves its part
            **_limits(self.seconds),
            **_credentials(parts),
            **options,
        )


def connect(url: str, timeout: timedelta, max_connections: int) -> redis.Redis:
    """A client for one server by `redis://`, `rediss://` or `unix://`. Connects at first use."""
    seconds = timeout.total_seconds()
    pool = redis.BlockingConnectionPool.from_url(
        url,
        connection_class=_BY_SCHEME[urlsplit(url).scheme],
        max_connections=max_connections,
        timeout=seconds,  # how long to wait for a free connection; 20 s by default
        **_limits(seconds),
    )
    return redis.Redis(connection_pool=pool)


def _limits(seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,  # no HELLO, which some proxies refuse; nothing here needs RESP3
        "driver_info": None,
    }


def _credentials(parts: SplitResult) -> dict[str, Any]:
    found = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in found.items() if value}


def hosts_of(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    """The addresses in a URL that may name several; raises `ValueError`."""
    hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
    if not all(host.hostname for host in hosts):
        raise ValueError("a host is missing")
    return [(str(host.hostname), host.port or default_port) for host in hosts]
