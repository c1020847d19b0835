"""Migrates the catalogue's schema to the newest revision, with Alembic."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from badge.catalogue.database import WRITER_PATIENCE_MILLISECONDS, Database, new_engine, writing_on
from badge.catalogue.in_use import database_file, hold
from badge.private_files import open_private

MIGRATIONS = Path(__file__).with_name("migrations")
SCRIPTS = MIGRATIONS / "versions"

# "badge" in ASCII, because PostgreSQL's advisory locks are numbers.
_MIGRATION_LOCK = 0x6261646765

# Indexing a large table may take a while, during which other processes wait.
PATIENCE_MILLISECONDS = 600_000

# While a migration waits for a table that a long transaction uses, such as a backup's, all others that need the table
# wait behind it. So on PostgreSQL, it soon stops waiting and tries again later.
TABLE_PATIENCE_MILLISECONDS = 500
RETRY_SECONDS = 5.0
MOST_ATTEMPTS = 100

# SQLSTATEs: the lock was not available in time; a deadlock was detected.
_IN_THE_WAY = frozenset({"55P03", "40P01"})


class SchemaFault(Exception):
    """The schema can't be used; the message says why, as the end of a sentence in which "it" means the database."""


class SchemaTooNew(SchemaFault):
    """A newer version of the service has changed the schema."""

    def __init__(self) -> None:
        super().__init__(
            "it was changed by a newer version of the service; run that version, or restore an older backup"
        )


class MigrationMissing(SchemaFault):
    """The installation lacks a migration."""

    def __init__(self) -> None:
        super().__init__("this installation lacks one of its migrations; install the service again")


def migrate(url: str) -> None:
    """Create the schema or migrate it to the newest revision; fast if it is current, safe in several processes at once.

    Raises `CatalogueInUse` during a restore, `SchemaFault`, `OSError` and SQLAlchemy's errors.
    """
    if (file := database_file(url)) is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = hold(url)
    try:
        migrate_locked(url)
    finally:
        if lock is not None:
            os.close(lock)


def migrate_locked(url: str) -> None:
    """Do what `migrate` does, for a caller that has already locked the catalogue."""
    if (file := database_file(url)) is not None:
        _make_private(file)
    if not is_current(url):
        upgrade(url)


def _make_private(file: Path) -> None:
    """Create the database with access for this user only; by default, SQLite would let others read it and its logs.

    Also restricts access to an existing file and its logs, which an older version may have left open to others.
    """
    if not file.exists():
        os.close(open_private(file))
    for name in (file, *(Path(f"{file}{end}") for end in ("-wal", "-shm"))):
        # Not opened, because closing it would give up SQLite's locks (see `in_use`). There may be no log, the disk may
        # be read-only, and some file systems have no modes.
        with contextlib.suppress(OSError):
            status = name.stat()
            if status.st_uid == os.geteuid() and status.st_mode & 0o077:
                name.chmod(0o600)


def is_current(url: str) -> bool:
    """Whether the schema has the newest revision; raises `SchemaFault` if it can't be migrated. Takes no lock."""
    database = Database(url, takes_lock=False)
    try:
        with database.reading() as connection:
            revisions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except DBAPIError:
        return False  # no such table, or no database; any other error is raised again by the migration
    finally:
        database.close()
    newest = newest_revision()
    if not set(revisions) <= _names("revision"):
        raise SchemaTooNew
    return list(revisions) == [newest]


def newest_revision(scripts: Path = SCRIPTS) -> str:
    """Return the revision that no other one follows; raises `MigrationMissing`."""
    revisions, predecessors = _names("revision", scripts), _names("down_revision", scripts)
    newest = list(revisions - predecessors)
    if len(newest) != 1 or not predecessors <= revisions:
        raise MigrationMissing
    return newest[0]


def _names(variable: str, scripts: Path = SCRIPTS) -> set[str]:
    """Return the values of this variable in all scripts, read without loading Alembic, which takes 10 MB of memory."""
    texts = [script.read_text(encoding="utf-8") for script in scripts.glob("*.py")]
    return {name for text in texts for name in re.findall(rf'^{variable}\b.*= "(.+)"', text, re.MULTILINE)}


def upgrade(
    url: str,
    to: str = "head",
    pause: Callable[[float], None] = time.sleep,  # noqa: TID251 - the default of the argument
) -> None:
    """Migrate up to a revision while no other process is migrating; retries while others keep using the tables."""
    engine = new_engine(url)
    try:
        for _ in range(MOST_ATTEMPTS - 1):
            try:
                return _upgrade(engine, to)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                    raise
                pause(RETRY_SECONDS)
        _upgrade(engine, to)
    finally:
        engine.dispose()


def _upgrade(engine: Engine, to: str) -> None:
    # Alembic takes 10 MB of memory and is rarely needed, so it is not loaded with this module.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _alone(engine) as connection:
        wanted = ScriptDirectory.from_config(config).as_revision_number(to)
        if MigrationContext.configure(connection).get_current_revision() != wanted:
            config.attributes["connection"] = connection
            command.upgrade(config, to)


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction during which no other process can migrate."""
    if engine.dialect.name == "sqlite":
        with open(open_private(Path(f"{engine.url.database}.lock"), is_lock=True), "w") as lock:  # noqa: PTH123 - a descriptor
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Excludes writers from the start, because a service that is still running may write meanwhile.
            with writing_on(engine, WRITER_PATIENCE_MILLISECONDS) as connection:
                yield connection
    else:
        with writing_on(engine, PATIENCE_MILLISECONDS) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {TABLE_PATIENCE_MILLISECONDS:d}")
            yield connection
