"""A catalogue's schema in a new SQLite file, copied from a migrated one: Alembic takes 50 ms for each."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from badge.catalogue import migration
from badge.catalogue.in_use import database_file


def migrate(url: str) -> None:
    """Do what `badge.catalogue.migration.migrate` does; all new SQLite files get the same cache identity."""
    file = database_file(url)
    if file is None or file.exists():
        migration.migrate(url)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalogue.sqlite3"
        migration.migrate(f"sqlite:///{file}")
        return file.read_bytes()
