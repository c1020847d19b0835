"""The systemd unit: valid, hardened, and installed as its page says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from badge.serving.worker import SPARE_DESCRIPTORS
from badge.settings import load
from tests.servers import PROJECT, needs

FOLDER = PROJECT / "config" / "systemd"
UNIT = FOLDER / "backup-status-badge.service"
HIGHEST_EXPOSURE = 25
"""2.5 in the output of `systemd-analyze security`."""


@pytest.fixture(autouse=True)
def _analyzer() -> None:
    needs("systemd-analyze", is_there=shutil.which("systemd-analyze") is not None)


def lines_of(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def option(name: str) -> str:
    return next(line.partition("=")[2] for line in lines_of(UNIT) if line.startswith(f"{name}="))


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(option("ExecStart"), "/bin/true"))  # it is not installed here
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_hardened() -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_the_unit_s_user_is_created_by_the_file_beside_it() -> None:
    command = [
        "systemd-sysusers",
        "--dry-run",
        f"--root={PROJECT / 'tests'}",
        "--inline",
        *lines_of(FOLDER / "sysusers.conf"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, f"Creating user '{option('User')}'" in done.stderr) == (0, True)


def test_the_page_puts_program_and_data_where_the_unit_expects_them() -> None:
    page = (PROJECT / "docs" / "how-to" / "systemd.md").read_text()
    environment, _, program = option("ExecStart").partition("/bin/")
    assert f"python3 -m venv {environment}\n" in page
    assert program == "badge serve"
    assert f"BADGE_DATA_DIR=/var/lib/{option('StateDirectory')} " in page
    assert page.count(f"runuser -u {option('User')} -- badge ") >= 3


def test_the_unit_allows_enough_open_files_for_every_connection() -> None:
    assert int(option("LimitNOFILE")) > load({}).connections + SPARE_DESCRIPTORS
