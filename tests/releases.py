"""The released versions, in tests/released, and their code, from the repository's history."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers import PROJECT, clean_environment

RELEASED = Path(__file__).parent / "released"


@dataclass(frozen=True)
class Release:
    """A released version."""

    version: str

    @property
    def folder(self) -> Path:
        return RELEASED / self.version

    def commit(self) -> str | None:
        """Return the tag's commit or, in a clone without tags, the one from which it was made; None without either."""
        recorded = (self.folder / "made-from").read_text().strip()
        for name in (f"v{self.version}", recorded):
            found = subprocess.run(
                ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                check=False,
            )
            if found.returncode == 0:
                return found.stdout.strip()
        return None


def releases() -> list[Release]:
    """Return all releases, oldest first."""
    names = [folder.name for folder in RELEASED.glob("*") if folder.is_dir()]
    return [Release(name) for name in sorted(names, key=lambda name: [int(part) for part in name.split(".")])]


def built_wheel(commit: str, folder: Path) -> Path:
    """Build the wheel of a commit, with the build tools of this checkout."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", str(PROJECT), str(clone)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=clone, check=True)
    (clone / ".venv").symlink_to(PROJECT / ".venv")
    return wheel_of(clone, folder / "dist")


def wheel_of(checkout: Path, folder: Path) -> Path:
    """Build the wheel of a checkout."""
    subprocess.run([str(checkout / "scripts" / "build-dist"), str(folder)], env=clean_environment(), check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path) -> Path:
    """Install a wheel without its dependencies into a folder of packages; returns the folder."""
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], env=clean_environment(), check=True)
    return folder
