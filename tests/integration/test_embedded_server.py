"""The embedded Valkey runs when needed, ends with its parent, and is restarted when it dies."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from badge.cache.embedded.server import EmbeddedServer, answers, binary_path, socket_path
from tests.servers import eventually, needs

START = timedelta(seconds=10)

PARENT = """
import sys, time
from datetime import timedelta
from pathlib import Path
from badge.cache.embedded.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), 8, print)
print(server.start(timedelta(seconds=10)), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _binary() -> None:
    needs("The Valkey binary", is_there=binary_path() is not None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path, 8, lambda _: None)
    assert server.start(START)
    yield server
    server.stop()


def server_process(server_socket: Path) -> psutil.Process:
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(server_socket) in " ".join(process.info["cmdline"] or [])
        and "valkey-server" in (process.info["cmdline"] or [""])[0]
    ]
    assert len(found) == 1
    return found[0]


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended; it may stay a zombie if PID 1 does not reap orphans."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def start_parent(folder: Path) -> subprocess.Popen[str]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "True\n"
    return parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    parent = start_parent(tmp_path)
    with parent:
        server = server_process(socket_path(tmp_path))
        parent.send_signal(number)
        parent.wait(5)
        assert eventually(lambda: is_gone(server), 1.0)
    assert not answers(socket_path(tmp_path))


def test_a_server_that_dies_is_restarted(server: EmbeddedServer) -> None:
    first = server_process(server.socket)
    first.kill()
    first.wait(5)
    assert eventually(lambda: answers(server.socket), 3.0)
    assert server_process(server.socket).pid != first.pid


def test_it_listens_only_on_a_private_socket(server: EmbeddedServer) -> None:
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert server_process(server.socket).net_connections(kind="inet") == []


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, 8, lambda _: None)
    server.start(START)
    process = server_process(server.socket)
    server.stop()
    assert is_gone(process)
    assert not server.socket.exists()


def test_a_forked_child_cannot_stop_it(server: EmbeddedServer) -> None:
    child = os.fork()
    if child == 0:
        server.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert answers(server.socket)


def test_a_second_instance_shares_the_server_and_takes_over(tmp_path: Path) -> None:
    first, second = (EmbeddedServer(tmp_path, 8, lambda _: None) for _ in range(2))
    assert first.start(START)
    shared = server_process(first.socket).pid
    assert second.start(START)
    assert server_process(first.socket).pid == shared
    first.stop()
    assert eventually(lambda: answers(second.socket))
    second.stop()


def test_a_socket_left_by_a_crash_is_harmless(tmp_path: Path) -> None:
    socket_path(tmp_path).write_text("stale")
    server = EmbeddedServer(tmp_path, 8, lambda _: None)
    assert server.start(START)
    server.stop()


def test_another_user_cannot_hold_its_lock(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "cache.lock").touch(0o666)
    server = EmbeddedServer(tmp_path, 8, lambda _: None)
    assert server.start(START)
    assert stat.S_IMODE((tmp_path / "cache.lock").stat().st_mode) == 0o600
    server.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change a file's owner")
def test_a_planted_lock_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "cache.lock").touch(0o666)
    os.chown(tmp_path / "cache.lock", 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        EmbeddedServer(tmp_path, 8, lambda _: None).start(START)


def test_a_link_in_place_of_its_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20)
    folder.mkdir()
    place = socket_path(folder).parent
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(PermissionError, match="is a symbolic link"):
            EmbeddedServer(folder, 8, lambda _: None).start(START)
    finally:
        place.unlink()


def test_a_long_data_folder_gets_a_short_private_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20)
    folder.mkdir()
    server = EmbeddedServer(folder, 8, lambda _: None)
    assert len(os.fsencode(server.socket)) <= 100
    assert server.start(START)
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    server.stop()
