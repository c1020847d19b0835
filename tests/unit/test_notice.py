"""NOTICE lists the installed packages with the licences that they declare."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PINS = [f"requirements{kind}.txt" for kind in ("", "-postgresql", "-aws", "-notify", "-build")]
DEBIAN = "Dockerfile"


def listed_under(file: str) -> dict[str, str]:
    """Return the packages that NOTICE lists for a file, each with its licence, without remarks in parentheses."""
    section = (PROJECT / "NOTICE").read_text().partition(f"({file})\n\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^  (\S+) +(.+?)(?: \(.+)?$", section, re.MULTILINE))


def pinned_in(file: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)(?:\[\w+\])?==", (PROJECT / file).read_text(), re.MULTILINE))


def declared_licence(package: str) -> str | None:
    try:
        declared = metadata(package).json.get("license_expression")
    except PackageNotFoundError:  # pinned for another platform
        return None
    return str(declared) if declared else None


@pytest.mark.parametrize("file", PINS)
def test_notice_lists_every_pinned_package(file: str) -> None:
    shared = pinned_in(PINS[0]) if file != PINS[0] else set()
    assert set(listed_under(file)) == pinned_in(file) - shared


def test_notice_lists_every_debian_package_of_the_image() -> None:
    installed = re.search(r'^ARG PACKAGES="(.+)"$', (PROJECT / DEBIAN).read_text(), re.MULTILINE)
    assert installed is not None
    assert set(listed_under(DEBIAN)) == set(installed[1].split())


@pytest.mark.parametrize("file", PINS)
def test_notice_gives_the_licences_that_packages_declare(file: str) -> None:
    listed = listed_under(file)
    declared = {package: licence for package in listed if (licence := declared_licence(package))}
    assert declared.items() <= listed.items()
