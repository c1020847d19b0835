"""Redis servers as operators run them: with a password, TLS, Sentinels, or as a Cluster; each on its own ports.

The embedded Valkey's binary can run all of these except TLS, which needs Debian's Redis.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from badge.cache.embedded.server import binary_path
from tests.servers import ServerProcess, eventually, free_port, needs

PASSWORD = "canary of the server's password"
SERVICE = "badge"
START_SECONDS = 20.0
SLOTS = 16384
THIRD = SLOTS // 3


@dataclass
class TcpServer(ServerProcess):
    """A server on a port of 127.0.0.1."""

    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"

    def admin(self) -> redis.Redis:
        """Return a client with a long timeout, for setup and inspection."""
        return redis.Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def cluster(self, *words: object) -> Any:
        """Run CLUSTER … on a member of a Cluster."""
        with self.admin() as client:
            return client.execute_command(f"CLUSTER {words[0]}", *words[1:])


@contextlib.contextmanager
def _running(command: list[str], port: int, executable: str | None = None) -> Iterator[TcpServer]:
    process = subprocess.Popen(command, executable=executable, stdout=subprocess.DEVNULL)
    server = TcpServer(process, port)
    try:
        assert eventually(lambda: _is_listening(port), START_SECONDS)
        yield server
    finally:
        server.kill()


def _is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _valkey() -> str:
    needs("The Valkey binary", is_there=binary_path() is not None)
    return str(binary_path())


@contextlib.contextmanager
def tcp_server(folder: Path, *options: str) -> Iterator[TcpServer]:
    """Run one server without TLS."""
    port = free_port()
    command = [_valkey(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder), *options]
    with _running(command, port) as server:
        yield server


@contextlib.contextmanager
def debian_redis(folder: Path, *options: str) -> Iterator[TcpServer]:
    """Run one server of Debian's Redis without TLS."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder), *options]
    with _running(command, port, _debian_binary()) as server:
        yield server


def _debian_binary() -> str:
    """Return the Redis server's binary from redis-tools, the only Redis package of Debian that starts no service.

    All programs of Redis are one binary, which acts as the server if it is called redis-server.
    """
    binary = shutil.which("redis-check-rdb")
    needs("Redis (redis-tools)", is_there=binary is not None)
    return str(binary)


@contextlib.contextmanager
def password_server(folder: Path) -> Iterator[str]:
    """Run a server with a password; yields its URL."""
    with tcp_server(folder, "--requirepass", PASSWORD) as server:
        yield f"redis://:{PASSWORD.replace(' ', '%20')}@{server.address}/0"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1."""

    certificate: Path
    key: Path


def certificate_in(folder: Path) -> Certificate:
    """Return the folder's certificate, created on first use."""
    openssl = shutil.which("openssl")
    needs("openssl", is_there=openssl is not None)
    made = Certificate(folder / "server.crt", folder / "server.key")
    if made.certificate.exists():
        return made
    command = [str(openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    return made


@contextlib.contextmanager
def _over_tls(folder: Path, *options: str) -> Iterator[tuple[TcpServer, Certificate]]:
    """Run Debian's Redis with TLS only."""
    port, own = free_port(), certificate_in(folder)
    command = ["redis-server", *options, "--bind", "127.0.0.1", "--port", "0", "--tls-port", str(port)]
    command += ["--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key), "--dir", str(folder)]
    command += ["--tls-ca-cert-file", str(own.certificate), "--tls-auth-clients", "no", "--tls-replication", "yes"]
    with _running(command, port, _debian_binary()) as server:
        yield server, own


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """Run one server with TLS; yields its URL."""
    with _over_tls(folder, "--save", "") as (server, own):
        yield f"rediss://{server.address}/0?ssl_ca_certs={own.certificate}"


@contextlib.contextmanager
def tls_watched_server(folder: Path) -> Iterator[str]:
    """Run a Sentinel and its primary, both with TLS; yields the URL."""
    with _over_tls(folder, "--save", "") as (primary, _):
        configuration = folder / "sentinel.conf"
        configuration.write_text(f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\n")
        with _over_tls(folder, str(configuration), "--sentinel") as (sentinel, own):
            yield f"rediss+sentinel://{sentinel.address}/{SERVICE}/0?ssl_ca_certs={own.certificate}"


@contextlib.contextmanager
def tls_cluster(folder: Path) -> Iterator[str]:
    """Run a Cluster of one server with TLS; yields its URL."""
    bus = str(free_port())
    options = ["--cluster-enabled", "yes", "--cluster-port", bus, "--tls-cluster", "yes", "--save", ""]
    with _over_tls(folder, *options) as (server, own):
        with redis.Redis("127.0.0.1", server.port, ssl=True, ssl_ca_certs=str(own.certificate)) as admin:
            admin.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1)
            assert eventually(lambda: _untyped(admin.execute_command("CLUSTER INFO"))["cluster_state"] == "ok")
        yield f"rediss+cluster://{server.address}?ssl_ca_certs={own.certificate}"


@dataclass
class Watched:
    """A primary, its replica, and three Sentinels that promote the replica when the primary is gone."""

    primary: TcpServer
    replica: TcpServer
    sentinels: list[TcpServer]

    @property
    def url(self) -> str:
        hosts = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    def is_promoted(self) -> bool:
        """Whether the replica has taken over."""
        return bool(_untyped(self.replica.admin().info("replication"))["role"] == "master")


@contextlib.contextmanager
def watched_servers(folder: Path) -> Iterator[Watched]:
    """Run all five servers; yields when they know each other and the replica is up to date."""
    with contextlib.ExitStack() as running:
        primary = running.enter_context(tcp_server(folder, "--repl-diskless-sync-delay", "0"))
        replica = running.enter_context(tcp_server(folder, "--replicaof", "127.0.0.1", str(primary.port)))
        sentinels = [running.enter_context(_sentinel(folder, primary)) for _ in range(3)]
        watched = Watched(primary, replica, sentinels)
        assert eventually(lambda: all(_knows_all(sentinel) for sentinel in sentinels), START_SECONDS)
        link = replica.admin()
        assert eventually(lambda: _untyped(link.info("replication"))["master_link_status"] == "up", START_SECONDS)
        yield watched


@contextlib.contextmanager
def _sentinel(folder: Path, primary: TcpServer) -> Iterator[TcpServer]:
    port = free_port()
    configuration = folder / f"sentinel-{port}.conf"
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} 1000\n"
        f"sentinel failover-timeout {SERVICE} 3000\n"
    )
    with _running([_valkey(), str(configuration), "--sentinel"], port) as server:
        yield server


def _knows_all(sentinel: TcpServer) -> bool:
    state = _untyped(sentinel.admin().sentinel_masters())[SERVICE]
    return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)


@dataclass
class Cluster:
    """Three masters, each with a third of the slots."""

    masters: list[TcpServer]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(master.address for master in self.masters)

    def master_of(self, slot: int) -> TcpServer:
        """Return the slot's initial master."""
        return self.masters[min(2, slot // THIRD)]

    def name_on(self, master: TcpServer) -> str:
        """Return a key name in one of this master's slots."""
        return next(name for name in map(str, count()) if self.master_of(key_slot(name.encode())) is master)

    @contextlib.contextmanager
    def replica(self, folder: Path) -> Iterator[TcpServer]:
        """Run a replica of the first master; yields when it is up to date."""
        first = self.masters[0]
        with _member(folder, len(self.masters), "--repl-diskless-sync-delay", "0") as replica:
            _introduce(replica, first)
            assert eventually(lambda: len(_nodes(replica)) == 4, START_SECONDS)
            replica.cluster("REPLICATE", first.cluster("MYID"))
            link = replica.admin()
            assert eventually(
                lambda: _untyped(link.info("replication")).get("master_link_status") == "up", START_SECONDS
            )
            assert eventually(lambda: all("slave" in str(_nodes(master)) for master in self.masters), START_SECONDS)
            yield replica

    def begin_to_move(self, slot: int, target: TcpServer) -> None:
        """Start moving a slot: the old master now redirects requests for missing keys to the new one."""
        source = self.master_of(slot)
        target.cluster("SETSLOT", slot, "IMPORTING", source.cluster("MYID"))
        source.cluster("SETSLOT", slot, "MIGRATING", target.cluster("MYID"))

    def move_keys(self, slot: int, target: TcpServer) -> int:
        """Move the slot's keys; returns how many."""
        source = self.master_of(slot)
        names = source.cluster("GETKEYSINSLOT", slot, 1000)
        if names:
            source.admin().migrate("127.0.0.1", target.port, names, 0, 1000)
        return len(names)

    def end_move(self, slot: int, target: TcpServer) -> None:
        """Finish moving a slot: it now belongs to the new master."""
        for master in (target, self.master_of(slot)):
            master.cluster("SETSLOT", slot, "NODE", target.cluster("MYID"))


@contextlib.contextmanager
def cluster(folder: Path, *options: str) -> Iterator[Cluster]:
    """Run a Cluster; yields when its members agree on the slots."""
    with contextlib.ExitStack() as running:
        masters = [running.enter_context(_member(folder, number, *options)) for number in range(3)]
        for number, master in enumerate(masters):
            master.cluster("SET-CONFIG-EPOCH", number + 1)
            last = SLOTS - 1 if number == 2 else (number + 1) * THIRD - 1
            master.cluster("ADDSLOTSRANGE", number * THIRD, last)
            _introduce(master, masters[0])
        assert eventually(lambda: all(_agrees(master) for master in masters), START_SECONDS)
        yield Cluster(masters)


@contextlib.contextmanager
def _member(folder: Path, number: int, *options: str) -> Iterator[TcpServer]:
    own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", str(free_port())]
    with tcp_server(folder, *own, "--cluster-config-file", f"nodes-{number}.conf", *options) as server:
        yield server


def _introduce(server: TcpServer, first: TcpServer) -> None:
    bus = _untyped(first.admin().config_get("cluster-port"))["cluster-port"]
    server.cluster("MEET", "127.0.0.1", first.port, bus)


def _agrees(master: TcpServer) -> bool:
    return bool(master.cluster("INFO")["cluster_state"] == "ok" and len(master.cluster("SLOTS")) == 3)


def _nodes(server: TcpServer) -> dict[str, dict[str, str]]:
    return dict(server.cluster("NODES"))


def _untyped(answer: Any) -> Any:
    """Return the answer untyped: redis-py's types include those of its asynchronous client."""
    return answer
