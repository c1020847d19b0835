"""The catalogue's database: engines that survive forks, transactions, migrations."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

# How long to wait for another connection on SQLite: readers within the 1.7 s that a badge may take
# (with WAL they hardly ever do), writers as long as somebody who reports a backup will.
READER_PATIENCE_MILLISECONDS = 1_000
WRITER_PATIENCE_MILLISECONDS = 10_000

# "badge" in ASCII, as PostgreSQL's advisory locks are numbers.
_MIGRATION_LOCK = 0x6261646765

_PATIENCE = "badge_writer_patience"


class Database:
    """Connections to one database, made at first use in each process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._process = 0
        self._inherited: list[Engine] = []

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._current_engine().connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self, *, patience: int = WRITER_PATIENCE_MILLISECONDS) -> Iterator[Connection]:
        """A transaction that writes; on SQLite the only one from its beginning on, so it never has to give up.

        `patience` is how many milliseconds to wait for another writer on SQLite, before `OperationalError`.
        """
        options = {_PATIENCE: patience}
        with self._current_engine().connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def _current_engine(self) -> Engine:
        with self._lock:
            if self._engine is None or self._process != os.getpid():
                # What was inherited over a fork may not be closed here, not even by the garbage collector
                # (sqlite.org/howtocorrupt.html, section 2.6).
                self._inherited += [self._engine] if self._engine else []
                self._engine, self._process = new_engine(self.url), os.getpid()
            return self._engine


def new_engine(url: str) -> Engine:
    """An engine for this URL, with what SQLite needs said to it."""
    engine = create_engine(url, pool_timeout=1, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by sqlite3's guess
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={WRITER_PATIENCE_MILLISECONDS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    patience = connection.get_execution_options().get(_PATIENCE)
    mode, wait = ("DEFERRED", READER_PATIENCE_MILLISECONDS) if patience is None else ("IMMEDIATE", patience)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait:d}")
    connection.exec_driver_sql(f"BEGIN {mode}")


def migrate(url: str) -> None:
    """Bring the schema to its newest form; quick where it is, safe where two processes do it at once."""
    location = make_url(url)
    if location.get_backend_name() == "sqlite" and location.database:
        Path(location.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    engine = new_engine(url)
    try:
        with _alone(engine) as connection:
            head = ScriptDirectory.from_config(config).get_current_head()
            if MigrationContext.configure(connection).get_current_revision() != head:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        engine.dispose()


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction in which no other process migrates."""
    if engine.dialect.name == "sqlite":
        with open(f"{engine.url.database}.lock", "w") as lock:  # noqa: PTH123 - the URL's text is no Path
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Writing from its beginning on: a service that is still running may write meanwhile.
            options = {_PATIENCE: WRITER_PATIENCE_MILLISECONDS}
            with engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
    else:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            yield connection
