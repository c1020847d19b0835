"""The catalogue of each released version can be migrated to the newest schema, and loses nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, UniqueConstraint

from badge.catalogue.database import new_engine
from badge.catalogue.migration import is_current, migrate
from badge.model import BackupStatus
from tests.postgres import PostgresServer
from tests.releases import Release, dump, facts, fill, load, releases
from tests.store import Store


def tables_of(url: str) -> dict[str, Table]:
    engine, found = new_engine(url), MetaData()
    with engine.connect() as connection:
        found.reflect(connection)
    engine.dispose()
    return dict(found.tables)


def unique_columns(table: Table) -> set[tuple[str, ...]]:
    """Return the columns of the primary key, and of each unique constraint."""
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    return {tuple(constraint.columns.keys()) for constraint in (table.primary_key, *unique)}


def is_preserved(before: Any, after: Any) -> bool:
    """Whether `after` has every value of `before`; additional fields are allowed."""
    if isinstance(before, dict):
        return all(name in after and is_preserved(value, after[name]) for name, value in before.items())
    return bool(before == after)


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.version)
def test_a_released_catalogue_is_migrated_with_all_its_data(release: Release, new_url: str) -> None:
    recorded = release.load_into(new_url)
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        store.clock.advance(minutes=20)
        found = facts(store, recorded["secrets"])
        assert is_preserved(recorded, found), found
        assert store.receive(BackupStatus.SUCCEEDED)
        assert store.status() is BackupStatus.SUCCEEDED


@pytest.mark.parametrize("release", releases()[-1:], ids=lambda release: release.version)
def test_the_last_release_can_use_the_newest_schema_during_a_rolling_upgrade(release: Release, new_url: str) -> None:
    release.load_into(new_url)
    before = tables_of(new_url)
    migrate(new_url)
    after = tables_of(new_url)
    assert set(before) <= set(after)
    for name, table in before.items():
        assert set(table.columns.keys()) <= set(after[name].columns.keys())
        # The old version names the columns of unique constraints in ON CONFLICT.
        assert unique_columns(after[name]) >= unique_columns(table), name
        for column in after[name].columns:
            is_old = column.name in table.columns
            # The old version writes no value for a new column.
            assert is_old or column.nullable or column.server_default is not None, column
            assert not is_old or str(column.type) == str(table.columns[column.name].type), column


def test_a_recorded_catalogue_can_be_loaded(new_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        recorded = facts(store, fill(store))
    copy = f"sqlite:///{tmp_path / 'copy.sqlite3'}"
    if not new_url.startswith("sqlite"):
        server: PostgresServer = request.getfixturevalue("postgres")
        copy = server.new_database()
    load(copy, dump(new_url))
    assert is_current(copy)
    with closing(Store.on(copy)) as store:
        store.clock.advance(minutes=20)
        assert facts(store, recorded["secrets"]) == recorded
