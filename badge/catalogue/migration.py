"""Brings the catalogue's schema to its newest form, by Alembic."""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from badge.catalogue.database import WRITER_PATIENCE_MILLISECONDS, Database, new_engine, writing_on

MIGRATIONS = Path(__file__).with_name("migrations")

# "badge" in ASCII, as PostgreSQL's advisory locks are numbers.
_MIGRATION_LOCK = 0x6261646765

# A large table may take a while to get an index, and another process to give it one.
PATIENCE_MILLISECONDS = 600_000


class SchemaTooNew(Exception):
    """A newer version of the service has changed the schema."""

    def __init__(self) -> None:
        super().__init__(
            "it was changed by a newer version of the service; run that version, or restore a backup from before"
        )


def migrate(url: str) -> None:
    """Bring the schema to its newest form; quick where it is, safe where two processes do it at once.

    Raises `SchemaTooNew`.
    """
    location = make_url(url)
    if location.get_backend_name() == "sqlite" and location.database:
        Path(location.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_current(url):
        upgrade(url)


def is_current(url: str) -> bool:
    """Whether the schema has its newest form; raises `SchemaTooNew` for one that is newer than this code."""
    database = Database(url)
    try:
        with database.reading() as connection:
            revisions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except DBAPIError:
        return False  # no such table, or no database; what is wrong will be told when it is made
    finally:
        database.close()
    if not set(revisions) <= _names("revision"):
        raise SchemaTooNew
    return list(revisions) == [newest_revision()]


def newest_revision() -> str:
    """The revision that no other one stands on."""
    newest = list(_names("revision") - _names("down_revision"))
    assert len(newest) == 1, "migrations have to stand on one another in one line"
    return newest[0]


def _names(variable: str) -> set[str]:
    """What the scripts give this variable, read without Alembic, which takes 10 MB."""
    scripts = [script.read_text(encoding="utf-8") for script in (MIGRATIONS / "versions").glob("*.py")]
    return {name for script in scripts for name in re.findall(rf'^{variable}\b.*= "(.+)"', script, re.MULTILINE)}


def upgrade(url: str, to: str = "head") -> None:
    """Apply what is missing up to a revision, while no other process does."""
    # Alembic takes 10 MB and is needed once in a catalogue's life, so it is not loaded with this module.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = new_engine(url)
    try:
        with _alone(engine) as connection:
            wanted = ScriptDirectory.from_config(config).as_revision_number(to)
            if MigrationContext.configure(connection).get_current_revision() != wanted:
                config.attributes["connection"] = connection
                command.upgrade(config, to)
    finally:
        engine.dispose()


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction in which no other process migrates."""
    if engine.dialect.name == "sqlite":
        with open(f"{engine.url.database}.lock", "w") as lock:  # noqa: PTH123 - the URL's text is no Path
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Writing from its beginning on: a service that is still running may write meanwhile.
            with writing_on(engine, WRITER_PATIENCE_MILLISECONDS) as connection:
                yield connection
    else:
        with writing_on(engine, PATIENCE_MILLISECONDS) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            yield connection
