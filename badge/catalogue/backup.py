"""Backs up and restores a SQLite catalogue.

`restore` first locks the database (`in_use.alone`, which fails while the service runs), then checks and migrates a copy
of the backup (`_prepared`), and only then replaces the database.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, update

from badge.catalogue.database import Database
from badge.catalogue.in_use import alone, database_file
from badge.catalogue.migration import migrate, migrate_locked
from badge.catalogue.schema import EPOCH, identity, logins, outbox, watcher
from badge.listing import microseconds

# Tables that every catalogue has had since its first revision.
_TABLES = {"alembic_version", "subjects", "runs", "api_keys"}
_LOGS = ("-wal", "-journal")
RESTORED = "restored"
"""The failure recorded, on a restore, for messages that are still waiting in the backup; they are not sent."""


class BadBackup(Exception):
    """A backup can't be used, or the catalogue can't be backed up; the message says why."""


class RestoreUnfinished(Exception):
    """The last steps of a restore failed; the message says why, and where the previous database may be."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a backup."""

    subjects: int
    runs: int
    last_change: datetime | None
    """When a subject last changed."""
    as_of: datetime | None
    """When the backup was made; None if the backup doesn't record it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The outcome of a restore."""

    contents: Contents
    set_aside: Path | None
    """The previous database; None if there was none."""


def back_up(database: Database, target: Path, now: datetime) -> Contents:
    """Write a consistent copy of the database to a new file; others may write in the meantime.

    The database is left as it is, even if its schema is an older version's: `restore` migrates the copy. Raises
    `BadBackup` if there is no database or it is damaged; also `FileExistsError`, `OSError`, and SQLAlchemy's and
    sqlite3's errors.
    """
    file = database_file(database.url)
    assert file is not None
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _require(file)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            with database.reading() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file, readable even on read-only media
            _check(copy)
            if _has_identity(copy):
                with copy:
                    copy.execute("UPDATE identity SET backed_up_at = ?", (microseconds(now),))
            contents = replace(_contents(copy), as_of=now)
        _sync(target.parent)
    except BaseException:
        target.unlink()
        raise
    return contents


def restore(url: str, backup: Path, now: datetime) -> Restored:
    """Replace the database with a backup, migrated to the newest revision.

    Raises `CatalogueInUse`, `BadBackup`, `SchemaFault`, `OSError`, and SQLAlchemy's and sqlite3's errors; in all these
    cases, nothing has been changed. Raises `RestoreUnfinished` if one of the last steps fails.
    """
    file = database_file(url)
    assert file is not None
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists() and backup.samefile(file):
        raise BadBackup("it is the catalogue itself")
    with alone(file), tempfile.TemporaryDirectory(dir=file.parent, prefix=".restore-") as folder:
        draft = Path(folder) / file.name
        for end in ("", *_LOGS):
            if end == "" or Path(f"{backup}{end}").exists():
                _copy(Path(f"{backup}{end}"), Path(f"{draft}{end}"))
        contents = _prepared(draft, now)
        _give_to_owner(draft, file.parent)
        _sync(draft)
        return Restored(contents, _replace(file, draft, now))


def renew_cache_identity(url: str, now: datetime) -> None:
    """Make everything cached so far unreachable, end all logins and cancel waiting messages.

    For use after a restore by other means. Raises `CatalogueInUse`, `FileNotFoundError`, `SchemaFault`, `OSError`, and
    SQLAlchemy's and sqlite3's errors.
    """
    if (file := database_file(url)) is not None:
        file.stat()  # raises `FileNotFoundError`
        with alone(file):
            migrate_locked(url)
            _renew(url, now)
    else:
        migrate(url)
        _renew(url, now)


def _prepared(draft: Path, now: datetime) -> Contents:
    """Check and migrate the copy of a backup, and give it a new identity."""
    try:
        with contextlib.closing(sqlite3.connect(draft)) as connection:
            _check(connection)
    except sqlite3.DatabaseError as error:
        is_other = error.sqlite_errorname == "SQLITE_NOTADB"
        raise BadBackup("it is not a SQLite database" if is_other else "it is damaged") from None
    url = f"sqlite:///{draft}"
    migrate(url)
    with contextlib.closing(sqlite3.connect(draft)) as connection:
        contents = _contents(connection)
    _renew(url, now)
    return contents


def _replace(file: Path, draft: Path, now: datetime) -> Path | None:
    """Put the draft in the database's place; returns the new name of the previous database, if there was one."""
    try:
        set_aside = _set_aside(file, now) if file.exists() else None
        for end in (*_LOGS, "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)
        draft.replace(file)
        _sync(file.parent)
    except OSError as error:
        # On a file system without hard links, the previous database may already have been renamed.
        raise RestoreUnfinished(
            f"{error.strerror}; the previous catalogue may now be at {file}.before-restore-…"
        ) from error
    return set_aside


def _check(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise BadBackup("it is damaged")
    if not _tables(connection) >= _TABLES:
        raise BadBackup("it is not a catalogue of this service")


def _require(file: Path) -> None:
    if not file.exists():  # SQLite would create it
        raise BadBackup("it does not exist yet; the service creates it when it starts")


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def _has_identity(connection: sqlite3.Connection) -> bool:
    """Whether the schema is recent enough to record when a backup was made."""
    return "identity" in _tables(connection)


def _contents(connection: sqlite3.Connection) -> Contents:
    subjects, runs, changed = connection.execute(
        "SELECT (SELECT count(*) FROM subjects), (SELECT count(*) FROM runs), (SELECT max(updated_at) FROM subjects)"
    ).fetchone()
    backed_up = None
    if _has_identity(connection):
        (backed_up,) = connection.execute("SELECT backed_up_at FROM identity").fetchone()
    last_change, as_of = (None if at is None else EPOCH + timedelta(microseconds=at) for at in (changed, backed_up))
    return Contents(subjects, runs, last_change, as_of)


def _renew(url: str, now: datetime) -> None:
    """Give the database a new identity, end all logins, cancel waiting messages, and free the watcher's lease.

    A SQLite file must be locked by the caller, or known to it alone.
    """
    with contextlib.closing(Database(url, takes_lock=False)) as database, database.writing() as connection:
        connection.execute(update(identity).values(cache_identity=secrets.token_hex(16), backed_up_at=None))
        connection.execute(delete(logins))  # since the backup, sessions may have been ended, and links used
        # Most of these messages were delivered after the backup was made. They are not sent again, but listed as
        # abandoned.
        waiting = update(outbox).where(outbox.c.given_up_at.is_(None))
        connection.execute(waiting.values(given_up_at=now, failure=RESTORED))
        connection.execute(update(watcher).values(holder=""))  # no process holds the lease now


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("xb") as copy:
        shutil.copyfileobj(original, copy)
    target.chmod(0o600)


def _give_to_owner(file: Path, folder: Path) -> None:
    """Let the service's user access files that root has restored."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _set_aside(file: Path, now: datetime) -> Path:
    """Give the database a second name, under which it remains available; returns that name."""
    # The database isn't opened, because that could change or delete the log of a damaged one.
    name = f"{file}.before-restore-{now:%Y%m%dT%H%M%SZ}"
    aside = Path(name)
    for number in itertools.count(2):
        if not aside.exists():
            break
        aside = Path(f"{name}-{number}")
    for end in _LOGS:
        log = Path(f"{file}{end}")
        if log.exists() and log.stat().st_size:
            _give_second_name(log, Path(f"{aside}{end}"))
    _give_second_name(file, aside)
    return aside


def _give_second_name(file: Path, name: Path) -> None:
    try:
        name.hardlink_to(file)
    except OSError:  # not every file system has hard links
        file.rename(name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
