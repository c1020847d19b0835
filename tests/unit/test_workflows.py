"""The workflow files for GitHub and GitLab are valid, call targets of the Makefile, and have minimal permissions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
GITHUB = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
GITLAB = PROJECT / ".gitlab-ci.yml"


def jobs_of(file: Path) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(file.read_text())
    jobs: dict[str, dict[str, Any]] = content["jobs"] if file in GITHUB else content
    return jobs


@pytest.mark.parametrize(("schema", "files"), [("github-workflows", GITHUB), ("gitlab-ci", [GITLAB])])
def test_a_workflow_file_matches_its_schema(schema: str, files: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert files
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", [*GITHUB, GITLAB], ids=lambda file: file.name)
def test_make_has_every_target_that_a_workflow_runs(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    used = re.findall(r"(?:run|script): make (\S+)", file.read_text())
    assert used
    assert set(used) <= targets


@pytest.mark.parametrize("file", GITHUB, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit_and_only_publishing_may_write(file: Path) -> None:
    text = file.read_text()
    foreign = [line for line in re.findall(r"uses: (.+)", text) if not line.startswith("./")]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in foreign)
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    allowed = {name: job.get("permissions") for name, job in jobs_of(file).items() if "permissions" in job}
    assert allowed in ({}, {"publish": {"contents": "write"}})
    # The job that may write runs nothing from the repository.
    assert all("make" not in str(jobs_of(file)[name]["steps"]) for name in allowed)
