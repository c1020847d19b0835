"""The catalogue's database: engines that survive forks, transactions, the schema."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, ExceptionContext, NullPool, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

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
        self._engine = PerProcess(lambda: _first_engine(url))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._reader() as connection, connection.begin():
            yield connection

    def _reader(self) -> Connection:
        try:
            return self._engine.get().connect()
        except OperationalError as error:
            if (snapshot := snapshot_engine(self.url, error)) is None:
                raise
            return snapshot.connect()

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


def _first_engine(url: str) -> Engine:
    _allocate_index(url)
    return new_engine(url)


def new_engine(url: str) -> Engine:
    """An engine for this URL, with what its database needs said to it."""
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    # To SQLite one for each thread that wants one: whoever waits for a writer's lock must not keep readers waiting.
    most = {"max_overflow": -1} if is_sqlite else {}
    engine = create_engine(url, pool_timeout=1, hide_parameters=True, **most)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _discard_read_only)
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
        "synchronous=FULL",  # an acknowledged report survives a power failure
        "foreign_keys=ON",
        f"busy_timeout={WRITER_PATIENCE_MILLISECONDS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


# SQLite keeps an index of its log in a file beside the database, and cannot open it where there is no room to make
# that file, or no permission (sqlite.org/wal.html, "Read-Only Databases"; sqlite.org/rescode.html).
_NO_INDEX = frozenset({"SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN", "SQLITE_CANTOPEN", "SQLITE_READONLY_CANTINIT"})


# The index's first part (sqlite.org/walformat.html, section 2.2); as the log is kept short, no more is needed.
_INDEX_BYTES = 32 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
_indexes: set[tuple[int, Path]] = set()


def _allocate_index(url: str) -> None:
    """Reserve the index's room on the disk; raises `OperationalError` where there is none.

    SQLite maps the file and reserves one byte in 4 KiB of it, so that on a file system of smaller blocks a full
    disk would end the process (SIGBUS). Only before a process' first connection to the file: to close any
    descriptor of it gives up the locks that the process holds (sqlite.org/howtocorrupt.html, section 2.2).
    """
    location = make_url(url)
    file = Path(location.database or "")
    if location.get_backend_name() != "sqlite" or (os.getpid(), file) in _indexes:
        return
    if not file.is_file():
        _indexes.add((os.getpid(), file))  # SQLite makes both; by the next call there may be a connection
        return
    try:
        index = os.open(file.with_name(f"{file.name}-shm"), os.O_RDWR | os.O_CREAT, file.stat().st_mode & 0o777)
        try:
            os.posix_fallocate(index, 0, _INDEX_BYTES)
        finally:
            os.close(index)
    except OSError as error:
        if error.errno in _FULL:
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
            raise OperationalError(None, None, full) from error
        # Read-only or not ours: SQLite knows what to do.
    _indexes.add((os.getpid(), file))


def snapshot_engine(url: str, error: OperationalError) -> Engine | None:
    """Return an engine that reads a SQLite file as it is, for a full or read-only disk; None where that may be wrong.

    It is right as long as the log is empty: nobody writes then, for a writer would need the index too.
    """
    location = make_url(url)
    file = Path(location.database or "")
    log = file.with_name(f"{file.name}-wal")
    is_cut_off = getattr(error.orig, "sqlite_errorname", "") in _NO_INDEX
    if not is_cut_off or not file.is_file() or (log.exists() and log.stat().st_size > 0):
        return None
    address = f"file:{quote(str(file.resolve()))}?mode=ro&immutable=1"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)


def _discard_read_only(context: ExceptionContext) -> None:
    """Make the pool connect anew: what was opened while the disk was read-only stays so."""
    if getattr(context.original_exception, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
        context.is_disconnect = True


def _begin_sqlite(connection: Connection) -> None:
    patience = _patience(connection)
    mode, wait = ("DEFERRED", READER_PATIENCE_MILLISECONDS) if patience is None else ("IMMEDIATE", patience)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait:d}")
    connection.exec_driver_sql(f"BEGIN {mode}")
