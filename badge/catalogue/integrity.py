"""Checks a SQLite catalogue for damage, within a time limit."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from enum import Enum

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.database import Database, is_damage
from badge.catalogue.in_use import database_file

START_SECONDS = 3.0
"""Time limit at start-up; enough for about 1 GB."""
THOROUGH_SECONDS = 60.0
"""Time limit if a person is waiting for the result."""


class Integrity(Enum):
    """The outcome of a check."""

    SOUND = "sound"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"
    """It took too long, or the database couldn't be read."""


def quick_check(database: Database) -> Integrity:
    """Check the whole file, however long that takes (sqlite.org/pragma.html#pragma_quick_check)."""
    try:
        with database.reading() as connection:
            is_sound = connection.scalar(text("PRAGMA quick_check(1)")) == "ok"
    except SQLAlchemyError as error:
        return Integrity.DAMAGED if is_damage(error) else Integrity.UNKNOWN
    return Integrity.SOUND if is_sound else Integrity.DAMAGED


def integrity_of(database: Database, seconds: float, check: Callable[[Database], Integrity] = quick_check) -> Integrity:
    """Check a SQLite file for at most `seconds`; other databases are not checked, and count as sound.

    Runs in a child process, which can be killed: SQLite before 3.41 can't be interrupted while it scans a table.
    """
    if database_file(database.url) is None:
        return Integrity.SOUND
    database.close()  # SQLite's state must not be inherited (sqlite.org/howtocorrupt.html, section 2.6)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sending, check(database).value.encode())
        finally:
            os._exit(0)
    os.close(sending)
    try:
        waiting = select.poll()
        waiting.register(receiving, select.POLLIN)
        result = os.read(receiving, 16) if waiting.poll(seconds * 1000) else b""
    finally:
        os.close(receiving)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return Integrity(result.decode()) if result else Integrity.UNKNOWN
