"""Explains to operators, in our words instead of a driver's, why the catalogue's database can't be used."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from badge.catalogue.in_use import CatalogueInUse
from badge.catalogue.migration import SchemaFault
from badge.events import CatalogueFailed

UNUSABLE = (SQLAlchemyError, OSError, SchemaFault, CatalogueInUse)
"""The errors raised if a database can't be opened, migrated or checked; `why_unusable` explains them."""
DAMAGED = "its file is damaged; restore a backup with `badge restore FILE`"
_SQLITE = {
    "SQLITE_AUTH": "this user may not use it",
    "SQLITE_BUSY": "another program has locked it",
    "SQLITE_CANTOPEN": "its file can't be opened; check its folder and the folder's owner",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk can't be read or written",
    "SQLITE_NOTADB": "its file is not a SQLite database",
    "SQLITE_PERM": "this user may not use it",
    "SQLITE_READONLY": "this user can't write to its file or folder",
}
_OUTDATED = "its tables lack something that this version needs; restart the service, which migrates them"
_MISMATCH = "its tables don't match the revision recorded in it; restore a backup"
# SQLite has one code for all of these.
_SQLITE_ERRORS = {
    "no such table": _OUTDATED,
    "no such column": _OUTDATED,
    "has no column": _OUTDATED,
    "already exists": _MISMATCH,
    "duplicate column": _MISMATCH,
}
_POSTGRESQL = {
    "08": "its server can't be reached or does not answer",
    "28": "its server rejects the user or the password",
    "3D": "its server has no such database",
    "42501": "its user may not change the tables",
    "42703": _OUTDATED,
    "42P01": _OUTDATED,
    "42701": _MISMATCH,
    "42P07": _MISMATCH,
    "53": "its server has no space or no connections left",
    "57": "its server is starting or stopping",
    "57014": "its server cancelled a statement, for example because it exceeded its time limit",
}
"""By SQLSTATE, or by its class (the first two characters)."""


def failure(operation: str, error: SQLAlchemyError) -> CatalogueFailed:
    """Return the event for an error of the database during an operation."""
    return CatalogueFailed(operation, class_of(error), why_unusable(error))


def class_of(error: Exception) -> str:
    """Return the name of an error's class, of SQLite's result code, or of the driver's error that it wraps."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return getattr(cause, "sqlite_errorname", None) or type(cause).__name__


def why_unusable(error: Exception) -> str:
    """Return the reason for an error of SQLAlchemy, sqlite3 or the file system, a `SchemaFault` or `CatalogueInUse`.

    It is the end of a sentence, in which "it" means the database. Only a `SchemaFault`'s text is quoted: other errors'
    texts may contain subjects or secrets.
    """
    if isinstance(error, SchemaFault):
        return str(error)
    if isinstance(error, CatalogueInUse):
        return "it is being restored; try again later"
    if isinstance(error, OSError):
        return f"its file or folder can't be used ({error.strerror or type(error).__name__})"
    if isinstance(error, PoolTimeout):
        return "its connections are all in use"
    return _driver_reason(error)


def _driver_reason(error: Exception) -> str:
    cause: BaseException | None = error if isinstance(error, sqlite3.Error) else None
    if isinstance(error, DBAPIError):
        cause = error.orig
    if name := getattr(cause, "sqlite_errorname", None):
        return _sqlite_reason(name, str(cause))
    state = getattr(cause, "sqlstate", None)
    if state is None and not isinstance(error, OperationalError):
        return f"its URL or its driver is wrong ({class_of(error)})"
    state = state or "08"  # none if psycopg could not connect or gave up waiting
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]) or f"PostgreSQL reports {state}"


def _sqlite_reason(name: str, message: str) -> str:
    reasons = [words for code, words in _SQLITE.items() if name.startswith(code)]
    if name == "SQLITE_ERROR":
        reasons += [words for part, words in _SQLITE_ERRORS.items() if part in message]
    return reasons[0] if reasons else f"SQLite reports {name}"


def clock_warning(subjects: int) -> str:
    """Return a warning about this number of subjects with times ahead of now."""
    have = "1 subject has" if subjects == 1 else f"{subjects} subjects have"
    return (
        f"{have} times ahead of this machine's clock, and these count as unknown; "
        "correct the clock if it is wrong, otherwise report a new run"
    )
