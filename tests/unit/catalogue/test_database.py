"""Closing a database's connections, and what its commits guarantee."""

import gc
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import CacheStats

from badge.app import build_parts
from badge.catalogue.database import Database
from badge.catalogue.migration import migrate
from badge.catalogue.store import Catalogue
from badge.model import Subject
from badge.settings import load
from tests.servers import PROJECT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


def query(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def is_open(file: Path) -> bool:
    """Whether this process holds the file open (proc_pid_fd(5))."""
    return file in {link.resolve() for link in Path("/proc/self/fd").iterdir()}


def connections() -> list[sqlite3.Connection]:
    """Return SQLite's connections that Python still references."""
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, sqlite3.Connection)]


def test_a_closed_database_holds_no_file_and_opens_again_at_its_next_use(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    for _ in range(2):
        query(database)
        assert is_open(file)
        database.close()
        database.close()
        assert not is_open(file)


def test_a_child_does_not_close_inherited_connections(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    query(database)
    child = os.fork()
    if child == 0:
        database.close()
        os._exit(0 if is_open(file) else 1)
    assert os.waitpid(child, 0)[1] == 0
    query(database)
    database.close()


def test_a_child_uses_a_connection_of_its_own_and_keeps_the_inherited_one_open(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    query(database)
    inherited = len(connections())
    child = os.fork()
    if child == 0:
        query(database)
        os._exit(0 if len(connections()) == inherited + 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    query(database)
    database.close()


def test_a_child_executes_a_statement_that_its_parent_compiled(file: Path) -> None:
    url = f"sqlite:///{file}"
    migrate(url)
    parts = build_parts(load({"BADGE_DATA_DIR": str(file.parent)}))
    assert parts.catalogue is not None
    parts.prepare_for_fork()
    assert not is_open(file)
    child = os.fork()
    if child == 0:
        os._exit(0 if compiled_by(parts.catalogue.store) == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    another = Database(url)
    assert compiled_by(Catalogue(another, parts.catalogue.store.clock)) > 0
    another.close()


def compiled_by(store: Catalogue) -> int:
    """Return how many statements SQLAlchemy compiles in order to look up a subject."""
    compiled = []

    def count(connection: Connection, *statement: object) -> None:
        context: Any = statement[3]
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled.append(statement)

    with store.database.reading() as connection:
        event.listen(connection.engine, "before_cursor_execute", count)
    store.report_for(Subject("GitHub", "acme", "Repository", "web"))
    return len(compiled)


def test_a_catalogue_that_cannot_be_read_does_not_prevent_the_start(file: Path) -> None:
    file.write_text("not a database" * 100)
    build_parts(load({"BADGE_DATA_DIR": str(file.parent)})).prepare_for_fork()


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'catalogue.sqlite3'}")
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL (sqlite.org/pragma.html)
    database.close()


LOADED = """
import sys
from badge.catalogue.database import Database
from badge.catalogue.store import Catalogue
Database("sqlite:///catalogue.sqlite3")
print([name for name in sys.modules if name.startswith("sqlalchemy.dialects.postgresql")])
"""


def test_a_catalogue_on_sqlite_does_not_load_the_code_for_postgresql() -> None:
    command = [sys.executable, "-c", LOADED]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout == "[]\n"
