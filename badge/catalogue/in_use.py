"""Locks for a SQLite catalogue: every process that uses it holds a shared lock; a restore needs an exclusive one.

The lock (flock(2)) is on a file beside the database, because closing a descriptor of the database itself would release
SQLite's own locks (sqlite.org/howtocorrupt.html, section 2.2). The kernel releases the lock when its holder and all of
the holder's children have ended, however they end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from badge.private_files import open_private

_NOBODY_CAN_CREATE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOENT, errno.ENOTDIR}


# Not SQLAlchemy's `make_url`, because gunicorn's master takes the lock and should not load SQLAlchemy.
_SQLITE_FILE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?")


class CatalogueInUse(Exception):
    """Another process is using or restoring the catalogue."""


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for other databases and those in memory."""
    found = _SQLITE_FILE.fullmatch(url)
    return Path(unquote(found[1])) if found and found[1] != ":memory:" else None


def hold(url: str) -> int | None:
    """Mark the catalogue as in use, until the returned descriptor is closed; raises `CatalogueInUse` during a restore.

    Returns None where there is nothing to lock: other databases, and folders in which nobody can create a file. Raises
    `OSError` if this user can't use the lock, because a restore could then replace the database while it is in use.
    """
    file = database_file(url)
    try:
        return None if file is None else _locked(file, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno in _NOBODY_CAN_CREATE:
            return None
        raise


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """Lock the catalogue exclusively; raises `CatalogueInUse` if another process is using it, and `OSError`."""
    descriptor = _locked(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(file: Path, mode: int) -> int:
    descriptor = open_private(file.with_name(f"{file.name}.in-use"), is_lock=True)
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CatalogueInUse from None
    return descriptor
