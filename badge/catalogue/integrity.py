"""Checks the file of a catalogue on SQLite, within a limited time."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from badge.catalogue.database import Database, is_damage
from badge.catalogue.in_use import database_file

START_SECONDS = 3.0
"""At start-up; reads several hundred MB."""
THOROUGH_SECONDS = 60.0
"""Where somebody waits for the answer."""

_STEPS_BETWEEN_LOOKS = 10_000


class Integrity(Enum):
    """The outcome of a check."""

    SOUND = "sound"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"
    """The time was over before the whole file was checked."""


def integrity_of(database: Database, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Integrity:
    """Check the database's file, for at most so many seconds (`PRAGMA quick_check`); PostgreSQL looks after its own.

    Raises SQLAlchemy's errors if the database can't be read at all.
    """
    if database_file(database.url) is None:
        return Integrity.SOUND
    ends = monotonic() + seconds
    try:
        with database.reading() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_progress_handler(lambda: monotonic() > ends, _STEPS_BETWEEN_LOOKS)
            try:
                verdict = connection.scalar(text("PRAGMA quick_check(1)"))
            finally:
                driver.set_progress_handler(None, 0)
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return Integrity.UNKNOWN
        if is_damage(error):
            return Integrity.DAMAGED
        raise
    return Integrity.SOUND if verdict == "ok" else Integrity.DAMAGED
