"""Why the catalogue's database can't be used, in words that say where to look, not in those of a driver."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from badge.catalogue.migration import SchemaTooNew
from badge.events import CatalogueFailed

_SQLITE = {
    "SQLITE_AUTH": "this user may not use it",
    "SQLITE_BUSY": "another program holds it locked",
    "SQLITE_CANTOPEN": "its file can't be opened; look at its folder and who owns that",
    "SQLITE_CORRUPT": "its file is damaged; restore it from a backup",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk can't be read or written",
    "SQLITE_NOTADB": "its file is no SQLite database",
    "SQLITE_PERM": "this user may not use it",
    "SQLITE_READONLY": "its file or folder can't be written by this user",
}
_POSTGRESQL = {
    "08": "its server can't be reached or does not answer",
    "28": "its server refuses the user or the password",
    "3D": "its server has no such database",
    "42501": "its user may not change the tables",
    "53": "its server has no room or connection left",
    "57": "its server is starting or stopping",
}
"""By SQLSTATE, or by its first two characters, the class."""


def failure(operation: str, error: SQLAlchemyError) -> CatalogueFailed:
    """Return the event for an error of the database during an operation."""
    return CatalogueFailed(operation, class_of(error), why_unusable(error))


def class_of(error: Exception) -> str:
    """Return the name of an error's class, of SQLite's result code, or of the driver's error that it wraps."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return getattr(cause, "sqlite_errorname", None) or type(cause).__name__


def why_unusable(error: Exception) -> str:
    """Return the cause of an error that SQLAlchemy or the file system raised, or `SchemaTooNew`.

    It begins with "its", for the database's, and never quotes the error's text, which may contain subjects or secrets.
    """
    if isinstance(error, SchemaTooNew):
        return str(error)
    if isinstance(error, OSError):
        return f"its file or folder can't be used ({error.strerror or type(error).__name__})"
    cause = error.orig if isinstance(error, DBAPIError) else None
    if name := getattr(cause, "sqlite_errorname", None):
        return next((words for code, words in _SQLITE.items() if name.startswith(code)), f"SQLite reports {name}")
    if isinstance(error, PoolTimeout):
        return "its connections are all in use"
    state = getattr(cause, "sqlstate", None)
    if state is None and not isinstance(error, OperationalError):
        return f"its URL or its driver is wrong ({class_of(error)})"
    state = state or "08"  # none if psycopg could not connect or gave up waiting
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]) or f"PostgreSQL reports {state}"
