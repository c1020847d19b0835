"""borgmatic's Healthchecks hook with our ping URLs: a backup starts, succeeds and fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import Service, clean_environment, eventually, needs, running_service

# As in docs/how-to/pings.md: borgmatic up to 1.7 has its hooks below `hooks`. The command before_backup saves what the
# badge shows between the first ping and the backup.
CONFIGURATION = """
location:
    source_directories: [{folder}/source]
    repositories: [{folder}/repository]
storage:
    unknown_unencrypted_repo_access_is_ok: true
hooks:
    before_backup:
        - {save_badge}
    healthchecks:
        ping_url: {ping_url}
"""


@dataclass
class Borgmatic:
    """borgmatic with its own repository and check."""

    service: Service
    folder: Path

    def __post_init__(self) -> None:
        made = self.service.flask_badge("check", "create", "acme/web", "--every", "24h").splitlines()[0]
        self.ping_url = self.service.url + made[made.index("/ping/") :]
        (self.folder / "source").mkdir()
        (self.folder / "source" / "note").write_text("worth keeping")
        save_badge = f"curl -fsS -o {self.folder}/seen {self.service.url}/badge/acme/web.txt"
        text = CONFIGURATION.format(folder=self.folder, save_badge=save_badge, ping_url=self.ping_url)
        (self.folder / "borgmatic.yaml").write_text(text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(command),
            env={**clean_environment(), "HOME": str(self.folder), "PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def backup(self) -> subprocess.CompletedProcess[str]:
        return self.run("borgmatic", "--config", f"{self.folder}/borgmatic.yaml", "create", "--verbosity", "1")

    def shows(self, status: str) -> bool:
        """Whether the badge shows this status within a second."""
        return eventually(lambda: self.service.get("/badge/acme/web.txt").text == f"{status}\n", 1.0)


@pytest.fixture
def borgmatic(tmp_path: Path) -> Iterator[Borgmatic]:
    for program in ("borgmatic", "borg", "curl"):
        needs(program, is_there=shutil.which(program, path=os.defpath) is not None)
    (tmp_path / "borg").mkdir()
    with running_service(tmp_path / "service") as service:
        yield Borgmatic(service, tmp_path / "borg")


def test_the_badge_follows_borgmatic_from_start_to_end(borgmatic: Borgmatic) -> None:
    assert borgmatic.shows("scheduled")
    made = borgmatic.run("borg", "init", "--encryption=none", f"{borgmatic.folder}/repository")
    assert made.returncode == 0, made.stderr

    done = borgmatic.backup()
    assert done.returncode == 0, done.stderr
    assert (borgmatic.folder / "seen").read_text() == "inProgress\n"
    assert borgmatic.shows("succeeded")
    assert "worth keeping" not in done.stdout + borgmatic.service.log.read_text()

    shutil.rmtree(borgmatic.folder / "repository")
    assert borgmatic.backup().returncode != 0
    assert borgmatic.shows("failed")

    log = borgmatic.service.log.read_text()
    assert re.findall(r'"ping answered", "signal": "(\w+)", "http_status": 200', log) == [
        "start",
        "success",
        "start",
        "fail",
    ]
    assert borgmatic.ping_url.rpartition("/")[2] not in log
