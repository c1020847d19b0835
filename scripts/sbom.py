"""Software bills of materials (CycloneDX) of the wheel and of the container image.

They list what the lock files pin and what the Dockerfile installs, with the licences from NOTICE. The same commit
always gives the same files.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression
from packageurl import PackageURL
from packaging.markers import Marker

PROJECT = Path(__file__).parent.parent
NAME = "backup-status-badge"
NAMESPACE = uuid.UUID("4f0c7f52-6b0f-4e6e-9a5c-2d1f5a0f6d3b")
"""For the serial numbers."""

ALWAYS = "requirements.txt"
BUILD = "requirements-build.txt"
DOCKERFILE = "Dockerfile"
PYTHON_OF_DEBIAN = {"bookworm": "3.11.2"}
"""The Python that each Debian release contains."""

# Not installed: only its numbers were copied. NOTICE has their licence.
FONT_METRICS = Component(
    name="anafanafo",
    version="2",
    type=ComponentType.DATA,
    description="Text widths in badge/artwork/font_metrics.json.",
    licenses=[LicenseExpression("MIT")],
    bom_ref="font-metrics",
)


@dataclass(frozen=True)
class Licence:
    """What NOTICE says about a component."""

    text: str
    remark: str


@dataclass(frozen=True)
class Pin:
    """A pinned package."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


@cache
def licences() -> dict[str, Licence]:
    """Return each component that NOTICE lists."""
    lines = re.findall(r"^  (\S+) +(.+?)(?: \((.+)\))?$", (PROJECT / "NOTICE").read_text(), re.MULTILINE)
    return {name: Licence(text, remark) for name, text, remark in lines}


def pins(file: str) -> Iterator[Pin]:
    """Yield the packages that a lock file pins."""
    text = (PROJECT / file).read_text().replace("\\\n", " ")
    for name, version, rest in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)(.*)$", text, re.MULTILINE):
        marker = rest.partition("--hash")[0].strip().removeprefix(";").strip()
        yield Pin(name, version, marker, tuple(re.findall(r"--hash=sha256:(\w+)", rest)))


def extras() -> dict[str, str]:
    """Return the lock file of each extra."""
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    files = declared["optional-dependencies"]
    return {extra: files[extra]["file"].replace(".in", ".txt") for extra in files}


def component_of(pin: Pin, scope: ComponentScope, properties: Mapping[str, str]) -> Component:
    """Return the component that a pin stands for."""
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        scope=scope,
        purl=PackageURL("pypi", None, pin.name, pin.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.hashes],
        properties=[Property(name=f"{NAME}:{name}", value=value) for name, value in properties.items() if value],
        bom_ref=f"pypi:{pin.name}",
        **licence_of(pin.name),  # type: ignore[arg-type] # licences and description
    )


def licence_of(name: str) -> dict[str, object]:
    """Return the fields for a component's licence; raises `KeyError` if NOTICE doesn't list it."""
    found = licences()[name]
    is_spdx = is_expression(found.text)
    licence = LicenseExpression(found.text) if is_spdx else DisjunctiveLicense(name=found.text)
    return {"licenses": [licence], "description": found.remark or None}


def in_wheel() -> Iterator[Component]:
    """Yield what an installation of the wheel consists of; packages of extras and other platforms are optional."""
    yield FONT_METRICS
    always = {pin.name: pin for pin in pins(ALWAYS)}
    for pin in always.values():
        scope = ComponentScope.OPTIONAL if pin.marker else ComponentScope.REQUIRED
        yield component_of(pin, scope, {"marker": pin.marker})
    locks = {extra: {pin.name: pin for pin in pins(file)} for extra, file in extras().items()}
    for name, pin in {name: pin for lock in locks.values() for name, pin in lock.items()}.items():
        if name not in always:
            wanted_by = " ".join(extra for extra, lock in locks.items() if name in lock)
            yield component_of(pin, ComponentScope.OPTIONAL, {"extra": wanted_by, "marker": pin.marker})


def in_image() -> Iterator[Component]:
    """Yield what the Dockerfile installs, and the image that the other Debian packages are from."""
    yield FONT_METRICS
    dockerfile = (PROJECT / DOCKERFILE).read_text()
    base = re.search(r"^ARG BASE=(\S+?):((\w+)\S*)$", dockerfile, re.MULTILINE)
    installed = re.search(r'^ARG PACKAGES="(.+)"$', dockerfile, re.MULTILINE)
    assert base is not None
    assert installed is not None
    yield Component(name=base[1], version=base[2], type=ComponentType.CONTAINER, bom_ref="base-image")
    python = PYTHON_OF_DEBIAN[base[3]]
    environment = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    environment |= {"python_version": python.rpartition(".")[0], "python_full_version": python}
    files = set(re.findall(r"/(requirements[\w-]*\.txt)", dockerfile)) - {BUILD}
    found = {pin.name: pin for file in sorted(files) for pin in pins(file)}
    for pin in found.values():
        if not pin.marker or Marker(pin.marker).evaluate(environment):
            yield component_of(pin, ComponentScope.REQUIRED, {})
    for name in installed[1].split():
        yield Component(
            name=name,
            type=ComponentType.LIBRARY,
            scope=ComponentScope.REQUIRED,
            purl=PackageURL("deb", "debian", name),
            bom_ref=f"deb:{name}",
            **licence_of(name),  # type: ignore[arg-type] # as above
        )


def bill(kind: str, version: str, made_at: datetime) -> str:
    """Return the bill of materials of the wheel or the image, as JSON."""
    is_image = kind == "image"
    product = Component(
        name=NAME,
        version=version,
        type=ComponentType.CONTAINER if is_image else ComponentType.APPLICATION,
        licenses=[LicenseExpression("MIT")],
        purl=PackageURL("oci" if is_image else "pypi", None, NAME, version),
        bom_ref=NAME,
    )
    components = list(in_image() if is_image else in_wheel())
    return JsonV1Dot6(
        Bom(
            serial_number=uuid.uuid5(NAMESPACE, f"{kind} {version} {made_at.isoformat()}"),
            metadata=BomMetaData(timestamp=made_at, component=product),
            components=components,
            dependencies=[Dependency(product.bom_ref, [Dependency(one.bom_ref) for one in components])],
        )
    ).output_as_string(indent=2)


def commit_time() -> datetime:
    """Return the time of the build: `SOURCE_DATE_EPOCH`, or the last commit's."""
    git = ["git", "log", "-1", "--format=%ct"]
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or subprocess.check_output(git, cwd=PROJECT, text=True)
    return datetime.fromtimestamp(int(seconds), UTC)


def write(folder: Path, version: str) -> list[Path]:
    """Write both bills; returns the files."""
    files, made_at = [], commit_time()
    for kind in ("wheel", "image"):
        file = folder / f"{NAME}-{version}-{kind}.cdx.json"
        file.write_text(bill(kind, version, made_at) + "\n")
        files.append(file)
    return files
