"""The catalogue's contract is the same on each database that can hold it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from badge.catalogue.schema import identity, metadata, watcher
from tests.migrated import migrate
from tests.postgres import PostgresServer, running_postgres
from tests.store import Store

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_url(postgres: PostgresServer) -> str:
    """URL of a database that is emptied for each test, which is faster than a new one."""
    url = postgres.new_database()
    migrate(url)
    return url


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without a schema."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.new_database()
    return sqlite_url(tmp_path)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "postgresql":
        store = Store.on(request.getfixturevalue("migrated_url"))
        with store.catalogue.database.writing() as connection:
            tables = ", ".join(table.name for table in metadata.sorted_tables if table not in (identity, watcher))
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
            connection.execute(update(watcher).values(holder="", renewals=0, is_primed=False, glanced_at=None))
    else:
        migrate(sqlite_url(tmp_path))
        store = Store.on(sqlite_url(tmp_path))
    yield store
    store.close()


def sqlite_url(folder: Path) -> str:
    (folder / "data").mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'data' / 'catalogue.sqlite3'}"
