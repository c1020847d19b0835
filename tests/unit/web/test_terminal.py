"""Displayed commands act on this service's data when they are run in a new terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from badge.serving.greeting import first_words
from badge.settings import load, load_from
from badge.settings_file import find_file
from badge.web.terminal import Terminal, program


def test_a_command_omits_the_default_data_folder() -> None:
    terminal = Terminal.of(load({}))
    assert terminal.command("demo") == shlex.join([*program(Path(sys.executable)), "demo"])
    assert "BADGE" not in terminal.command("demo")
    assert terminal.note == ""


@pytest.mark.parametrize("name", ["data", "it's mine; $(reboot)"])
def test_a_shell_accepts_the_folder_as_a_setting_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    command = Terminal.of(load({"BADGE_DATA_DIR": str(folder)})).command("settings")
    environment = {"BADGE_SETTINGS_FILE": os.devnull}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert f"* BADGE_DATA_DIR={folder}  (environment)" in done.stdout.splitlines()


def test_a_command_reads_the_same_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "badge.env"
    file.write_text("BADGE_DATA_DIR=data\nBADGE_REDIS_URL=redis://cache\n")
    found = Terminal.of(load_from({}, find_file({}, [file])))
    assert (found.data_dir, found.settings_file, found.note) == (None, None, "")
    named = Terminal.of(load_from({}, find_file({"BADGE_SETTINGS_FILE": str(file)})))
    assert named.command("demo").startswith(f"BADGE_SETTINGS_FILE={file} /")


def test_a_relative_folder_is_shown_as_an_absolute_path() -> None:
    command = Terminal.of(load({"BADGE_DATA_DIR": "here"})).command("demo")
    assert command.startswith(f"BADGE_DATA_DIR={Path.cwd() / 'here'} ")


def test_the_start_message_agrees_with_the_pages(tmp_path: Path) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_REDIS_URL": "redis://:secret@cache"})
    words, terminal = first_words(settings), Terminal.of(settings)
    assert terminal.command("report", "GitHub/acme/Repository/web", "succeeded") in words
    assert "First set BADGE_REDIS_URL in the terminal" in words
    assert "secret" not in words


def test_a_command_is_run_by_the_script_of_its_own_installation(tmp_path: Path) -> None:
    python = tmp_path / "python"
    assert program(python) == [str(python), "-m", "badge"]
    (tmp_path / "badge").touch()
    assert program(python) == [str(tmp_path / "badge")]
