"""Brings the catalogue's schema to its newest form, by Alembic."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from badge.catalogue.database import MIGRATIONS, WRITER_PATIENCE_MILLISECONDS, new_engine, writing_on

# "badge" in ASCII, as PostgreSQL's advisory locks are numbers.
_MIGRATION_LOCK = 0x6261646765

# A large table may take a while to get an index, and another process to give it one.
PATIENCE_MILLISECONDS = 600_000


def upgrade(url: str, to: str = "head") -> None:
    """Apply what is missing up to a revision, while no other process does."""
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
