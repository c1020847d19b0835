"""`badge backup` and `badge restore`: the catalogue as a single file."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.backup import (
    BadBackup,
    Contents,
    Restored,
    RestoreUnfinished,
    back_up,
    renew_cache_identity,
)
from badge.catalogue.backup import restore as restore_file
from badge.catalogue.database import Database
from badge.catalogue.faults import why_unusable
from badge.catalogue.in_use import CatalogueInUse, database_file
from badge.catalogue.migration import SchemaFault
from badge.cli.command import NO_CATALOGUE, BadgeCommand, Fault, examples, local_parts, settings_or_fault
from badge.contract import format_time
from badge.settings import Settings

FILE = click.Path(path_type=Path, dir_okay=False)
NEW_IDENTITY = "--new-cache-identity"


@click.command(cls=BadgeCommand, epilog=examples("badge backup /backup/catalogue-2026-11-27.sqlite3"))
@click.argument("file", type=FILE)
def backup(file: Path) -> None:
    """Back up the catalogue to FILE, a new file that only its owner can read. The service may be running.

    Exit code 2 if FILE exists or if the catalogue is on PostgreSQL; for PostgreSQL, prints the pg_dump command to use.
    """
    _refuse_postgresql(settings_or_fault(), f"pg_dump --format=custom --file={shlex.quote(str(file))} --dbname={{url}}")
    with local_parts() as parts:
        if parts.catalogue is None:
            raise Fault(NO_CATALOGUE)
        # Not `own_catalogue`, which migrates: the backup before an upgrade must leave the database as it is.
        contents = _backed_up(parts.settings, parts.catalogue.store.database, file, parts.clock())
    assert contents.as_of is not None
    click.echo(f"Backed up {_amount(contents)} to {file}, as of {format_time(contents.as_of)}.")


def _backed_up(settings: Settings, database: Database, file: Path, now: datetime) -> Contents:
    name = settings.catalogue_name
    try:
        return back_up(database, file, now)
    except FileExistsError:
        raise Fault(f"{file} already exists. Choose another file name.") from None
    except BadBackup as bad:
        raise Fault(f"{name} can't be backed up: {bad}.", exit_code=1) from None
    except SQLAlchemyError as error:
        raise Fault(f"The catalogue {name} can't be used: {why_unusable(error)}.", exit_code=1) from None
    except (OSError, sqlite3.Error) as error:
        raise Fault(f"{file} can't be written: {_file_reason(error)}.", exit_code=1) from None


@click.command(
    cls=BadgeCommand,
    epilog=examples("badge restore /backup/catalogue-2026-11-27.sqlite3", f"badge restore {NEW_IDENTITY}"),
)
@click.argument("file", type=FILE, required=False)
@click.option(
    NEW_IDENTITY,
    "only_identity",
    is_flag=True,
    help=(
        "Instead of restoring FILE, discard all cached statuses and logins, cancel waiting notifications, and "
        "migrate an older catalogue; for use after pg_restore or after restoring a whole disk."
    ),
)
def restore(file: Path | None, *, only_identity: bool) -> None:
    """Replace the catalogue with FILE: a backup made by `badge backup`, or any complete copy of a catalogue.

    The service must be stopped. The previous catalogue is kept next to the new one. Statuses cached before the restore
    are no longer used, even if Redis kept running.
    """
    if (file is None) is not only_identity:
        raise Fault(f"Use either FILE or {NEW_IDENTITY}.")
    with local_parts() as parts:
        settings, now = parts.settings, parts.clock()
        if parts.catalogue is None:
            raise Fault(NO_CATALOGUE)
    # The parts are closed by now, because a restore needs the catalogue to itself.
    with _one_line_errors(settings, file):
        if file is None:
            renew_cache_identity(settings.catalogue_location, now)
            click.echo("Cached statuses are no longer used. Start the service again.")
            return
        command = f"pg_restore --clean --if-exists --dbname={{url}} {shlex.quote(str(file))}"
        _refuse_postgresql(settings, f"{command} && badge restore {NEW_IDENTITY}", "Stop all instances first. ")
        restored = restore_file(settings.catalogue_location, file, now)
    for line in _lines(file, restored):
        click.echo(line)


@contextlib.contextmanager
def _one_line_errors(settings: Settings, file: Path | None) -> Iterator[None]:
    place = settings.catalogue_name
    try:
        yield
    except CatalogueInUse:
        raise Fault(f"The catalogue {place} is in use: stop the service first.", exit_code=1) from None
    except (BadBackup, SchemaFault) as bad:
        what = f"{file} can't be restored" if file else f"The catalogue {place} can't be used"
        raise Fault(f"{what}: {bad}.", exit_code=1) from None
    except RestoreUnfinished as unfinished:
        again = "Run the restore again before you start the service."
        raise Fault(f"The catalogue {place} was not restored completely: {unfinished}. {again}", exit_code=1) from None
    except OSError as error:
        where, unchanged = error.filename or place, "" if file is None else " Nothing was changed."
        raise Fault(f"{where} can't be used: {_file_reason(error)}.{unchanged}", exit_code=1) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise Fault(f"The catalogue {place} can't be used: {why_unusable(error)}.", exit_code=1) from None


def _refuse_postgresql(settings: Settings, command: str, first: str = "") -> None:
    if database_file(settings.catalogue_location) is None:
        its = make_url(settings.catalogue_location)
        # For libpq, which doesn't know SQLAlchemy's `+psycopg`. Without the password, because the command is printed.
        url = URL.create("postgresql", its.username, None, its.host, its.port, its.database, its.query)
        command = command.format(url=shlex.quote(str(url)))
        raise Fault(f"The catalogue is on PostgreSQL. {first}Use PostgreSQL's own tools: {command}")


def _lines(file: Path, restored: Restored) -> list[str]:
    contents, aside = restored.contents, restored.set_aside
    # A copy made by other means, or of a very old schema, doesn't record its time.
    if contents.as_of is not None:
        as_of = f"as of {format_time(contents.as_of)}"
    elif contents.last_change is not None:
        as_of = f"whose last change is from {format_time(contents.last_change)}"
    else:
        as_of = "which is empty"
    return [
        f"Restored {file}, {as_of}: {_amount(contents)}.",
        *([f"The previous catalogue is now {aside}; delete it when you no longer need it."] if aside else []),
        "Cached statuses are no longer used. Start the service again.",
    ]


def _amount(contents: Contents) -> str:
    subjects = "1 subject" if contents.subjects == 1 else f"{contents.subjects} subjects"
    return f"{subjects} with {contents.runs} {'run' if contents.runs == 1 else 'runs'}"


def _file_reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return why_unusable(error)
