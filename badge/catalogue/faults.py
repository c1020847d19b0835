"""Why the catalogue's database can't be used, in words that say what to look at; drivers' own are for programmers."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from badge.catalogue.migration import SchemaTooNew

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
    "08": "its server can't be reached",
    "28": "its server refuses the user or the password",
    "3D": "its server has no such database",
    "42501": "its user may not change the tables",
    "53": "its server has no room or connection left",
    "57": "its server is starting or stopping",
}
"""By SQLSTATE, or the class that it begins with."""


def why_unusable(error: Exception) -> str:
    """Return the reason of an error that SQLAlchemy or the file system raised, or `SchemaTooNew`."""
    if isinstance(error, SchemaTooNew):
        return str(error)
    if isinstance(error, OSError):
        return f"its file or folder can't be used ({error.strerror or type(error).__name__})"
    cause = error.orig if isinstance(error, DBAPIError) else None
    if name := getattr(cause, "sqlite_errorname", None):
        return next((words for code, words in _SQLITE.items() if name.startswith(code)), f"SQLite reports {name}")
    if cause is None:
        return f"its address or its driver is wrong ({type(error).__name__})"
    state = getattr(cause, "sqlstate", None) or "08"  # psycopg has no code for what it could not connect to
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]) or f"PostgreSQL reports {state}"
