"""Explanations of why a catalogue can't be used, in our words instead of a driver's or Alembic's."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from badge.catalogue.database import new_engine
from badge.catalogue.faults import class_of, why_unusable
from badge.catalogue.migration import SchemaFault, SchemaTooNew, is_current, migrate, newest_revision


def reason(url: str) -> str:
    with pytest.raises((SQLAlchemyError, OSError, SchemaTooNew)) as raised:
        migrate(url)
    return why_unusable(raised.value)


def test_a_file_that_is_not_a_database_is_named_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not a database, but long enough to be examined as one" * 40)
    assert reason(f"sqlite:///{tmp_path}/x") == "its file is not a SQLite database"


def test_a_folder_that_cannot_be_created_is_named_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "can't be used (File exists)" in reason(f"sqlite:///{tmp_path}/file/catalogue.sqlite3")


def test_a_schema_of_a_newer_version_is_reported_and_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalogue.sqlite3"
    migrate(url)
    engine = new_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert reason(url).startswith("it was changed by a newer version of the service")
    with pytest.raises(SchemaTooNew):
        is_current(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_missing_tables_are_reported_in_one_sentence(tmp_path: Path) -> None:
    engine = new_engine(f"sqlite:///{tmp_path}/catalogue.sqlite3")
    with pytest.raises(OperationalError) as raised, engine.connect() as connection:
        connection.execute(text("SELECT * FROM subjects"))
    engine.dispose()
    assert why_unusable(raised.value).startswith("its tables lack something that this version needs")


def test_tables_that_do_not_match_their_revision_are_reported_in_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalogue.sqlite3"
    migrate(url)
    engine = new_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    assert reason(url) == "its tables don't match the revision recorded in it; restore a backup"


@pytest.mark.parametrize("present", [["0001", "0003"], []])
def test_an_installation_that_lacks_a_migration_is_reported_in_one_sentence(tmp_path: Path, present: list[str]) -> None:
    for revision in present:
        line = f'revision = "{revision}"\ndown_revision = "{int(revision) - 1:04}"\n'
        (tmp_path / f"{revision}.py").write_text(line.replace('"0000"', "None"))
    with pytest.raises(SchemaFault) as raised:
        newest_revision(tmp_path)
    assert why_unusable(raised.value) == "this installation lacks one of its migrations; install the service again"


class Refused(Exception):
    """An error of psycopg."""

    def __init__(self, state: str | None) -> None:
        super().__init__("FATAL: password authentication failed")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "its server can't be reached or does not answer"),
        ("28P01", "its server rejects the user or the password"),
        ("3D000", "its server has no such database"),
        ("42501", "its user may not change the tables"),
        ("42P01", "its tables lack something that this version needs; restart the service, which migrates them"),
        ("57P03", "its server is starting or stopping"),
        ("57014", "its server cancelled a statement, for example because it exceeded its time limit"),
        ("XX000", "PostgreSQL reports XX000"),
    ],
)
def test_postgresql_s_codes_become_sentences(state: str | None, words: str) -> None:
    error: DBAPIError = OperationalError("SELECT 1", {}, Refused(state))
    assert why_unusable(error) == words


@pytest.mark.parametrize(
    ("error", "name", "words"),
    [
        (ProgrammingError("SELECT 1", {}, Refused("26000")), "Refused", "PostgreSQL reports 26000"),
        (ProgrammingError("SELECT 1", {}, Refused(None)), "Refused", "its URL or its driver is wrong (Refused)"),
        (PoolTimeout(), "TimeoutError", "its connections are all in use"),
    ],
)
def test_an_error_is_named_by_its_class_and_never_by_its_text(error: SQLAlchemyError, name: str, words: str) -> None:
    assert (class_of(error), why_unusable(error)) == (name, words)
