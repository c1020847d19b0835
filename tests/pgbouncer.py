"""A real PgBouncer for tests, in front of their PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.postgres import PostgresServer
from tests.servers import START_SECONDS, eventually, needs

PORT = 6432
"""Used only in the name of its socket."""
# Fewer connections to the server than to the pooler, so that clients have to share them.
CONFIGURATION = """
[databases]
* = host={postgres} user=postgres

[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
pool_mode = transaction
default_pool_size = 2
auth_type = any
"""


@dataclass
class PgBouncer:
    folder: Path
    start: Callable[[], subprocess.Popen[bytes]]

    def __post_init__(self) -> None:
        self.process = self.start()
        assert eventually(lambda: _answers(self.folder), START_SECONDS), (self.folder / "log").read_text()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.stop()
        self.__post_init__()

    def url(self, database_url: str) -> str:
        """Return the URL of the same database through this pooler."""
        before, _, _ = database_url.partition("?")
        return f"{before}?host={self.folder}&port={PORT}"


@contextlib.contextmanager
def running_pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """Run a PgBouncer with `pool_mode = transaction`; stopped and removed afterwards."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    needs("PgBouncer", is_there=program is not None)
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root, as PostgreSQL does
    with tempfile.TemporaryDirectory(prefix="badge-pgbouncer-") as name:
        folder, configuration = Path(name), Path(name, "pgbouncer.ini")
        configuration.write_text(CONFIGURATION.format(postgres=postgres.folder, port=PORT, folder=folder))
        if user is not None:
            shutil.chown(folder, user)
        with (folder / "log").open("wb") as log:
            command = [str(program), str(configuration)]
            pooler = PgBouncer(folder, lambda: subprocess.Popen(command, user=user, cwd=folder, stderr=log))
            try:
                yield pooler
            finally:
                pooler.stop()


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(f"host={folder} port={PORT} user=postgres dbname=postgres").close()
    except psycopg.OperationalError:
        return False
    return True
