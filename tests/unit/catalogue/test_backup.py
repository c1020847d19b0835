"""Backups of the catalogue, and what a restore leaves behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from badge.catalogue.backup import BadBackup, back_up, renew_cache_identity, restore
from badge.catalogue.database import Database
from badge.catalogue.in_use import CatalogueInUse
from badge.catalogue.migration import SchemaTooNew, is_current, migrate, upgrade
from badge.model import BackupStatus
from badge.watching.channels import NotDelivered
from badge.watching.store import WatchStore
from tests.doubles import START
from tests.store import Store
from tests.watching import Watching

LATER = START + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/data/catalogue.sqlite3"
    migrate(url)
    store = Store.on(url)
    store.record(BackupStatus.SUCCEEDED)
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalogue.sqlite3"


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    back_up(store.catalogue.database, tmp_path / "backup", START)
    return tmp_path / "backup"


def identity_of(url: str) -> str:
    with contextlib.closing(Database(url)) as database:
        return database.read_cache_identity()


def fail_after(store: Store) -> None:
    """Record a failure that the backup does not contain."""
    store.clock.advance(hours=1)
    assert store.record(BackupStatus.FAILED)


def test_a_backup_is_one_private_file_that_records_when_it_was_made(store: Store, tmp_path: Path) -> None:
    contents = back_up(store.catalogue.database, tmp_path / "backup", LATER)
    assert (contents.subjects, contents.runs, contents.as_of, contents.last_change) == (1, 1, LATER, START)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"backup", "data"}


def test_a_backup_does_not_replace_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("precious")
    with pytest.raises(FileExistsError):
        back_up(store.catalogue.database, tmp_path / "backup", START)
    assert (tmp_path / "backup").read_text() == "precious"


def test_a_backup_is_made_while_others_write(store: Store, tmp_path: Path) -> None:
    with store.catalogue.database.writing():
        back_up(store.catalogue.database, tmp_path / "backup", START)


def test_a_failed_backup_leaves_no_file(store: Store, tmp_path: Path) -> None:
    with store.catalogue.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE runs")
    with pytest.raises(BadBackup, match="not a catalogue"):
        back_up(store.catalogue.database, tmp_path / "backup", START)
    assert not (tmp_path / "backup").exists()


def test_a_backup_leaves_an_older_schema_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old"
    upgrade(url, to="0002")
    with contextlib.closing(Database(url)) as database:
        assert back_up(database, tmp_path / "backup", LATER).as_of == LATER
    assert revisions_in(tmp_path / "old") == revisions_in(tmp_path / "backup") == ["0002"]
    restore(f"sqlite:///{tmp_path}/new", tmp_path / "backup", LATER)


def revisions_in(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [revision for (revision,) in connection.execute("SELECT version_num FROM alembic_version")]


def test_a_backup_does_not_create_a_missing_catalogue(tmp_path: Path) -> None:
    with contextlib.closing(Database(f"sqlite:///{tmp_path}/none")) as database, pytest.raises(BadBackup):
        back_up(database, tmp_path / "backup", START)
    assert list(tmp_path.iterdir()) == []


def test_a_restore_replaces_the_database_and_sets_the_previous_one_aside(
    store: Store, file: Path, backup: Path
) -> None:
    fail_after(store)
    store.close()
    restored = restore(store.url, backup, LATER)
    assert (restored.contents.as_of, restored.contents.runs) == (START, 1)
    assert store.status() is BackupStatus.SUCCEEDED
    assert restored.set_aside == file.with_name("catalogue.sqlite3.before-restore-20261124T120000Z")
    aside = Store.on(f"sqlite:///{restored.set_aside}")
    assert aside.status() is BackupStatus.FAILED
    aside.close()


def test_two_restores_in_one_second_keep_both_databases(store: Store, backup: Path) -> None:
    store.close()
    first, second = (restore(store.url, backup, LATER).set_aside for _ in range(2))
    assert first != second


def test_a_log_left_by_a_crash_is_set_aside_with_its_database(store: Store, file: Path, backup: Path) -> None:
    fail_after(store)
    log = file.with_name(f"{file.name}-wal").read_bytes()
    store.close()
    # As after a crash: the last report is only in the log.
    shutil.copy(backup, file)
    file.with_name(f"{file.name}-wal").write_bytes(log)
    aside = restore(store.url, backup, LATER).set_aside
    assert not file.with_name(f"{file.name}-wal").exists()
    assert store.status() is BackupStatus.SUCCEEDED
    assert aside is not None
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == log


def test_a_damaged_database_is_kept_with_its_log(store: Store, file: Path, backup: Path) -> None:
    store.close()
    file.write_bytes(b"damaged")
    file.with_name(f"{file.name}-wal").write_bytes(b"log")
    aside = restore(store.url, backup, LATER).set_aside
    assert aside is not None
    assert aside.read_bytes() == b"damaged"
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == b"log"
    assert store.status() is BackupStatus.SUCCEEDED


def test_a_restore_gives_the_catalogue_a_new_identity_in_the_cache(store: Store, backup: Path) -> None:
    before = store.catalogue.database.cache_identity
    store.close()
    restore(store.url, backup, LATER)
    after = identity_of(store.url)
    restore(store.url, backup, LATER)
    assert len({before, after, identity_of(store.url)}) == 3


def test_a_restore_sends_none_of_the_backup_s_messages_and_frees_the_lease(store: Store, tmp_path: Path) -> None:
    watching = Watching(WatchStore(store.catalogue.database, "first"), store.clock)
    watching.sees(web=BackupStatus.SUCCEEDED)
    watching.channel.refuses = lambda _: NotDelivered("connect")
    watching.sees(web=BackupStatus.FAILED)
    back_up(store.catalogue.database, tmp_path / "backup", START)
    store.close()
    restore(store.url, tmp_path / "backup", LATER)
    restored = WatchStore(Database(store.url))
    assert restored.lease().holder == ""
    assert [(each.failure, each.given_up_at) for each in restored.everything(10)] == [("restored", LATER)]
    restored.database.close()


def test_the_identity_can_be_renewed_without_a_restore(store: Store) -> None:
    before = store.catalogue.database.cache_identity
    store.close()
    renew_cache_identity(store.url, LATER)
    assert identity_of(store.url) != before
    assert store.status() is BackupStatus.SUCCEEDED


def test_a_new_identity_migrates_an_older_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old"
    upgrade(url, to="0002")
    renew_cache_identity(url, LATER)
    assert is_current(url)


def test_a_newer_schema_gets_no_new_identity(store: Store, file: Path) -> None:
    store.close()
    changed("UPDATE alembic_version SET version_num = '9'", file)
    before = identity_of(store.url)
    with pytest.raises(SchemaTooNew):
        renew_cache_identity(store.url, LATER)
    assert identity_of(store.url) == before


def test_a_missing_catalogue_gets_no_new_identity(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        renew_cache_identity(f"sqlite:///{tmp_path}/none", LATER)
    assert list(tmp_path.iterdir()) == []


def test_a_catalogue_in_use_is_neither_restored_nor_given_a_new_identity(store: Store, backup: Path) -> None:
    assert store.status() is BackupStatus.SUCCEEDED
    with pytest.raises(CatalogueInUse):
        restore(store.url, backup, LATER)
    with pytest.raises(CatalogueInUse):
        renew_cache_identity(store.url, LATER)


def test_a_child_of_a_dead_process_still_prevents_a_restore(store: Store, backup: Path) -> None:
    release, wait = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(wait)
        os.read(release, 1)
        os._exit(0)
    store.close()
    with pytest.raises(CatalogueInUse):
        restore(store.url, backup, LATER)
    os.close(wait)
    os.waitpid(child, 0)
    restore(store.url, backup, LATER)
    os.close(release)


def test_a_backup_of_an_older_version_is_migrated(store: Store, tmp_path: Path) -> None:
    store.close()
    upgrade(f"sqlite:///{tmp_path}/old", to="0001")
    contents = restore(store.url, tmp_path / "old", LATER).contents
    assert (contents.subjects, contents.as_of, contents.last_change) == (0, None, None)
    assert store.status() is None


def test_a_plain_copy_is_restored_together_with_its_log(store: Store, file: Path, tmp_path: Path) -> None:
    fail_after(store)
    for end in ("", "-wal"):
        shutil.copy(f"{file}{end}", tmp_path / f"copy{end}")
    store.close()
    contents = restore(store.url, tmp_path / "copy", LATER).contents
    assert (contents.as_of, contents.last_change) == (None, store.clock())
    assert store.status() is BackupStatus.FAILED


def damaged(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[8192:16384] = bytes(8192)
    backup.write_bytes(content)


def changed(statement: str, backup: Path) -> None:
    with sqlite3.connect(backup) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("words", "spoil"),
    [
        ("it is not a SQLite database", lambda backup: backup.write_bytes(b"text" * 500)),
        ("it is not a catalogue of this service", lambda backup: backup.write_bytes(b"")),
        ("it is not a catalogue of this service", lambda backup: changed("DROP TABLE api_keys", backup)),
        ("it is damaged", damaged),
        ("it is damaged", lambda backup: os.truncate(backup, 40_000)),
        ("changed by a newer version", lambda backup: changed("UPDATE alembic_version SET version_num = '9'", backup)),
    ],
)
def test_a_bad_backup_changes_nothing(store: Store, file: Path, backup: Path, words: str, spoil: object) -> None:
    assert callable(spoil)
    spoil(backup)
    store.close()
    before = file.read_bytes()
    with pytest.raises((BadBackup, SchemaTooNew), match=words):
        restore(store.url, backup, LATER)
    assert file.read_bytes() == before
    assert {path.suffix for path in file.parent.iterdir()} <= {".sqlite3", ".lock", ".in-use"}


def test_the_catalogue_is_not_its_own_backup(store: Store, file: Path) -> None:
    store.close()
    with pytest.raises(BadBackup, match="the catalogue itself"):
        restore(store.url, file, LATER)


def test_a_backup_can_be_restored_where_there_is_no_catalogue(backup: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/catalogue.sqlite3"
    assert restore(url, backup, LATER).set_aside is None
    store = Store.on(url)
    assert store.status() is BackupStatus.SUCCEEDED
    store.close()
