"""The catalogue as gunicorn's master opens it: locked against a restore, migrated and checked in a child process."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from badge.app import Configuration, utc_now
from badge.catalogue.in_use import database_file
from badge.catalogue.on_demand import CatalogueState
from badge.serving.child_process import in_child
from badge.settings import Settings


class CatalogueUnusable(Exception):
    """The catalogue can't be opened; the message says why."""


@dataclass(frozen=True, slots=True)
class OpenCatalogue:
    """A migrated and checked catalogue."""

    url: str
    state: CatalogueState
    lock: int | None
    """Prevents a restore until it is closed; workers inherit it."""

    def close(self) -> None:
        """Release this process's hold on the lock."""
        if self.lock is not None:
            os.close(self.lock)

    def merge_log(self) -> None:
        """Make a SQLite database a single file, once all workers have ended.

        Its log is left if the last worker was killed. It is also left if two of them closed the database at the same
        moment, because SQLite merges the log only while it can lock out all other connections. If that is impossible
        now, the log stays, and the next process that opens the database reads it.
        """
        file = database_file(self.url)
        if file is not None and file.with_name(f"{file.name}-wal").exists():
            with contextlib.suppress(OSError):  # no process can be started
                in_child(lambda: _opened_and_closed(file))


def _uses_catalogue(configuration: Configuration) -> bool:
    if configuration.settings.sources is not None:
        from badge.sources.configuration.factory import catalogue_names  # noqa: PLC0415 - only if there is such a file

        return bool(catalogue_names(configuration.sources))
    return configuration.settings.upstream_url is None


def open_catalogue(configuration: Configuration, previous: OpenCatalogue | None = None) -> OpenCatalogue | None:
    """Lock, migrate and check the catalogue, unless it is open already; None if neither sources nor logins use it.

    Raises `CatalogueUnusable` if it can't be used; if only logins need it, prints why and returns None instead. A
    damaged catalogue is returned: only what depends on it is unavailable.
    """
    settings, is_required = configuration.settings, _uses_catalogue(configuration)
    if not (is_required or settings.has_logins):
        return None
    if previous is not None and previous.url == settings.catalogue_location:
        return previous
    lock: int | None = None
    try:
        lock = _catalogue_lock(settings)
        return OpenCatalogue(settings.catalogue_location, migrate_and_check(settings), lock)
    except CatalogueUnusable as unusable:
        if lock is not None:
            os.close(lock)
        if is_required:
            raise
        sys.stderr.write(f"{unusable} Nobody can log in to the dashboard.\n")
        return None


def _catalogue_lock(settings: Settings) -> int | None:
    from badge.catalogue.in_use import CatalogueInUse, hold  # noqa: PLC0415 - loaded where there is a catalogue

    try:
        return hold(settings.catalogue_location)
    except CatalogueInUse:
        name = settings.catalogue_name
        raise CatalogueUnusable(f"The catalogue {name} is being restored; try again later.") from None
    except OSError as error:
        raise CatalogueUnusable(f"{error.filename} can't be used: {error.strerror}.") from None


def migrate_and_check(settings: Settings) -> CatalogueState:
    """Migrate and check the catalogue in a child process; raise `CatalogueUnusable` if it can't be used."""
    receiving, sending = os.pipe()
    is_usable = in_child(lambda: _send_state(settings, sending))
    os.close(sending)
    with os.fdopen(receiving, "r") as pipe:
        found = pipe.read()
    if not is_usable:
        raise CatalogueUnusable(found or f"The catalogue {settings.catalogue_name} can't be checked.")
    return CatalogueState(**json.loads(found))


def _opened_and_closed(file: Path) -> int:
    import sqlite3  # noqa: PLC0415 - the master doesn't need it

    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.Error:
        return 1
    return 0


def _send_state(settings: Settings, sending: int) -> int:
    try:
        state = _migrated_and_checked(settings)
    except CatalogueUnusable as unusable:
        os.write(sending, str(unusable).encode())
        return 1
    os.write(sending, json.dumps(state._asdict()).encode())
    return 0


def _migrated_and_checked(settings: Settings) -> CatalogueState:
    from badge.catalogue.database import Database, is_damage  # noqa: PLC0415 - loaded where there is a catalogue
    from badge.catalogue.faults import UNUSABLE, clock_warning, why_unusable  # noqa: PLC0415
    from badge.catalogue.integrity import START_SECONDS, Integrity, integrity_of  # noqa: PLC0415
    from badge.catalogue.migration import migrate  # noqa: PLC0415
    from badge.catalogue.store import Catalogue  # noqa: PLC0415

    location, name = settings.catalogue_location, settings.catalogue_name
    cache_identity, found, ahead = None, Integrity.DAMAGED, 0
    try:
        migrate(location)
        database = Database(location)
        cache_identity = database.read_cache_identity()
        ahead = Catalogue(database, utc_now).number_ahead()
        found = integrity_of(database, START_SECONDS)
        database.close()
    except UNUSABLE as error:
        if not is_damage(error):
            raise CatalogueUnusable(f"The catalogue {name} can't be used: {why_unusable(error)}.") from None
    if ahead:
        sys.stderr.write(f"The catalogue {name}: {clock_warning(ahead)}.\n")
    if found is Integrity.UNKNOWN:
        reason = "it is too large or can't be read"
        sys.stderr.write(f"The catalogue {name} was not checked: {reason}. `badge check-config` checks it.\n")
    return CatalogueState(cache_identity, found is Integrity.DAMAGED)
