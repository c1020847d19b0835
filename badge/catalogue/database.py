"""The catalogue's database: engines that survive forks, transactions, the schema."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from badge.resilience.per_process import PerProcess

# How long to wait for other connections, and for PostgreSQL to answer at all: readers within the 1.7 s that
# a badge may take, writers as long as somebody who reports a backup will.
READER_PATIENCE_MILLISECONDS = 1_000
WRITER_PATIENCE_MILLISECONDS = 10_000

_PATIENCE = "badge_writer_patience"


class Database:
    """Connections to one database, made at first use in each process."""

    def __init__(self, url: str) -> None:
        self.url = url
        make_url(url).get_dialect().import_dbapi()  # loaded before workers are forked, which then share it
        self._engine = PerProcess(lambda: new_engine(url))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._engine.get().connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self, *, patience: int = WRITER_PATIENCE_MILLISECONDS) -> Iterator[Connection]:
        """A transaction that writes; on SQLite the only one from its beginning on, so it never has to give up.

        `patience` is how many milliseconds to wait for another writer, before `OperationalError`.
        """
        with writing_on(self._engine.get(), patience) as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections; they are made anew at the next use. Inherited ones are left alone."""
        if (engine := self._engine.take()) is not None:
            engine.dispose()


def new_engine(url: str) -> Engine:
    """An engine for this URL, with what its database needs said to it."""
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    # To SQLite one for each thread that wants one: whoever waits for a writer's lock must not keep readers waiting.
    most = {"max_overflow": -1} if is_sqlite else {}
    engine = create_engine(url, pool_timeout=1, hide_parameters=True, **most)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        from badge.catalogue import postgresql  # noqa: PLC0415 - its driver is an option

        postgresql.prepare_engine(engine)
        event.listen(engine, "begin", lambda connection: postgresql.begin(connection, _patience(connection)))
    return engine


@contextlib.contextmanager
def writing_on(engine: Engine, patience: int) -> Iterator[Connection]:
    """A transaction that writes, and waits so many milliseconds for other writers."""
    with engine.connect().execution_options(**{_PATIENCE: patience}) as connection, connection.begin():
        yield connection


def _patience(connection: Connection) -> int | None:
    """A writer's; None for one that only reads."""
    patience: int | None = connection.get_execution_options().get(_PATIENCE)
    return patience


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
    patience = _patience(connection)
    mode, wait = ("DEFERRED", READER_PATIENCE_MILLISECONDS) if patience is None else ("IMMEDIATE", patience)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait:d}")
    connection.exec_driver_sql(f"BEGIN {mode}")
