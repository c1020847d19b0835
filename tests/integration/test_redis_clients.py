"""The clients for each kind of URL: their limits, and what happens to commands when the servers change."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, SlotNotCoveredError
from redis.retry import Retry

from badge.cache.redis.bounded_connections import Bounded, BoundedConnection, BoundedTlsConnection
from badge.cache.redis.command_time import command_time
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.connection_errors import LOSSES
from badge.resilience.host_names import Address, HostNames, ask_system
from tests.doubles import pools_of
from tests.servers import eventually
from tests.timing import ROOM, TRIES, assert_within, seconds_of
from tests.topologies import (
    Cluster,
    certificate_in,
    cluster,
    password_server,
    tls_cluster,
    tls_server,
    tls_watched_server,
    watched_servers,
)

pytestmark = pytest.mark.alone

BUDGET = timedelta(milliseconds=50)


def connector(url: str) -> RedisConnector:
    return RedisConnector(url, BUDGET, 8)


def patient_connector(url: str) -> RedisConnector:
    """Return a connector with a long timeout, for tests that are not about time."""
    return RedisConnector(url, timedelta(seconds=5), 8)


def assert_bounded(client: Any, pools: int) -> None:
    found = list(pools_of(client))
    assert len(found) == pools
    for pool in found:
        connection = pool.make_connection()
        assert isinstance(connection, Bounded)
        assert 0 < connection.socket_timeout <= BUDGET.total_seconds()  # type: ignore[attr-defined] # redis-py's own
        assert 0 < connection.socket_connect_timeout <= BUDGET.total_seconds()  # type: ignore[attr-defined]
        assert isinstance(connection.retry, Retry)  # type: ignore[attr-defined]
        assert connection.retry.get_retries() == 0  # type: ignore[attr-defined]
        if isinstance(pool, redis.BlockingConnectionPool):
            assert pool.timeout <= BUDGET.total_seconds()


GENEROUS = "socket_timeout=60&socket_connect_timeout=60&timeout=60&health_check_interval=1&protocol=3&max_connections=1"


@pytest.mark.parametrize(
    ("url", "pools"),
    [
        ("redis://h:1/0", 1),
        ("rediss://u:p@h:1/0", 1),
        ("unix:///run/x.sock", 1),
        ("redis+sentinel://h:1,h:2,h:3/badge/0", 4),
        ("rediss+sentinel://u:p@h:1/badge", 2),
    ],
)
@pytest.mark.parametrize("query", ["", f"?{GENEROUS}"])
def test_every_client_has_timeouts_and_no_retries_whatever_the_url_says(url: str, pools: int, query: str) -> None:
    assert_bounded(connector(url + query).client(), pools)


def test_a_cluster_client_has_timeouts_for_each_server(three_masters: Cluster) -> None:
    client = connector(f"{three_masters.url}?{GENEROUS}").client()
    assert_bounded(client, 3)
    assert isinstance(client, redis.RedisCluster)
    assert client.retry.get_retries() == 0


def test_a_cluster_client_over_tls_has_timeouts_for_each_server(tmp_path: Path) -> None:
    with tls_cluster(tmp_path) as url:
        assert eventually(lambda: is_up_at_once(url))
        client = connector(f"{url}&{GENEROUS}").client()
        pools = list(pools_of(client))
        assert_bounded(client, len(pools))
        assert all(isinstance(pool.make_connection(), BoundedTlsConnection) for pool in pools)


def test_servers_and_sentinels_can_have_different_passwords() -> None:
    client: Any = connector("redis+sentinel://u:p%20w@h:1,h:2/badge/3?sentinel_password=s").client()
    own, *asked = (pool.make_connection() for pool in pools_of(client))
    assert (own.username, own.password, own.db) == ("u", "p w", 3)
    assert [(sentinel.username, sentinel.password, sentinel.db) for sentinel in asked] == [(None, "s", 0)] * 2


def test_tls_applies_to_the_sentinels_too() -> None:
    client = connector("rediss+sentinel://h:1/badge").client()
    assert all(isinstance(pool.make_connection(), redis.SSLConnection) for pool in pools_of(client))


def test_a_tls_option_that_would_have_no_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="ssl_validate_ocsp"):
        connector("rediss://h:1/0?ssl_validate_ocsp=yes").client()


def is_up(server: RedisConnector) -> bool:
    with command_time(server.seconds):
        return bool(server.client().ping())


def test_many_first_connections_over_tls_are_all_made_in_time(tmp_path: Path) -> None:
    with tls_server(tmp_path) as url, ThreadPoolExecutor(4) as pool:
        # First connections happen once per process, and a busy machine may stall just then.
        rounds = [list(pool.map(is_up_at_once, [url] * 4)) for _ in range(5)]
        assert rounds.count([True] * 4) >= 3


def test_a_certificate_for_another_server_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    other = certificate_in(tmp_path)
    with tls_server(tmp_path / "theirs") as url:
        for stranger in (url.partition("?")[0], f"{url.partition('=')[0]}={other.certificate}"):
            with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
                patient_connector(stranger).client().ping()
        assert patient_connector(url.partition("?")[0] + "?ssl_cert_reqs=none").client().ping()


@pytest.mark.parametrize("servers", [tls_watched_server, tls_cluster])
def test_tls_works_with_sentinel_and_with_a_cluster(tmp_path: Path, servers: Any) -> None:
    with servers(tmp_path) as url:
        assert eventually(lambda: is_up_at_once(url))


def is_up_at_once(url: str) -> bool:
    try:
        return is_up(connector(url))
    except redis.RedisError:  # Sentinel has not checked it yet
        return False


def test_a_silent_sentinel_leaves_time_for_the_next(tmp_path: Path) -> None:
    with watched_servers(tmp_path) as watched:
        watched.sentinels[0].freeze()
        assert eventually(lambda: is_up_at_once(watched.url))


@pytest.fixture(scope="module")
def three_masters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "--cluster-require-full-coverage", "no") as servers:
        yield servers


def in_time(client: Any, *words: object) -> Any:
    """Return a command's answer or exception; asserts that at least one of the tries ends in time."""
    for _ in range(TRIES):
        began = time.monotonic()
        try:
            with command_time(BUDGET.total_seconds()):
                answer = client.execute_command(*words)
        except LOSSES as error:
            answer = error
        took = time.monotonic() - began
        if took < ROOM * BUDGET.total_seconds() and not isinstance(answer, redis.TimeoutError):
            return answer
    assert took < ROOM * BUDGET.total_seconds()
    return answer


def test_commands_follow_a_moving_slot(three_masters: Cluster) -> None:
    client: Any = connector(three_masters.url).client()
    name = "{moving}"
    slot = key_slot(name.encode())
    target = next(server for server in three_masters.masters if server is not three_masters.master_of(slot))
    assert in_time(client, "SET", f"{name}:old", "1")
    three_masters.begin_to_move(slot, target)
    assert in_time(client, "GET", f"{name}:old") == b"1"
    assert in_time(client, "SET", f"{name}:new", "2")  # redirected by the old master
    assert three_masters.move_keys(slot, target) == 1
    assert [in_time(client, "GET", f"{name}:{which}") for which in ("old", "new")] == [b"1", b"2"]
    three_masters.end_move(slot, target)
    assert [in_time(client, "GET", f"{name}:{which}") for which in ("old", "new")] == [b"1", b"2"]
    assert client.nodes_manager.get_node_from_slot(slot).port == target.port


def test_a_cluster_that_reports_itself_down_fails_at_once(tmp_path: Path) -> None:
    with cluster(tmp_path, "--cluster-require-full-coverage", "yes") as servers:
        client: Any = connector(servers.url).client()
        left = servers.name_on(servers.masters[2])
        servers.masters[0].kill()
        assert eventually(lambda: isinstance(in_time(client, "GET", left), ClusterDownError), 10)
        assert isinstance(in_time(client, "GET", left), ClusterDownError)


def test_unassigned_slots_are_found_once_they_are_assigned(three_masters: Cluster) -> None:
    master = three_masters.masters[1]
    name = three_masters.name_on(master)
    slot = key_slot(name.encode())
    for server in three_masters.masters:
        server.cluster("DELSLOTS", slot)
    client: Any = connector(three_masters.url).client()
    assert isinstance(in_time(client, "GET", name), SlotNotCoveredError)
    master.cluster("ADDSLOTS", slot)
    assert eventually(lambda: in_time(client, "GET", name) is None, 10)


@pytest.mark.slow
def test_a_silent_master_s_replacement_is_found_and_no_command_takes_too_long(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers, servers.replica(tmp_path) as replica:
        client: Any = connector(servers.url).client()
        name = servers.name_on(servers.masters[0])
        assert in_time(client, "SET", name, "1")
        servers.masters[0].freeze()
        assert eventually(lambda: in_time(client, "GET", name) == b"1", 10)
        assert client.get_node_from_key(name).port == replica.port


def test_the_other_servers_of_a_broken_cluster_answer_a_ping(three_masters: Cluster) -> None:
    client: Any = connector(three_masters.url).client()
    silent = three_masters.masters[:2]
    for server in silent:
        server.freeze()
    try:
        with command_time(3 * BUDGET.total_seconds()):
            assert client.ping()
    finally:
        for server in silent:
            server.thaw()


def client_by_name(names: HostNames, port: int, seconds: float) -> redis.Redis:
    """Return a client for a server by host name, as the connector makes it."""
    kind = type("NamedConnection", (BoundedConnection,), {"names": names})
    limits = {"socket_timeout": seconds, "timeout": seconds, "retry": Retry(NoBackoff(), 0)}
    pool = redis.BlockingConnectionPool(connection_class=kind, host="redis.internal", port=port, **limits)
    return redis.Redis(connection_pool=pool)


def answers(client: redis.Redis) -> bool:
    """Whether the server answers, even if only to ask for a password."""
    try:
        client.ping()
    except redis.AuthenticationError:
        return True
    except redis.ConnectionError:
        return False
    raise AssertionError("there is a password")


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Yield a port on which connections are neither accepted nor refused, because the backlog is full."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def test_a_silent_resolver_costs_a_command_no_more_than_its_time_limit(tmp_path: Path) -> None:
    go = threading.Event()

    def answer_late(host: str, port: int) -> list[Address]:
        assert host == "redis.internal"
        assert go.wait(10)
        return ask_system("127.0.0.1", port)

    with password_server(tmp_path) as url:
        client = client_by_name(
            HostNames(answer_late), int(url.rpartition(":")[2].partition("/")[0]), BUDGET.total_seconds()
        )

        def ping() -> None:
            with pytest.raises(redis.TimeoutError), command_time(BUDGET.total_seconds()):
                client.ping()

        assert_within(ROOM * 0.06, partial(seconds_of, ping))
        go.set()
        assert eventually(lambda: answers(client))
        client.close()


def test_a_silent_address_leaves_time_for_the_next(tmp_path: Path) -> None:
    with password_server(tmp_path) as url, silent_port() as silent:
        names = HostNames(lambda host, port: ask_system("127.0.0.1", silent) + ask_system("127.0.0.1", port))
        client = client_by_name(names, int(url.rpartition(":")[2].partition("/")[0]), 1)
        with command_time(1):
            assert answers(client)
        client.close()
