"""The catalogue's contract is the same on each database that can hold it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from badge.catalogue.database import migrate
from tests.postgres import PostgresServer, running_postgres
from tests.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_url(postgres: PostgresServer) -> str:
    """Of a database to copy, which is quicker than to migrate."""
    url = postgres.new_database()
    migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without a schema."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database(like=request.getfixturevalue("migrated_url"))
    else:
        url = f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite3'}"
        migrate(url)
    store = Store.on(url)
    yield store
    store.close()
