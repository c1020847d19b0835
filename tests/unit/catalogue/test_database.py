"""Closing a database's connections, and what its commits guarantee."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from badge.catalogue.database import Database
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
