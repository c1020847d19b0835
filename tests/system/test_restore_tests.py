"""Restore tests of real repositories, with the scripts and crontab lines of the documentation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import PROJECT, Service, eventually, needs, running_service

PAGE = (PROJECT / "docs" / "how-to" / "prove-that-restores-work.md").read_text()
NAMES = ["plain", "with space", "-dash", "[a]*?", "quote'\"", "ünï"]


@dataclass(frozen=True)
class Repository:
    """A repository of restic or borg, and how to damage it."""

    program: str
    folder: Path
    environment: Mapping[str, str]
    packs: str
    """Pattern of the files with its data."""

    def run(self, *command: str) -> int:
        together = {**os.environ, **self.environment}
        done = subprocess.run(command, env=together, cwd=self.folder, check=False, capture_output=True, timeout=120)
        return done.returncode

    def back_up(self) -> None:
        source = self.folder / "source"
        source.mkdir()
        for name in NAMES:
            (source / name).write_bytes(os.urandom(2_000))
        (source / "empty").touch()
        init = ["init", "--encryption", "repokey"] if self.program == "borg" else ["init"]
        assert self.run(self.program, *init) == 0
        create = ["create", "::one", "source"] if self.program == "borg" else ["backup", "source"]
        assert self.run(self.program, *create) == 0

    def damage(self) -> None:
        """Overwrite the middle of each file with data."""
        for pack in self.folder.glob(self.packs):
            pack.chmod(0o600)
            size = pack.stat().st_size
            if size > 5_000:
                with pack.open("r+b") as file:
                    file.seek(200)
                    file.write(b"\0" * (size - 2_000))


@pytest.fixture(params=["restic", "borg"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    program: str = request.param
    for needed in (program, "jq", "curl"):
        needs(needed, is_there=shutil.which(needed) is not None)
    environment = {
        "restic": {"RESTIC_REPOSITORY": "repository", "RESTIC_PASSWORD": "x", "RESTIC_CACHE_DIR": "cache"},
        "borg": {"BORG_REPO": str(tmp_path / "repository"), "BORG_PASSPHRASE": "x", "BORG_BASE_DIR": "base"},
    }
    packs = {"restic": "repository/data/*/*", "borg": "repository/data/0/*"}
    return Repository(program, tmp_path, environment[program], packs[program])


def script_for(program: str, folder: Path) -> Path:
    section = PAGE.partition(f"## Restore a random file with {program}")[2]
    lines = re.findall(r"(?:^    .*\n|^\n)+", section[section.index("    #!/bin/sh") :], re.MULTILINE)[0]
    script = folder / "restore-test"
    script.write_text(re.sub(r"^    ", "", lines, flags=re.MULTILINE))
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), BADGE_WORKERS="1") as service:
        yield service


def cron_line(service: Service, words: str, script: Path) -> str:
    """Return the page's crontab line that has these words, without its schedule, for this service."""
    line = next(line for line in PAGE.splitlines() if words in line and "* * " in line).split(maxsplit=5)[5]
    uuid = service.flask_badge("check", "create", f"acme/{script.parent.name}", "--every", "24h").split("/ping/")[1]
    replaced = {"/usr/local/bin/restore-test": str(script), "https://badges.example.org": service.url}
    for example, real in {**replaced, "UUID": uuid.split()[0]}.items():
        line = line.replace(example, real)
    return line


def shows(service: Service, script: Path, *wanted: str) -> bool:
    """Whether the badge shows this verification; for up to half a second, the edge serves the previous answer."""

    def found() -> bool:
        shown = service.get(f"/badge/acme/{script.parent.name}.json?show=verified").json()
        return (shown["verification"], shown["verifiedHow"]) == wanted

    return eventually(found)


def test_a_restore_test_passes_until_the_repository_is_damaged(repository: Repository, service: Service) -> None:
    script = script_for(repository.program, repository.folder)
    line = cron_line(service, "restore-test; curl", script)
    assert repository.run("sh", "-c", line) == 0  # reports a failure, because there is no repository yet
    assert shows(service, script, "failed", "restored")

    repository.back_up()
    assert repository.run("sh", "-c", line) == 0
    assert shows(service, script, "passed", "restored")

    repository.damage()
    assert repository.run("sh", "-c", line) == 0
    assert shows(service, script, "failed", "restored")


@pytest.mark.slow
def test_every_file_of_a_backup_can_be_chosen(repository: Repository) -> None:
    script = script_for(repository.program, repository.folder)
    repository.back_up()
    shuffled = repository.folder / "bin" / "shuf"
    shuffled.parent.mkdir()
    for number in range(1, len(NAMES) + 1):
        shuffled.write_text(f"#!/bin/sh\nsed -n {number}p\n")
        shuffled.chmod(0o755)
        assert repository.run("env", f"PATH={shuffled.parent}:{os.environ['PATH']}", str(script)) == 0
    shuffled.write_text("#!/bin/sh\n")  # chooses no file, as if there were nothing to restore
    assert repository.run("env", f"PATH={shuffled.parent}:{os.environ['PATH']}", str(script)) != 0


@pytest.mark.slow
def test_a_check_passes_until_the_repository_is_damaged(repository: Repository, service: Service) -> None:
    script = repository.folder / "check"
    line = cron_line(service, f"{repository.program} check", script).replace("=10\\%", "=100%")
    repository.back_up()
    repository.run("sh", "-c", line)
    assert shows(service, script, "passed", "checked")
    repository.damage()
    repository.run("sh", "-c", line)
    assert shows(service, script, "failed", "checked")
