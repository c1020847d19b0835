"""Data and settings are in the checkout's folder or, if installed from a wheel, where Linux programs keep theirs."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path

from badge.installation import (
    CHECKOUT,
    checkout_around,
    data_folder,
    from_systemd,
    home_folder,
    install_command,
    settings_places,
)
from badge.settings import load, load_from
from badge.settings_file import find_file
from badge.web.terminal import Terminal

PROJECT = Path(__file__).parents[2]
HOME = Path("/home/ada")
INSTALLED = None


def test_the_tests_run_in_a_checkout() -> None:
    assert CHECKOUT == checkout_around(PROJECT / "badge") == PROJECT


def test_a_folder_of_packages_is_not_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()  # of a project that installs packages into its own folder
    assert checkout_around(tmp_path / "badge") is None


def test_data_and_settings_are_in_the_checkout_or_in_the_user_s_home() -> None:
    assert data_folder(PROJECT, HOME) == PROJECT / "var"
    assert data_folder(INSTALLED, HOME) == HOME / ".local/state/backup-status-badge"
    assert settings_places(PROJECT, HOME)[0] == PROJECT / "badge.env"
    assert settings_places(INSTALLED, HOME)[0] == HOME / ".config/backup-status-badge/badge.env"


def test_systemd_s_state_directory_is_the_default_data_folder_outside_of_a_checkout(tmp_path: Path) -> None:
    unit = {"STATE_DIRECTORY": "/var/lib/backup-status-badge:/var/lib/other"}
    assert from_systemd({}, INSTALLED) == from_systemd({"STATE_DIRECTORY": ""}, INSTALLED) == {}
    assert load_from(unit, None, PROJECT).data_dir == load({}).data_dir
    assert load_from(unit, None, INSTALLED).data_dir == Path("/var/lib/backup-status-badge")
    file = tmp_path / "badge.env"
    file.write_text(f"BADGE_DATA_DIR={tmp_path}\n")
    assert load_from(unit, find_file({}, [file]), INSTALLED).data_dir == tmp_path


def test_commands_for_other_terminals_name_the_state_directory() -> None:
    terminal = Terminal.of(load_from({"STATE_DIRECTORY": "/var/lib/badge"}, None, INSTALLED))
    assert terminal.command("login-link").startswith("BADGE_DATA_DIR=/var/lib/badge ")


def test_optional_packages_are_installed_into_the_service_s_own_environment() -> None:
    words = shlex.split(install_command("aws", INSTALLED, has_pip=True))
    assert words == [sys.executable, "-m", "pip", "install", "backup-status-badge[aws]"]
    words = shlex.split(install_command("aws", INSTALLED, has_pip=False))
    assert words == ["pip", "--python", sys.executable, "install", "backup-status-badge[aws]"]
    assert install_command("aws", PROJECT).endswith(" -r requirements-aws.txt")
    assert (PROJECT / "requirements-aws.txt").exists()


def test_the_home_of_another_user_is_not_used(tmp_path: Path) -> None:
    own = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    assert home_folder(lambda: tmp_path) == tmp_path
    others = Path("/etc") if os.geteuid() else tmp_path / "others"
    if os.geteuid() == 0:  # /etc is root's own
        others.mkdir()
        os.chown(others, 12345, 12345)
    assert home_folder(lambda: others) == own
    assert home_folder(lambda: tmp_path / "missing") == own
