"""The catalogue's database, opened when it is first used.

Opening it loads SQLAlchemy, which takes 13 MB of memory and a third of a second. A service without a catalogue needs
this database only for dashboard logins, if at all; its notifications and feed open theirs in `app.watch_store`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

    from badge.catalogue.database import Database


class CatalogueState(NamedTuple):
    """What gunicorn's master learns about the catalogue, on behalf of all workers."""

    cache_identity: str | None
    """None if it can't be read."""
    is_damaged: bool


class LoginsUnavailable(Exception):
    """The database of logins can't be used right now."""

    def __init__(self, cause: SQLAlchemyError) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


class DatabaseOnDemand:
    """One database, which all threads share. The process may fork before or after it is opened."""

    def __init__(self, url: str, opened: Database | None = None) -> None:
        self._url = url
        self._database = opened
        self._state: CatalogueState | None = None
        self._lock = threading.Lock()

    def get(self) -> Database:
        """Return the database; makes no connection."""
        with self._lock:
            if self._database is None:
                from badge.catalogue.database import Database  # noqa: PLC0415 - see the module's docstring

                self._database = Database(self._url)
                self._apply_state()
            return self._database

    def use(self, state: CatalogueState) -> None:
        """Apply what the master found out about the database, now or as soon as it is opened."""
        with self._lock:
            self._state = state
            self._apply_state()

    def _apply_state(self) -> None:
        if self._database is not None and self._state is not None:
            self._database.cache_identity, self._database.is_damaged = self._state

    def close(self) -> None:
        """Close this process's connections, if there are any."""
        with self._lock:
            if self._database is not None:
                self._database.close()
