"""Redis or Valkey clients by URL (one server, Sentinel or Cluster) with a hard time limit per command.

By default, redis-py 8 blocks one GET for up to a minute on a silent server, and its socket timeout limits each wait
for bytes, not the whole command. So all timeouts and retries are set explicitly, overriding the URL's, and sockets wait
no longer than the command time left.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from badge.cache.redis.bounded_connections import (
    TLS_OPTIONS,
    BoundedConnection,
    BoundedSentinelConnection,
    BoundedSentinelTlsConnection,
    BoundedTlsConnection,
    BoundedUnixConnection,
)
from badge.cache.redis.cluster import BoundedCluster
from badge.cache.redis.command_time import seconds_left
from badge.cache.redis.connection_errors import LOSSES

SENTINEL_PORT, SERVER_PORT = 26379, 6379

_BY_SCHEME: dict[str, Any] = {
    "redis": BoundedConnection,
    "rediss": BoundedTlsConnection,
    "unix": BoundedUnixConnection,
}

SCHEMES = {*_BY_SCHEME, *(f"{scheme}+{kind}" for scheme in ("redis", "rediss") for kind in ("sentinel", "cluster"))}

Client = redis.Redis | redis.RedisCluster


@dataclass
class RedisConnector:
    """The client for a URL, created on first use, because a Cluster client connects at once to learn the topology."""

    url: str
    timeout: timedelta
    max_connections: int
    """Per server."""
    _client: Client | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        # Reads the certificates now, because reading them later would take much of the first command's time. Errors in
        # them or in the URL are raised again by the first command.
        with contextlib.suppress(*LOSSES):
            self.check()

    @property
    def seconds(self) -> float:
        """Time limit of one command, including connecting."""
        return self.timeout.total_seconds()

    def check(self) -> None:
        """Raise what a command would for an unusable URL or certificate. Does not connect."""
        _options(urlsplit(self.url))

    def client(self) -> Client:
        """Return the client. Raises redis-py's exceptions if a Cluster does not answer."""
        if self._client is not None:
            return self._client
        # While another thread makes the client, wait no longer than a command may take.
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
        """Return a client for redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_password=… ."""
        service, _, db = parts.path.strip("/").partition("/")
        options = _options(parts)
        own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        hosts = hosts_of(parts, SENTINEL_PORT)
        sentinels = redis.Sentinel([])
        # Divide the time among them, so that one silent Sentinel can't use it all up.
        share = self.seconds / len(hosts)
        sentinels.sentinels = [
            _one_server({**options, **own, "db": 0, "host": host, "port": port}, share, self.max_connections)
            for host, port in hosts
        ]
        is_tls = options["connection_class"] is BoundedTlsConnection
        options["connection_class"] = BoundedSentinelTlsConnection if is_tls else BoundedSentinelConnection
        limits = {**_limits(self.seconds), "max_connections": self.max_connections}
        client: redis.Redis = sentinels.master_for(service, **{**options, "db": int(db or 0), **limits})
        return client

    def _of_cluster(self, parts: SplitResult) -> redis.RedisCluster:
        """Return a client for redis+cluster://user:password@host:6379,host:6379 ."""
        nodes = [redis.cluster.ClusterNode(*address) for address in hosts_of(parts, SERVER_PORT)]
        first = nodes.pop(0)
        ours = {
            # As a URL: only then do its pools accept a connection class.
            "url": f"redis://{first.host}:{first.port}",
            "startup_nodes": nodes,
            "connection_pool_class": redis.BlockingConnectionPool,
            "timeout": self.seconds,
            "max_connections": self.max_connections,
            "require_full_coverage": False,  # the rest of a broken cluster still serves its slots
        }
        return BoundedCluster(**{**_options(parts), **ours, **_limits(self.seconds)})


def connect(url: str, timeout: timedelta, max_connections: int) -> redis.Redis:
    """Return a client for one server by `redis://`, `rediss://` or `unix://` URL. Connects on first use."""
    return _one_server(parse_url(url) | _options(urlsplit(url)), timeout.total_seconds(), max_connections)


def _one_server(options: dict[str, Any], seconds: float, max_connections: int) -> redis.Redis:
    # `timeout`: how long to wait for a free connection; 20 s by default.
    limits = {**_limits(seconds), "timeout": seconds, "max_connections": max_connections}
    return redis.Redis(connection_pool=redis.BlockingConnectionPool(**{**options, **limits}))


def _options(parts: SplitResult) -> dict[str, Any]:
    """The connection options in a URL, without the address; raises `ValueError`.

    For TLS, a connection is created and discarded, so that errors in its options are found at once.
    """
    scheme, (user, at, _) = parts.scheme.partition("+")[0], parts.netloc.rpartition("@")
    options: dict[str, Any] = parse_url(f"{scheme}://{user}{at}{'' if scheme == 'unix' else 'host'}?{parts.query}")
    for ours in ("host", "timeout", "max_connections"):
        options.pop(ours, None)
    if unknown := {name for name in options if name.startswith("ssl_")} - TLS_OPTIONS:
        raise ValueError(f"{', '.join(sorted(unknown))} can't be set")
    kind = options["connection_class"] = _BY_SCHEME[scheme]
    if kind is BoundedTlsConnection:
        kind(**{name: value for name, value in options.items() if name.startswith("ssl_")})
    return options


def _limits(seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,  # no HELLO, which some proxies refuse; nothing here needs RESP3
        "driver_info": None,
    }


def hosts_of(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    """Return the addresses in a URL that may have several; raises `ValueError`."""
    hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
    if not all(host.hostname for host in hosts):
        raise ValueError("a host is missing")
    return [(str(host.hostname), host.port or default_port) for host in hosts]
