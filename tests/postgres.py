"""A real PostgreSQL for tests, with its own data and its own Unix socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from tests.servers import START_SECONDS, eventually, needs

CLUSTER = ("-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-k")
# Natural text order, by ICU, so that nothing comes to depend on byte order.
ORDER = ("--locale-provider=icu", "--icu-locale=en")


@dataclass
class PostgresServer:
    folder: Path
    start: Callable[[], subprocess.Popen[bytes]]
    made: int = 0

    def __post_init__(self) -> None:
        self.postmaster = self.start()
        assert eventually(self._answers, START_SECONDS)

    def stop(self) -> None:
        """Stop at once, even with open connections."""
        if self.postmaster.poll() is not None:
            return
        self.thaw()
        self.postmaster.send_signal(signal.SIGQUIT)
        self.postmaster.wait(15)

    def restart(self) -> None:
        self.stop()
        self.__post_init__()

    def new_database(self) -> str:
        """Create an empty database; returns its URL."""
        self.made += 1
        name = f"test_{self.made}"
        with contextlib.closing(self._connected()) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        parent = psutil.Process(self.postmaster.pid)
        for process in (parent, *parent.children()):
            with contextlib.suppress(psutil.NoSuchProcess):  # short-lived helpers
                process.send_signal(number)

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True


def programs() -> Path | None:
    """Return Debian's folder with the programs of the newest PostgreSQL."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: float(path.parent.name))


@contextlib.contextmanager
def running_postgres(**options: str) -> Iterator[PostgresServer]:
    """Run a PostgreSQL without TCP, with additional parameters; stopped and removed afterwards."""
    found = programs()
    needs("PostgreSQL", is_there=found is not None)
    # It refuses to run as root, and pytest's folders are readable only by root.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="badge-postgres-") as name:
        folder, data = Path(name), f"{name}/data"
        if user is not None:
            shutil.chown(folder, user)
        making = [f"{found}/initdb", "-D", data, *CLUSTER, *ORDER]
        subprocess.run(making, user=user, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        with (folder / "log").open("wb") as log:
            serving = [f"{found}/postgres", "-D", data, "-k", name, "-c", "listen_addresses=", "-c", "fsync=off"]
            serving += [word for option, value in options.items() for word in ("-c", f"{option}={value}")]
            server = PostgresServer(folder, lambda: subprocess.Popen(serving, user=user, cwd=folder, stderr=log))
            try:
                yield server
            finally:
                server.stop()
