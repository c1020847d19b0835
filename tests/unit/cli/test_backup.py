"""How `badge backup` and `badge restore` respond to mistakes, and to a catalogue on PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result

from badge.catalogue.in_use import alone
from badge.catalogue.migration import upgrade
from tests.command_line import run_badge


def run(folder: Path, *arguments: str, **settings: str) -> Result:
    return run_badge(*arguments, BADGE_DATA_DIR=str(folder / "data"), **settings)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["backup", "{exists}"], 2, "already exists. Choose another file name."),
        (
            ["backup", "{missing}"],
            1,
            "can't be backed up: it does not exist yet; the service creates it when it starts.",
        ),
        (["backup", "{missing}/x"], 1, "can't be written: No such file or directory."),
        (["restore"], 2, "Use either FILE or --new-cache-identity."),
        (["restore", "{exists}", "--new-cache-identity"], 2, "Use either FILE or --new-cache-identity."),
        (["restore", "{missing}"], 1, "missing can't be used: No such file or directory. Nothing was changed."),
        (
            ["restore", "--new-cache-identity"],
            1,
            "sqlite3 can't be used: No such file or directory.",
        ),
        (["restore", "{exists}"], 1, "exists can't be restored: it is not a SQLite database."),
    ],
)
def test_a_mistake_is_reported_in_one_line(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "exists").write_text("no database" * 100)
    files = {name: str(tmp_path / name) for name in ("exists", "missing")}
    failed = run(tmp_path, *[argument.format(**files) for argument in arguments])
    assert (failed.exit_code, failed.output.count("\n")) == (code, 1), failed.output
    assert words in failed.output


@pytest.mark.parametrize(
    ("command", "tool"), [("backup", "pg_dump --format=custom"), ("restore", "pg_restore --clean --if-exists")]
)
def test_for_postgresql_its_own_tools_are_named(tmp_path: Path, command: str, tool: str) -> None:
    url = "postgresql+psycopg://badge:s3cret@db.example.org/badge"
    refused = run(tmp_path, command, "catalogue.dump", BADGE_CATALOGUE_URL=url)
    assert refused.exit_code == 2
    assert tool in refused.output
    assert "postgresql://badge@db.example.org/badge" in refused.output
    assert "s3cret" not in refused.output


def test_a_service_without_a_catalogue_has_nothing_to_back_up(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        refused = run(tmp_path, command, str(tmp_path / "x"), BADGE_UPSTREAM_URL="http://127.0.0.1:9")
        assert (refused.exit_code, "has no catalogue" in refused.output) == (2, True)


def test_a_backup_before_an_upgrade_leaves_the_schema_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    upgrade(f"sqlite:///{tmp_path}/data/catalogue.sqlite3", to="0002")
    done = run(tmp_path, "backup", str(tmp_path / "backup"))
    assert "Backed up 0 subjects with 0 runs to" in done.output
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "catalogue.sqlite3")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]


def test_a_backup_is_restored_and_says_what_it_held(tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    assert run(tmp_path, "report", "acme/web", "succeeded").exit_code == 0
    assert "Backed up 1 subject with 1 run to" in run(tmp_path, "backup", backup).output
    assert run(tmp_path, "report", "acme/api", "failed").exit_code == 0
    restored = run(tmp_path, "restore", backup)
    assert restored.exit_code == 0
    assert ": 1 subject with 1 run.\nThe previous catalogue is now" in restored.output
    assert run(tmp_path, "restore", "--new-cache-identity").output.startswith("Cached statuses are no longer used.")


def test_a_new_identity_for_a_newer_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    run(tmp_path, "report", "acme/web", "succeeded")
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "catalogue.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    refused = run(tmp_path, "restore", "--new-cache-identity")
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1), refused.output
    assert "sqlite3 can't be used: it was changed by a newer version of the service" in refused.output


@pytest.mark.parametrize("command", [["report", "acme/web", "succeeded"], ["check-config"], ["key", "list"]])
def test_during_a_restore_other_commands_leave_the_catalogue_alone(tmp_path: Path, command: list[str]) -> None:
    catalogue = tmp_path / "data" / "catalogue.sqlite3"
    catalogue.parent.mkdir()
    with alone(catalogue):
        refused = run(tmp_path, *command)
    assert refused.exit_code == 1
    assert "it is being restored; try again later" in refused.output
    assert not catalogue.exists()


@pytest.mark.parametrize("arguments", [["restore", "{backup}"], ["restore", "--new-cache-identity"]])
def test_a_restore_ends_sessions_because_some_may_have_ended_since(tmp_path: Path, arguments: list[str]) -> None:
    backup = str(tmp_path / "backup")
    run(tmp_path, "login-link")
    run(tmp_path, "backup", backup)
    assert run(tmp_path, *[argument.format(backup=backup) for argument in arguments]).exit_code == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "catalogue.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM logins").fetchone() == (0,)


def test_a_restore_whose_last_step_fails_says_where_the_previous_catalogue_is(tmp_path: Path) -> None:
    backup, catalogue = str(tmp_path / "backup"), tmp_path / "data" / "catalogue.sqlite3"
    run(tmp_path, "report", "acme/web", "succeeded")
    run(tmp_path, "backup", backup)
    catalogue.with_name("catalogue.sqlite3-shm").mkdir()  # can't be deleted as a file can
    failed = run(tmp_path, "restore", backup)
    assert (failed.exit_code, failed.output.count("\n")) == (1, 1), failed.output
    assert "was not restored completely: Is a directory; the previous catalogue may now be at" in failed.output
    assert "Run the restore again before you start the service." in failed.output
    assert "Nothing was changed" not in failed.output
    assert list(catalogue.parent.glob("catalogue.sqlite3.before-restore-*"))
    catalogue.with_name("catalogue.sqlite3-shm").rmdir()
    assert run(tmp_path, "restore", backup).exit_code == 0
