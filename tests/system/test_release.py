"""`make release` in a new repository with this checkout's files; trivial commands stand in for the checks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from scripts.release import released, unreleased
from tests.servers import PROJECT

VERSION = "7.0.0"
CHANGELOG = """# Changelog

## Unreleased

### Added

### Fixed

- A badge.

## 0.1.0 - 2026-11-27

### Added

- Everything.
"""
# As if an earlier version had been released from these files.
PRISTINE = CHANGELOG.replace("0.1.0", "6.0.0")


@dataclass(frozen=True)
class Repository:
    """A repository with the files of this checkout."""

    folder: Path

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def release(self, version: str, checks: str = "true") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scripts.release", version, "--checks", checks]
        if can_unshare():
            command = ["unshare", "--net", *command]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


@cache
def can_unshare() -> bool:
    """Whether a program can be run here without any network access, even to this machine itself."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("repository")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    (folder / "CHANGELOG.md").write_text(PRISTINE)
    made = Repository(folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    (folder / ".git" / "info" / "exclude").write_text("/.venv\n")
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "Begin")
    return made


@pytest.mark.parametrize(
    ("version", "checks", "reason"),
    [
        ("7.0", "true", "7.0 is not a version; use three numbers, such as 1.2.0."),
        ("6.0.0", "true", "6.0.0 is not newer than 6.0.0, the last version in CHANGELOG.md."),
        ("5.99.0", "true", "5.99.0 is not newer than 6.0.0, the last version in CHANGELOG.md."),
        ("9.0.0", "true", "The tag v9.0.0 exists already."),
        (VERSION, "false", "The checks failed: false"),
    ],
)
def test_a_release_is_refused(repository: Repository, version: str, checks: str, reason: str) -> None:
    repository.git("tag", "--force", "v9.0.0")
    done = repository.release(version, checks)
    assert (done.returncode, done.stderr) == (2, f"{reason}\nNothing was released.\n")
    assert repository.git("status", "--porcelain") == ""


def test_uncommitted_changes_and_an_empty_changelog_are_refused_together(repository: Repository) -> None:
    changelog = repository.folder / "CHANGELOG.md"
    changelog.write_text(PRISTINE.replace("- A badge.", ""))
    try:
        done = repository.release(VERSION)
    finally:
        changelog.write_text(PRISTINE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[:2] == [
        "There are uncommitted changes; commit or stash them (git status shows them).",
        "CHANGELOG.md has no unreleased changes; describe them first.",
    ]


def test_the_command_without_a_version_prints_its_usage_in_one_line(repository: Repository) -> None:
    done = repository.release("")
    assert (done.returncode, done.stderr) == (2, "VERSION is missing. Usage: make release VERSION=1.2.0\n")


def test_make_passes_on_the_version_and_the_checks() -> None:
    command = ["make", "--dry-run", "--assume-old=.venv/.ready-dev", "release", "VERSION=1.2.0"]
    printed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert '-m scripts.release "1.2.0" --checks "env CI=true make test"' in printed


def test_the_unreleased_section_becomes_the_version_s_without_empty_categories() -> None:
    assert unreleased(CHANGELOG) == "### Fixed\n\n- A badge."
    after = released(CHANGELOG, "0.2.0", "2026-12-01")
    assert "## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n### Fixed\n\n- A badge.\n\n## 0.1.0 - 2026-11-27\n" in after
    assert unreleased(after) == ""


@pytest.mark.slow
def test_a_step_that_fails_leaves_everything_as_it_was(repository: Repository) -> None:
    program = repository.folder / "scripts" / "build-dist"
    before = repository.git("rev-parse", "HEAD")
    program.write_text("#!/bin/sh\nexit 1\n")
    repository.git("commit", "--quiet", "--all", "--message", "Break the build")
    broken = repository.git("rev-parse", "HEAD")
    try:
        done = repository.release(VERSION)
        assert done.returncode == 1
        assert done.stderr.endswith("Nothing was released; the checkout is as before, except for dist/.\n")
        assert repository.git("rev-parse", "HEAD") == broken
        assert repository.git("tag", "--list", f"v{VERSION}") == repository.git("status", "--porcelain") == ""
    finally:
        repository.git("reset", "--quiet", "--hard", before)


@pytest.mark.slow
def test_a_release_is_committed_tagged_and_built(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    done = repository.release(VERSION)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Next: look at it (git show), and push it (git push --follow-tags)" in done.stdout

    assert repository.git("log", "-1", "--format=%s %P") == f"Release {VERSION} {before}"
    assert repository.git("cat-file", "-t", f"v{VERSION}") == "tag"
    assert "### Fixed\n\n- A badge." in repository.git("tag", "--list", "--format=%(contents)", f"v{VERSION}")
    assert repository.git("status", "--porcelain") == ""
    files = {"CHANGELOG.md", "badge/__init__.py", "deploy/helm/backup-status-badge/Chart.yaml"}
    files |= {
        f"tests/released/{VERSION}/{name}"
        for name in ("made-from", "postgresql.json", "postgresql.sql", "sqlite.json", "sqlite.sql")
    }
    assert set(repository.git("diff", "--name-only", "HEAD~1").splitlines()) == files
    assert (repository.folder / f"tests/released/{VERSION}/made-from").read_text().strip() == before

    dist = repository.folder / "dist"
    sums = dict(line.split()[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert sums == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir() if file.name != "SHA256SUMS"
    }
    stem = f"backup-status-badge-{VERSION}"
    wheel = f"backup_status_badge-{VERSION}-py3-none-any.whl"
    assert set(sums) == {
        wheel,
        f"backup_status_badge-{VERSION}.tar.gz",
        f"{stem}-wheel.cdx.json",
        f"{stem}-image.cdx.json",
    }
    code = zipfile.ZipFile(dist / wheel).read("badge/__init__.py").decode()
    assert re.search(rf'^__version__ = "{VERSION}"$', code, re.MULTILINE)
    bill = json.loads((dist / f"{stem}-wheel.cdx.json").read_text())
    assert bill["metadata"]["component"]["version"] == VERSION
    # Built again from the tag, the files are the same.
    again = repository.folder / "build" / "again"
    subprocess.run([repository.folder / "scripts" / "build-dist", again], check=True)
    assert (again / wheel).read_bytes() == (dist / wheel).read_bytes()
