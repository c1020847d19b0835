"""The catalogue's file is checked, and no longer used once it is known to be damaged."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from badge.app import build_app, build_parts
from badge.catalogue.database import Database
from badge.catalogue.integrity import START_SECONDS, Integrity, integrity_of, quick_check
from badge.catalogue.migration import migrate
from badge.catalogue.on_demand import CatalogueState
from badge.model import BackupStatus, Subject
from badge.settings import load
from tests.store import Store

ROWS = 300


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of several pages."""
    file = tmp_path_factory.mktemp("filled") / "catalogue.sqlite3"
    migrate(f"sqlite:///{file}")
    store = Store.on(f"sqlite:///{file}")
    with store.catalogue.database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE many (id INTEGER PRIMARY KEY, text TEXT)")
        for number in range(ROWS):
            connection.exec_driver_sql("INSERT INTO many (text) VALUES (?)", (f"{number}" * 100,))
    store.close()
    return file


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(filled, tmp_path / "catalogue.sqlite3")
    store = Store.on(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    yield store
    store.close()


def corrupt(store: Store) -> None:
    file = Path(store.url.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    content[-8192:-4096] = b"\xff" * 4096
    file.write_bytes(content)


def test_an_intact_file_is_sound(store: Store) -> None:
    assert integrity_of(store.catalogue.database, START_SECONDS) is Integrity.SOUND


def test_a_corrupt_page_is_reported_as_damage(store: Store) -> None:
    corrupt(store)
    assert integrity_of(store.catalogue.database, START_SECONDS) is Integrity.DAMAGED


def hanging(database: Database) -> Integrity:
    threading.Event().wait(60)
    return quick_check(database)


def test_an_integrity_check_ends_when_its_time_is_up(store: Store) -> None:
    began = time.monotonic()
    assert integrity_of(store.catalogue.database, 0.05, hanging) is Integrity.UNKNOWN
    assert time.monotonic() - began < 30
    assert store.status() is None


def test_an_integrity_check_leaves_the_connections_of_its_caller_alone(store: Store) -> None:
    with store.catalogue.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM many WHERE id > 10")
    assert integrity_of(store.catalogue.database, START_SECONDS) is Integrity.SOUND
    assert store.record(BackupStatus.SUCCEEDED)


def test_a_database_that_was_found_damaged_is_not_used(store: Store) -> None:
    store.catalogue.database.is_damaged = True
    with pytest.raises(DatabaseError, match="malformed"):
        store.status()
    with pytest.raises(DatabaseError, match="malformed"):
        store.record(BackupStatus.SUCCEEDED)


def test_damage_found_after_the_start_is_remembered(store: Store) -> None:
    corrupt(store)
    with pytest.raises(DatabaseError), store.catalogue.database.reading() as connection:
        connection.exec_driver_sql("SELECT count(text) FROM many").scalar()
    assert store.catalogue.database.is_damaged


def test_readiness_and_badges_use_the_result_of_the_check_at_start(store: Store, tmp_path: Path) -> None:
    store.record(BackupStatus.SUCCEEDED)
    parts = build_parts(load({"BADGE_DATA_DIR": str(tmp_path)}))
    client = build_app(parts).test_client()
    assert client.get("/readyz").json["checks"]["catalogue"] == "up"  # type: ignore[index] # JSON
    parts.use_catalogue_state(CatalogueState("the-identity", is_damaged=True))
    web = Subject.legacy("acme", "web")
    assert parts.resolver.key(web)[0] == "catalogue:the-identity"
    assert parts.resolver.resolve(web).status is BackupStatus.UNKNOWN
    assert client.get("/readyz").json["checks"]["catalogue"] == "down"  # type: ignore[index] # JSON
    parts.close()


def test_until_the_identity_can_be_read_nothing_is_shared(tmp_path: Path) -> None:
    keys = {
        build_parts(load({"BADGE_DATA_DIR": str(tmp_path / "missing" / "file")})).resolver.key(
            Subject.legacy("acme", "web")
        )
        for _ in range(2)
    }
    assert len(keys) == 2
