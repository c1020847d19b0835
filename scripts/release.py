"""Cut a release of this checkout, without network access; nothing is pushed or uploaded.

Lists everything that has to be fixed first, and stops if there is anything. Then runs the checks, records the catalogue
of this version in tests/released, moves CHANGELOG.md's unreleased changes to a section for this version, and commits
and tags. Finally builds the files of the release in dist/: wheel, sdist, bills of materials of the wheel and the image,
checksums. If a step fails, the checkout is as before, except for dist/.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scripts import sbom

PROJECT = Path(__file__).parent.parent
DIST = PROJECT / "dist"
CHANGELOG = PROJECT / "CHANGELOG.md"
VERSION_FILE = PROJECT / "badge" / "__init__.py"
CHART = PROJECT / "deploy" / "helm" / "backup-status-badge" / "Chart.yaml"
"""Helm reads the version from this file; a test checks that it is the same as in `VERSION_FILE`."""
RELEASED = PROJECT / "tests" / "released"
UNRELEASED = "## Unreleased\n"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_HEADING = re.compile(r"^## (\d+\.\d+\.\d+) - ", re.MULTILINE)


class Refused(Exception):
    """The release can't be made; the message has a sentence for each reason."""


def git(*arguments: str) -> str:
    """Run git in this checkout; returns its output."""
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()


def numbers_of(version: str) -> tuple[int, ...]:
    """Return a version's numbers, which can be compared."""
    return tuple(int(part) for part in version.split("."))


def current_version() -> str:
    """Return the version of this checkout."""
    found = re.search(r'^__version__ = "(.+)"$', VERSION_FILE.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def unreleased(changelog: str) -> str:
    """Return the unreleased section without its heading and without categories that have no entries."""
    section = changelog.partition(UNRELEASED)[2]
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    categories = re.split(r"^(?=### )", section, flags=re.MULTILINE)
    return "\n\n".join(text.strip() for text in categories if re.search(r"^(?!### )\S", text, re.MULTILINE))


def released(changelog: str, version: str, date: str) -> str:
    """Return the changelog with the unreleased changes moved to a section for this version."""
    before, _, after = changelog.partition(UNRELEASED)
    older = re.search(r"^## .*", after, re.MULTILINE | re.DOTALL)
    parts = [f"{before}{UNRELEASED}", f"## {version} - {date}", unreleased(changelog), older[0] if older else ""]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def reasons_against(version: str) -> Iterator[str]:
    """Yield a sentence for each problem that has to be fixed first."""
    changelog = CHANGELOG.read_text()
    last = max(_HEADING.findall(changelog), key=numbers_of, default="0.0.0")
    if not _VERSION.fullmatch(version):
        yield f"{version} is not a version; use three numbers, such as 1.2.0."
    elif numbers_of(version) <= numbers_of(last):
        yield f"{version} is not newer than {last}, the last version in CHANGELOG.md."
    if git("tag", "--list", f"v{version}"):
        yield f"The tag v{version} exists already."
    if git("status", "--porcelain"):
        yield "There are uncommitted changes; commit or stash them (git status shows them)."
    if not unreleased(changelog):
        yield "CHANGELOG.md has no unreleased changes; describe them first."


def run_checks(command: str) -> None:
    """Run the checks; raises `Refused` if they fail."""
    if subprocess.run(shlex.split(command), cwd=PROJECT, check=False).returncode != 0:
        raise Refused(f"The checks failed: {command}")


def commit(version: str, start: str) -> None:
    """Write everything that belongs to the version, commit it, and tag the commit."""
    subprocess.run([sys.executable, "-m", "tests.releases", version], cwd=PROJECT, check=True)
    (RELEASED / version / "made-from").write_text(f"{start}\n")
    VERSION_FILE.write_text(re.sub(r'(?m)^__version__ = ".+"$', f'__version__ = "{version}"', VERSION_FILE.read_text()))
    CHART.write_text(re.sub(r"(?m)^(version|appVersion): .+$", rf"\1: {version}", CHART.read_text()))
    changelog = CHANGELOG.read_text()
    CHANGELOG.write_text(released(changelog, version, f"{datetime.now(UTC):%Y-%m-%d}"))
    git("add", "--", str(CHANGELOG), str(VERSION_FILE), str(CHART), str(RELEASED / version))
    git("commit", "--quiet", "--message", f"Release {version}")
    # `#` starts a heading here, not a comment.
    message = f"Backup Status Badge {version}\n\n{unreleased(changelog)}"
    git("tag", "--annotate", "--cleanup=whitespace", "--message", message, f"v{version}")


def build(version: str) -> list[Path]:
    """Build everything that users install or read; returns the files."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([PROJECT / "scripts" / "build-dist", DIST], check=True)
    files = sorted([*DIST.glob("*.whl"), *DIST.glob("*.tar.gz"), *sbom.write(DIST, version)])
    sums = DIST / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files))
    return [*files, sums]


def release(version: str, checks: str) -> list[Path]:
    """Cut the release; returns the files in dist/. Raises `Refused`."""
    if reasons := list(reasons_against(version)):
        raise Refused("\n".join(reasons))
    run_checks(checks)
    start = git("rev-parse", "HEAD")
    try:
        commit(version, start)
        return build(version)
    except BaseException:
        git("reset", "--quiet", "--hard", start)
        git("clean", "--quiet", "--force", "-d", "--", str(RELEASED))
        if git("tag", "--list", f"v{version}"):
            git("tag", "--delete", f"v{version}")
        raise


def main() -> int:
    """Return the exit code: 0, 1 if a step failed, or 2 if the release was refused."""
    parser = argparse.ArgumentParser(prog="make release", usage="make release VERSION=1.2.0", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--checks", required=True, help="the command that has to succeed first")
    arguments = parser.parse_args()
    if not arguments.version:
        sys.stderr.write("VERSION is missing. Usage: make release VERSION=1.2.0\n")
        return 2
    return _report(arguments.version, arguments.checks)


def _report(version: str, checks: str) -> int:
    try:
        files = release(version, checks)
    except Refused as refused:
        sys.stderr.write(f"{refused}\nNothing was released.\n")
        return 2
    except (subprocess.CalledProcessError, OSError) as error:
        sys.stderr.write(f"{error}\nNothing was released; the checkout is as before, except for dist/.\n")
        return 1
    print(f"Released {version} as commit {git('rev-parse', '--short', 'HEAD')}, tag v{version}:")
    print("\n".join(f"  {file.relative_to(PROJECT)}" for file in files))
    print("Next: look at it (git show), and push it (git push --follow-tags). On GitHub, a workflow then publishes it;")
    print("elsewhere, attach these files to the release page.")
    print(f"To undo it before you push: git tag -d v{version} && git reset --hard HEAD~1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
