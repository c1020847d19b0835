"""The Dockerfile: what can be tested without building it. `make image-check` builds it."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")


def arguments_of(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE, re.MULTILINE)


def copied() -> set[str]:
    """Return what is copied from the checkout."""
    return {source for line in arguments_of("COPY") if "--from" not in line for source in line.split()[:-1]}


def test_the_base_is_pinned_by_digest() -> None:
    assert re.search(r"^ARG BASE=docker\.io/\S+:\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert {line.split()[0] for line in arguments_of("FROM")} == {"${BASE}", "scratch"}


def test_everything_that_is_copied_is_sent_to_the_engine() -> None:
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() <= sent
    assert [name for name in copied() if not (PROJECT / name).exists()] == []


def test_everything_that_the_wheel_is_built_from_is_copied() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    dynamic = project["tool"]["setuptools"]["dynamic"]
    lists = {dynamic["dependencies"]["file"], *(extra["file"] for extra in dynamic["optional-dependencies"].values())}
    assert lists | {"pyproject.toml", "badge", project["project"]["readme"]} <= copied()


def test_the_health_check_and_the_command_exist() -> None:
    [check] = arguments_of("HEALTHCHECK")
    python, option, module = json.loads(check[check.index("[") :])
    assert (python, option, importlib.util.find_spec(module) is not None) == ("python", "-m", True)
    [command] = arguments_of("CMD")
    assert json.loads(command) == ["badge", "serve"]


def test_nothing_is_written_but_the_data() -> None:
    assert (arguments_of("USER"), arguments_of("VOLUME")) == (["10001"], ["/data"])
