"""The database that is opened on first use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from badge.catalogue.database import Database
from badge.catalogue.migration import migrate
from badge.catalogue.on_demand import CatalogueState, DatabaseOnDemand

STATE = CatalogueState("the-identity", is_damaged=True)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"


def state_of(on_demand: DatabaseOnDemand) -> CatalogueState:
    database = on_demand.get()
    return CatalogueState(database.cache_identity, database.is_damaged)


def test_all_threads_get_the_same_database(url: str) -> None:
    on_demand = DatabaseOnDemand(url)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: on_demand.get(), range(64)))) == 1


@pytest.mark.parametrize("is_open", [False, True])
def test_its_state_can_be_set_before_or_after_it_is_opened(url: str, *, is_open: bool) -> None:
    on_demand = DatabaseOnDemand(url)
    if is_open:
        on_demand.get()
    on_demand.use(STATE)
    assert state_of(on_demand) == STATE


def test_a_database_that_is_open_already_is_used(url: str) -> None:
    database = Database(url)
    on_demand = DatabaseOnDemand(url, database)
    on_demand.use(STATE)
    assert on_demand.get() is database
    assert database.cache_identity == "the-identity"


def test_closing_ends_its_connections_but_opens_nothing(url: str, tmp_path: Path) -> None:
    unused = DatabaseOnDemand(url)
    unused.close()
    assert not list(tmp_path.iterdir())
    migrate(url)
    on_demand = DatabaseOnDemand(url)
    on_demand.get().read_cache_identity()
    assert (tmp_path / "catalogue.sqlite3-wal").exists()
    on_demand.close()
    assert not (tmp_path / "catalogue.sqlite3-wal").exists()
