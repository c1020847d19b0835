"""The lock that prevents a restore while the catalogue is in use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from badge.catalogue.database import Database
from badge.catalogue.faults import why_unusable
from badge.catalogue.in_use import CatalogueInUse, alone, database_file, hold


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def unusable(file: Path) -> Path:
    """A lock that nobody can use, because symbolic links are refused, even for root."""
    file.with_name(f"{file.name}.in-use").symlink_to("elsewhere")
    return file


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/lib/badge/catalogue.sqlite3",
        "sqlite:///relative.sqlite3",
        "sqlite+pysqlite:////a/b%20c d.sqlite3",
        "sqlite:////a/b%3Fc.sqlite3?timeout=5&x=?",
        "sqlite:////a/#b@c:d.sqlite3",
    ],
)
def test_the_file_is_the_one_that_sqlalchemy_opens(url: str) -> None:
    assert database_file(url) == Path(str(make_url(url).database))


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///?x=1", "sqlite:///:memory:", "postgresql://badge@db/badge"]
)
def test_other_databases_have_no_file(url: str) -> None:
    assert database_file(url) is None


def test_a_lock_that_cannot_be_used_is_an_error(unusable: Path) -> None:
    with pytest.raises(OSError, match="symbolic link"):
        hold(f"sqlite:///{unusable}")


def test_a_database_whose_lock_cannot_be_used_is_not_opened(unusable: Path) -> None:
    database = Database(f"sqlite:///{unusable}")
    with contextlib.closing(database), pytest.raises(OperationalError) as raised, database.reading():
        pass
    assert why_unusable(raised.value) == "this user may not use it"
    assert not unusable.exists()


def test_a_folder_that_does_not_exist_needs_no_lock(file: Path) -> None:
    assert hold(f"sqlite:///{file.parent}/none/{file.name}") is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change a file's owner")
def test_root_shares_the_lock_of_another_user(file: Path) -> None:
    lock = file.with_name(f"{file.name}.in-use")
    lock.touch()
    os.chown(lock, 12345, 12345)
    held = hold(f"sqlite:///{file}")
    assert held is not None
    with pytest.raises(CatalogueInUse), alone(file):
        pass
    os.close(held)
