"""Every imported package is a direct requirement, so that a change in another package can't remove it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OURS = {"app", "badge", "wsgi"}
FOR_TYPES_ALONE = {"_typeshed"}
CODE = [*PROJECT.glob("*.py"), *(PROJECT / "badge").rglob("*.py"), *(PROJECT / "config").glob("*.py")]
NEEDS = [PROJECT / f"requirements{kind}.in" for kind in ("", "-postgresql", "-aws", "-notify")]
BUILD = PROJECT / "requirements-build.in"


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def required() -> set[str]:
    return {name_in(line) for file in NEEDS for line in lines_of(file)}


def lines_of(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line[0] not in "#-"]


def name_in(line: str) -> str:
    return re.split(r"[^\w.-]", line)[0].lower()


FOREIGN = {name for file in CODE for name in imported_by(file)} - sys.stdlib_module_names - OURS - FOR_TYPES_ALONE


@pytest.mark.parametrize("module", sorted(FOREIGN))
def test_every_imported_package_is_a_direct_requirement(module: str) -> None:
    packages = {name.lower().replace("_", "-") for name in packages_distributions()[module]}
    assert packages & required()


@pytest.mark.parametrize("file", [*NEEDS, BUILD], ids=lambda file: file.name)
def test_every_direct_requirement_has_a_reason_and_a_pin(file: Path) -> None:
    pins = file.with_suffix(".txt").read_text().lower()
    for line in lines_of(file):
        assert line.partition(" #")[2].strip(), line
        assert re.search(rf"^{re.escape(name_in(line))}==", pins, re.MULTILINE), line


def test_the_pinned_build_backend_is_the_one_that_is_declared() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert declared == [line.partition(" ")[0] for line in lines_of(BUILD)]
