"""The cache with the minimal privileges in the documentation, and the sentence for each fault of a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from badge.app import Parts, build_app, build_parts, utc_now
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.self_test import fault_of
from badge.catalogue.events import RunEvent
from badge.catalogue.migration import migrate
from badge.model import BackupStatus, Subject
from badge.settings import load
from badge.telemetry.logs import LOGGER
from tests.servers import PROJECT, eventually
from tests.topologies import TcpServer, debian_redis, password_server, tcp_server, tls_server

WEB = Subject.legacy("acme", "web")
KEY = ("catalogue", "github", "acme", "repository", "web")
# Needed only to delete a stored picture that is too long, which this service never writes.
UNUSED = "hdel"
STEADY = {"redis_timeout": timedelta(seconds=5)}
"""Longer than the setting allows, so that no command fails on a busy machine."""


def documented() -> list[str]:
    """Return the words of the ACL command in the documentation."""
    page = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    return next(line for line in page.splitlines() if line.startswith("    ACL SETUSER badge")).split()


COMMANDS = [word[1:] for word in documented() if word.startswith("+")]


@pytest.fixture(scope="module", params=[debian_redis, tcp_server], ids=["Redis", "Valkey"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpServer]:
    with request.param(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def url(server: TcpServer) -> str:
    """URL for the documented user, with a database number that requires SELECT."""
    run(server, *documented())
    return f"redis://badge:password@{server.address}/1"


def run(server: TcpServer, *words: str) -> None:
    with server.admin() as admin:
        admin.execute_command(*words)


@contextmanager
def service(url: str, folder: Path) -> Iterator[Parts]:
    # Without the edge cache, so that each badge uses Redis.
    settings = load({"BADGE_DATA_DIR": str(folder), "BADGE_REDIS_URL": url, "BADGE_EDGE_CACHE": "0"})
    migrate(settings.catalogue_location)
    with closing(build_parts(settings.model_copy(update=STEADY))) as parts:
        yield parts


def fault(url: str) -> str | None:
    return fault_of(RedisConnector(url, timedelta(milliseconds=300), 4), utc_now)


def test_the_service_works_with_the_documented_user(url: str, tmp_path: Path) -> None:
    with service(url, tmp_path) as parts:
        assert parts.catalogue is not None
        client = build_app(parts).test_client()
        for status in (BackupStatus.FAILED, BackupStatus.SUCCEEDED):
            parts.catalogue.store.record(RunEvent(subject=WEB, status=status, at=utc_now()))
            parts.resolver.invalidate(WEB)
            for suffix in (".txt", ".txt?v=2", ".png", ".png?v=2"):
                assert client.get(f"/badge/acme/web{suffix}").status_code == 200
            assert client.get("/badge/acme/web.txt").text == f"{status}\n"
        parts.pauses.pause("catalogue", utc_now() + timedelta(seconds=1))
        assert parts.pauses.paused_until("catalogue") is not None
        assert parts.cache_fault() is None
        assert "badge_cache_failures_total{" not in parts.events.metrics.exposition().decode()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != UNUSED])
def test_the_self_test_names_the_permission_that_is_missing(server: TcpServer, url: str, command: str) -> None:
    run(server, "SCRIPT", "FLUSH")
    run(server, "ACL", "SETUSER", "badge", f"-{command}")
    assert fault(url) == f"denies this user the command {command}: add +{command} to its ACL"


def test_the_self_test_names_the_key_pattern_that_is_missing(server: TcpServer, url: str) -> None:
    run(server, "ACL", "SETUSER", "badge", "resetkeys", "~other:*")
    assert fault(url) == "denies this user access to the keys bdg:*: add ~bdg:* to its ACL"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_the_self_test_notices_a_wrong_clock(url: str, minutes: int) -> None:
    connector = RedisConnector(url, timedelta(milliseconds=300), 4)
    found = fault_of(connector, lambda: utc_now() + timedelta(minutes=minutes))
    assert found is not None
    assert "its clock and this machine's differ by more than 5 minutes" in found


def test_a_missing_permission_is_one_outage_whose_log_line_names_the_command(
    server: TcpServer, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(server, "ACL", "SETUSER", "badge", "-time")
    with caplog.at_level("INFO", LOGGER.name), service(url, tmp_path) as parts:
        for _ in range(3):
            parts.cache.claim(KEY)
            parts.cache.get(KEY)
        # The server still answers a ping.
        assert not eventually(parts.cache.is_up, 1.5)
        assert [line for line in lines_of(caplog) if "cache" in line] == ["cache unavailable NoPermissionError(time)"]
        run(server, "ACL", "SETUSER", "badge", "+time")
        assert eventually(parts.cache.is_up, 6.0)
    assert [line for line in lines_of(caplog) if "cache" in line][1:] == ["cache available again None"]


PASSWORDS = [
    ("redis://:wrong@{address}/0", "rejects the user name or the password in BADGE_REDIS_URL"),
    ("redis://nobody:wrong@{address}/0", "rejects the user name or the password in BADGE_REDIS_URL"),
    ("redis://{address}/0", "requires a password: add it to BADGE_REDIS_URL"),
    ("redis+cluster://:wrong@{address}", "rejects the user name or the password in BADGE_REDIS_URL"),
]


def test_a_wrong_password_has_its_own_message(tmp_path: Path) -> None:
    with password_server(tmp_path) as url:
        assert fault(url) is None
        for wrong, sentence in PASSWORDS:
            assert fault(wrong.format(address=address_in(url))) == sentence


CERTIFICATES = [
    ("rediss://{address}/0", "has a certificate that is not trusted: set ssl_ca_certs in BADGE_REDIS_URL"),
    ("rediss://localhost:{port}/0?ssl_ca_certs={file}", "has a certificate for another host name"),
    ("redis://{address}/0", "closes the connection: if it uses TLS, use rediss:// instead of redis://"),
    (
        "rediss://{address}/0?ssl_ca_certs=/no/such/file",
        "can't be used: a certificate file in BADGE_REDIS_URL can't be read (No such file or directory)",
    ),
]


def test_an_untrusted_certificate_has_its_own_message(tmp_path: Path) -> None:
    with tls_server(tmp_path) as url:
        assert fault(url) is None
        address, file = address_in(url), url.partition("ssl_ca_certs=")[2]
        for wrong, sentence in CERTIFICATES:
            given = wrong.format(address=address, port=address.rpartition(":")[2], file=file)
            assert fault(given) == sentence


ADDRESSES = [
    ("redis://{address}/99", "has no database with that number: correct BADGE_REDIS_URL"),
    ("redis://:any@{address}/0", "has no password set: remove the one in BADGE_REDIS_URL"),
    ("redis://{address}/0?foo=1", "can't be used: BADGE_REDIS_URL has an option that is unknown or has a wrong value"),
    ("redis+cluster://{address}", "is not a Cluster, or none of its servers answers"),
    ("redis+sentinel://{address}/badge", "is not a Sentinel: use redis:// instead of redis+sentinel://"),
    ("rediss://{address}/0", "does not answer over TLS: if it does not use TLS, use redis:// instead of rediss://"),
    ("redis://no-such-host.invalid/0", "can't be found: no such host name"),
    ("redis://127.0.0.1:1/0", "can't be reached: nothing listens there"),
    ("unix:///no/such/socket", "can't be reached: there is no such socket"),
]


@pytest.mark.parametrize(("wrong", "sentence"), ADDRESSES)
def test_a_wrong_address_has_its_own_message(server: TcpServer, wrong: str, sentence: str) -> None:
    assert fault(wrong.format(address=server.address)) == sentence


def test_a_silent_server_is_reported_as_late_and_a_full_one_as_full(server: TcpServer) -> None:
    server.freeze()
    try:
        assert str(fault(server.url)).startswith("does not answer within BADGE_REDIS_TIMEOUT (300ms)")
    finally:
        server.thaw()
    run(server, "CONFIG", "SET", "maxmemory", "1")
    try:
        assert fault(server.url) == "is full: set maxmemory-policy to allkeys-lru, or raise maxmemory"
    finally:
        run(server, "CONFIG", "SET", "maxmemory", "0")


def address_in(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.message} {record.__dict__['event_fields'].get('error')}" for record in caplog.records]
