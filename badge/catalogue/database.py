"""The catalogue's database: transactions, and an engine that survives forks."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, ExceptionContext, NullPool, Pool, create_engine, event, make_url, select
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError

from badge.catalogue.in_use import CatalogueInUse, hold
from badge.catalogue.schema import identity
from badge.resilience.per_process import PerProcess

# How long to wait for other connections, and for PostgreSQL to answer at all. Readers have to stay within the 1.7 s
# for which a badge waits for its source; writers may wait longer, because clients that report backups wait longer too.
READER_PATIENCE_MILLISECONDS = 1_000
WRITER_PATIENCE_MILLISECONDS = 10_000

_PATIENCE = "badge_writer_patience"


class Database:
    """Connections to one database, made on first use in each process.

    A child process inherits its parent's compiled statements, but opens connections of its own. While open, a
    `Database` holds a lock that prevents a restore. With `takes_lock=False`, it leaves the lock to the caller.
    """

    def __init__(
        self, url: str, *, takes_lock: bool = True, reader_patience: int = READER_PATIENCE_MILLISECONDS
    ) -> None:
        self.url = url
        self._reader_patience = reader_patience
        self.is_damaged = False
        """Set by the integrity check at start-up, and by any error that means damage. A damaged database is not used
        any more, because it may return wrong data."""
        make_url(url).get_dialect().import_dbapi()  # loaded before workers are forked, which then share it
        self._in_use = PerProcess(lambda: _held(url) if takes_lock else None)
        self._built: Engine | None = None
        self._open = PerProcess(self._engine_and_pool)
        self._cache_identity: str | None = None
        # Shared by all workers if the application is loaded before they are forked; otherwise each process has its own.
        self._identity_until_read = f"unread-{secrets.token_hex(16)}"

    @property
    def cache_identity(self) -> str:
        """The identity in the cache's keys. Read once, since only a restore changes it, and that requires a restart.

        Until it can be read, returns a random one, under which nothing has been cached.
        """
        if self._cache_identity is None:
            try:
                self._cache_identity = self.read_cache_identity()
            except SQLAlchemyError:
                return self._identity_until_read
        return self._cache_identity

    @cache_identity.setter
    def cache_identity(self, value: str | None) -> None:
        self._cache_identity = value

    def read_cache_identity(self) -> str:
        """Return the stored identity; raises SQLAlchemy's errors."""
        with self.reading() as connection:
            return str(connection.execute(select(identity.c.cache_identity)).scalar_one())

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        with self._reader() as connection, connection.begin():
            yield connection

    def _reader(self) -> Connection:
        self._refuse_damaged()
        try:
            return self._open.get()[0].connect()
        except OperationalError as error:
            if (snapshot := snapshot_engine(self.url, error)) is None:
                raise
            return snapshot.connect()

    @contextlib.contextmanager
    def writing(self, *, patience: int = WRITER_PATIENCE_MILLISECONDS) -> Iterator[Connection]:
        """Begin a transaction that writes.

        Waits at most `patience` milliseconds for another writer; then raises `OperationalError`. On SQLite, it excludes
        other writers from the start, so that none can make it fail later.
        """
        self._refuse_damaged()
        with writing_on(self._open.get()[0], patience) as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections, which are reopened on the next use. Inherited ones are left alone."""
        if (opened := self._open.take()) is not None:
            opened[0].dispose()
        if (descriptor := self._in_use.take()) is not None:
            os.close(descriptor)

    def _engine_and_pool(self) -> tuple[Engine, Pool]:
        """Return the engine with a pool of this process's own.

        `PerProcess` keeps a reference to a parent's pool, so that the pool's connections stay open.
        """
        self._in_use.get()
        _allocate_index(self.url)
        if self._built is None:
            self._built = new_engine(self.url, self._reader_patience)
            event.listen(self._built, "handle_error", self._note_damage)
        else:
            self._built.dispose(close=False)
        return self._built, self._built.pool

    def _note_damage(self, context: ExceptionContext) -> None:
        if is_damage(context.sqlalchemy_exception):
            self.is_damaged = True

    def _refuse_damaged(self) -> None:
        if self.is_damaged:
            damaged = sqlite3.DatabaseError("database disk image is malformed")
            damaged.sqlite_errorname = "SQLITE_CORRUPT"
            raise DatabaseError(None, None, damaged)


def is_damage(error: BaseException | None) -> bool:
    """Whether this error means that the database's file is damaged."""
    name = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _held(url: str) -> int | None:
    try:
        return hold(url)
    except CatalogueInUse:
        raise _operational_error("the database is being restored", "SQLITE_BUSY") from None
    except OSError as error:
        raise _operational_error(f"the lock can't be used: {error.strerror}", "SQLITE_PERM") from None


def _operational_error(message: str, name: str) -> OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = name
    return OperationalError(None, None, error)


def new_engine(url: str, reader_patience: int = READER_PATIENCE_MILLISECONDS) -> Engine:
    """Return an engine for this URL, configured for its database.

    On PostgreSQL, a statement of a reader fails after `reader_patience` milliseconds.
    """
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    # For SQLite, a connection for each thread that needs one: waiting for a writer's lock must not block readers.
    most = {"max_overflow": -1} if is_sqlite else {}
    engine = create_engine(url, pool_timeout=1, hide_parameters=True, **most)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _discard_read_only)
    else:
        from badge.catalogue import postgresql  # noqa: PLC0415 - its driver is optional

        postgresql.prepare_engine(engine)
        event.listen(
            engine, "begin", lambda connection: postgresql.begin(connection, _patience(connection), reader_patience)
        )
    return engine


@contextlib.contextmanager
def writing_on(engine: Engine, patience: int) -> Iterator[Connection]:
    """Begin a transaction that writes, and waits up to `patience` milliseconds for other writers."""
    with engine.connect().execution_options(**{_PATIENCE: patience}) as connection, connection.begin():
        yield connection


def _patience(connection: Connection) -> int | None:
    """The patience of a transaction that writes; None for one that only reads."""
    patience: int | None = connection.get_execution_options().get(_PATIENCE)
    return patience


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not implicitly by sqlite3
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # an acknowledged report survives a power failure
        "foreign_keys=ON",
        f"busy_timeout={WRITER_PATIENCE_MILLISECONDS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


# SQLite keeps an index of its log in a file beside the database. These errors mean that there is no room or no
# permission to create it (sqlite.org/wal.html, "Read-Only Databases"; sqlite.org/rescode.html).
_NO_INDEX = frozenset({"SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN", "SQLITE_CANTOPEN", "SQLITE_READONLY_CANTINIT"})


# The index's first part (sqlite.org/walformat.html, section 2.2); the log is kept short, so no more is needed.
_INDEX_BYTES = 32 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
_indexes: set[tuple[int, Path]] = set()


def _allocate_index(url: str) -> None:
    """Reserve disk space for the index; raises `OperationalError` if there is none.

    SQLite maps the file but writes only one byte in 4 KiB of it, so on a file system with smaller blocks a full disk
    would end the process (SIGBUS). Done only before a process's first connection to the database: closing any
    descriptor of the index gives up the locks that the process holds on it (sqlite.org/howtocorrupt.html, section 2.2).
    """
    location = make_url(url)
    file = Path(location.database or "")
    if location.get_backend_name() != "sqlite" or (os.getpid(), file) in _indexes:
        return
    if not file.is_file():
        # SQLite will create the database and its index. A later call must not open the index, because there may be a
        # connection by then.
        _indexes.add((os.getpid(), file))
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
        # Read-only, or another user's file: SQLite handles that.
    _indexes.add((os.getpid(), file))


def snapshot_engine(url: str, error: OperationalError) -> Engine | None:
    """Return an engine that reads a SQLite file without its log, for a full or read-only disk.

    Returns None for any other error, or if the log is not empty. An empty log stays empty, because a writer would need
    the index too.
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
    """Make the pool reconnect: a connection opened while the disk was read-only stays read-only."""
    if getattr(context.original_exception, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
        context.is_disconnect = True


def _begin_sqlite(connection: Connection) -> None:
    patience = _patience(connection)
    mode, wait = ("DEFERRED", READER_PATIENCE_MILLISECONDS) if patience is None else ("IMMEDIATE", patience)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait:d}")
    connection.exec_driver_sql(f"BEGIN {mode}")
