"""The software bills of materials list exactly what is pinned and installed, in valid CycloneDX."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.sbom import bill

PROJECT = Path(__file__).parents[2]
MADE_AT = datetime(2026, 11, 27, tzinfo=UTC)
# Pinned for Windows.
NOT_IN_THE_IMAGE = {"tzdata"}


def pinned(kind: str = "") -> dict[str, str]:
    text = (PROJECT / f"requirements{kind}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE))


def components(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bill(kind, "1.2.3", MADE_AT))["components"]
    return found


def packages(kind: str, system: str = "pypi") -> dict[str, str]:
    listed = [one for one in components(kind) if one.get("purl", "").startswith(f"pkg:{system}/")]
    return {one["name"]: one.get("version", "") for one in listed}


@pytest.mark.parametrize("kind", ["wheel", "image"])
def test_a_bill_is_valid_and_always_the_same(kind: str) -> None:
    text = bill(kind, "1.2.3", MADE_AT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert bill(kind, "1.2.3", MADE_AT) == text
    assert json.loads(text)["metadata"]["timestamp"] == "2026-11-27T00:00:00+00:00"
    refs = [one["bom-ref"] for one in json.loads(text)["components"]]
    assert len(refs) == len(set(refs))
    assert json.loads(text)["serialNumber"] != json.loads(bill(kind, "1.2.4", MADE_AT))["serialNumber"]


def test_the_wheel_s_bill_lists_the_pins_of_all_extras() -> None:
    files = {path.stem for path in PROJECT.glob("requirements*.in")} - {"requirements-build", "requirements-dev"}
    assert {"requirements", "requirements-aws"} < files
    every = [pinned(name.removeprefix("requirements")) for name in files]
    assert packages("wheel") == {name: version for pins in every for name, version in pins.items()}


def test_packages_of_extras_are_optional() -> None:
    scopes = {one["name"]: one.get("scope") for one in components("wheel")}
    assert (scopes["flask"], scopes["psycopg"], scopes["botocore"]) == ("required", "optional", "optional")


def test_the_image_s_bill_lists_what_the_dockerfile_installs() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    files = set(re.findall(r"/requirements([\w-]*)\.txt", dockerfile)) - {"-build"}
    assert {"", "-postgresql"} <= files
    wanted = {name: version for kind in files for name, version in pinned(kind).items()}
    assert packages("image") == {name: version for name, version in wanted.items() if name not in NOT_IN_THE_IMAGE}
    assert f'ARG PACKAGES="{" ".join(packages("image", "deb"))}"\n' in dockerfile
    assert {"libcairo2", "python3"} <= set(packages("image", "deb"))
    [base] = [one for one in components("image") if one["bom-ref"] == "base-image"]
    assert dockerfile.partition("ARG BASE=")[2].startswith(f"{base['name']}:{base['version']}")


def test_components_have_the_hashes_of_the_lock_files_and_the_licences_of_notice() -> None:
    notice = (PROJECT / "NOTICE").read_text()
    locks = [path.read_text() for path in PROJECT.glob("requirements*.txt")]
    locked = {digest for lock in locks for digest in re.findall(r"sha256:(\w{64})", lock)}
    for one in components("image"):
        if one["bom-ref"] != "base-image":
            [licence] = one["licenses"]
            named = licence.get("expression") or licence["license"]["name"]
            assert named in notice
        if one["bom-ref"].startswith("pypi:"):
            assert one["hashes"]
            assert {value["content"] for value in one["hashes"]} <= locked
