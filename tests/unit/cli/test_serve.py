"""`badge serve --create-token`: where the token is stored, and that it is printed once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from badge.cli.serve import new_token_in, token_file
from badge.settings_file import find_file
from tests.command_line import run_badge
from tests.servers import clean_environment


def test_a_token_is_created_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert new_token_in(file, lambda: "first") == "first"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("first\n", 0o600)


def test_an_existing_token_is_kept_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    assert new_token_in(file, lambda: "second") == ""
    assert file.read_text() == "first\n"


def test_an_empty_file_left_by_a_crash_gets_a_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch()
    assert new_token_in(file, lambda: "first") == "first"


@pytest.mark.parametrize(
    ("environment", "line", "found"),
    [
        ({"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN_FILE": "/data/token"}, "", "/data/token"),
        ({}, "BADGE_DASHBOARD=token\nBADGE_DASHBOARD_TOKEN_FILE=token", "FOLDER/token"),
        ({"BADGE_DASHBOARD": "token"}, "BADGE_DASHBOARD_TOKEN_FILE=token", "FOLDER/token"),
        ({"BADGE_DASHBOARD": "token"}, "", None),
        ({"BADGE_DASHBOARD_TOKEN_FILE": "/data/token"}, "", None),
        ({"BADGE_DASHBOARD": "link"}, "BADGE_DASHBOARD=token\nBADGE_DASHBOARD_TOKEN_FILE=token", None),
    ],
)
def test_the_token_is_stored_where_the_settings_say(
    tmp_path: Path, environment: dict[str, str], line: str, found: str | None
) -> None:
    file = tmp_path / "badge.env"
    file.write_text(line)
    expected = None if found is None else Path(found.replace("FOLDER", str(tmp_path)))
    assert token_file(environment, find_file({"BADGE_SETTINGS_FILE": str(file)})) == expected


def test_a_token_that_can_t_be_stored_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "token"
    result = run_badge("serve", "--create-token", BADGE_DASHBOARD="token", BADGE_DASHBOARD_TOKEN_FILE=str(file))
    message = f"Error: BADGE_DASHBOARD_TOKEN_FILE: {file} can't be created: No such file or directory.\n"
    assert (result.exit_code, result.stderr) == (2, message)


def test_only_the_first_start_prints_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN_FILE": str(file), "BADGE_SETTINGS_FILE": os.devnull}
    # The fault ends each start right after the token has been read.
    environment = {**clean_environment(), **settings, "BADGE_WORKERS": "none"}
    command = [sys.executable, "-m", "badge", "serve", "--create-token"]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stderr
        for _ in range(2)
    )
    token = file.read_text().strip()
    assert len(token) == 32
    assert first.count(token) == 1
    assert second == first.partition(f"{token}\n\n")[2]
    assert second.startswith("BADGE_WORKERS: ")
