"""The catalogue on a PostgreSQL server that hangs or restarts, and PostgreSQL's stricter limits on text."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha512

import pytest
from sqlalchemy import func, select

from badge.catalogue.database import READER_PATIENCE_MILLISECONDS, new_engine
from badge.catalogue.events import InvalidEvent
from badge.catalogue.migration import RETRY_SECONDS, is_current, migrate, upgrade
from badge.catalogue.schema import subjects
from badge.catalogue.source import CatalogueSource
from badge.deadline import Deadline
from badge.listing import ListingFilter
from badge.model import BackupStatus, Subject
from badge.ports import SourceUnavailable
from tests.doubles import RecordedEvents
from tests.postgres import PostgresServer, running_postgres
from tests.store import WEB, Store


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def store(postgres: PostgresServer) -> Iterator[Store]:
    url = postgres.new_database()
    migrate(url)
    store = Store.on(url, READER_PATIENCE_MILLISECONDS)
    yield store
    store.close()


@pytest.mark.parametrize("has_connection", [True, False])
def test_a_hanging_server_makes_the_source_unavailable_in_time_for_a_badge(
    postgres: PostgresServer, store: Store, caplog: pytest.LogCaptureFixture, *, has_connection: bool
) -> None:
    if has_connection:
        assert store.status() is None
    postgres.freeze()
    began = time.monotonic()
    try:
        with pytest.raises(SourceUnavailable):
            CatalogueSource(store.catalogue, RecordedEvents()).fetch(WEB, None, Deadline.after(1.7))
        took = time.monotonic() - began
    finally:
        postgres.thaw()
    assert 0.9 < took < 1.7
    assert caplog.messages == []
    # The late response to the query that timed out is not taken for the response to this one.
    assert store.record(BackupStatus.FAILED)
    assert store.status() is BackupStatus.FAILED


def test_reads_and_reports_work_after_the_server_was_restarted(postgres: PostgresServer, store: Store) -> None:
    for status, ask_first in ((BackupStatus.FAILED, True), (BackupStatus.SUCCEEDED, False)):
        store.record(BackupStatus.IN_PROGRESS)
        postgres.restart()
        store.clock.advance(minutes=1)
        assert not ask_first or store.status() is BackupStatus.IN_PROGRESS
        assert store.record(status)
        store.clock.advance(minutes=1)


def test_names_too_long_for_an_index_can_be_looked_up_but_not_reported(store: Store) -> None:
    # Neither string compresses. Account and name have the maximum length in characters and bytes.
    chinese = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(512))
    latin = b"".join(sha512(bytes([number])).digest() for number in range(6))
    name, account = chinese + urlsafe_b64encode(latin).decode(), chinese[:255]
    subject = Subject.parse("GitHub", account, "Repository", name)
    with pytest.raises(InvalidEvent, match="too long"):
        store.record(BackupStatus.FAILED, subject)
    assert store.status(subject) is None
    assert store.record(BackupStatus.FAILED, Subject.parse("GitHub", account, "Repository", name[:400]))


@pytest.mark.parametrize("narrowed", [ListingFilter(platform="a\0"), ListingFilter(account="a\0")])
def test_a_filter_with_an_impossible_character_lists_nothing(store: Store, narrowed: ListingFilter) -> None:
    store.record(BackupStatus.FAILED)
    assert store.catalogue.list(narrowed).items == []


def test_a_migration_does_not_block_the_service_behind_a_long_transaction(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    upgrade(url, to="0008")
    waits: list[float] = []
    engine = new_engine(url)
    backup = engine.connect()
    backup.execute(select(func.count()).select_from(subjects))  # its transaction keeps the table locked

    def pause(seconds: float) -> None:
        with engine.connect() as connection:  # the migration has given up, so readers don't wait behind it
            connection.exec_driver_sql("SET LOCAL lock_timeout = 100")
            connection.execute(select(func.count()).select_from(subjects))
        waits.append(seconds)
        backup.close()

    upgrade(url, pause=pause)
    engine.dispose()
    assert is_current(url)
    assert waits == [RETRY_SECONDS]
