"""The released versions: their catalogues, in tests/released, and their code, from the repository's history.

`python -m tests.releases VERSION` records the catalogue of a version that is about to be released, as `make release`
does: filled with sample data, as SQL for each database, with what the catalogue says about that data.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from badge.catalogue.events import ReportedVerification
from badge.catalogue.in_use import database_file
from badge.catalogue.keys import Scope
from badge.catalogue.migration import migrate
from badge.contract import status_document
from badge.listing import ListingFilter
from badge.model import BackupStatus, Reason, Subject, VerificationMethod, VerificationOutcome, Visibility
from badge.subject_pattern import PathPattern, Selection
from tests.postgres import programs, running_postgres
from tests.servers import PROJECT, clean_environment
from tests.store import WEB, Store

RELEASED = Path(__file__).parent / "released"
SUBJECTS = [
    WEB,
    Subject("GitLab", "group/sub", "Repository", "Ünïcode 'quoted' \\ name"),
    Subject("AzureDevOps", "contoso", "Database", "shop/orders"),
    Subject.legacy("acme", "gone"),
]


@dataclass(frozen=True)
class Release:
    version: str

    @property
    def folder(self) -> Path:
        return RELEASED / self.version

    def load_into(self, url: str) -> dict[str, Any]:
        """Fill an empty database with the release's catalogue; returns what the release said about it."""
        name = make_url(url).get_backend_name()
        load(url, (self.folder / f"{name}.sql").read_text())
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return found

    def commit(self) -> str | None:
        """Return the tag's commit or, without tags, the commit the release was made from; None if neither exists."""
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


def fill(store: Store) -> dict[str, str]:
    """Record sample data; returns the secrets that were made."""
    web, private, database, gone = SUBJECTS
    store.record(BackupStatus.SUCCEEDED, web, size_bytes=12_345, url="https://ci.example/1")
    store.clock.advance(minutes=10)
    store.record(BackupStatus.FAILED, web, reason=Reason.STORAGE, run_id="6f1c1f0e-0b8e-4b0c-9b0a-1d1f4f0f1a11")
    store.record(BackupStatus.SUCCEEDED, private, visibility=Visibility.PRIVATE)
    store.record(BackupStatus.SUCCEEDED, database, next_run_at=store.clock() + timedelta(days=1))
    store.record(BackupStatus.SUCCEEDED, gone)
    store.clock.advance(minutes=10)
    store.record(BackupStatus.IN_PROGRESS, database)
    store.record(BackupStatus.DELETED, gone)
    for outcome, method in (
        (VerificationOutcome.PASSED, VerificationMethod.RESTORED),
        (VerificationOutcome.FAILED, None),
    ):
        verification = ReportedVerification(outcome, store.clock() - timedelta(minutes=1), method)
        store.record(BackupStatus.SUCCEEDED, private, verification=verification)
    return {
        "ping": store.checks.create(web, every=timedelta(days=1), grace=timedelta(hours=2)),
        "key": store.keys.create("ci", frozenset({Scope.REPORT, Scope.READ})),
        "token": store.tokens.create("readme", Selection.of([PathPattern.parse("GitLab/*/*")])),
    }


def facts(store: Store, secrets: dict[str, str]) -> dict[str, Any]:
    """Return what a catalogue with the sample data says about it."""
    return {
        "reports": {subject.path: status_document(subject, store.report(subject)) for subject in SUBJECTS},
        "runs": {
            subject.path: [[run.status, str(run.started_at), run.run_id] for run in store.catalogue.runs(subject)]
            for subject in SUBJECTS
        },
        "totals": dict(store.catalogue.totals(ListingFilter()).by_status),
        "ping": None if (pinged := store.checks.subject_pinged(secrets["ping"])) is None else pinged.path,
        "key": sorted(store.keys.check(secrets["key"], Scope.REPORT, store.clock()).scopes),
        "token": store.tokens.opens(SUBJECTS[1], secrets["token"]),
        "secrets": secrets,
    }


def dump(url: str) -> str:
    """Return a database as SQL."""
    if (file := database_file(url)) is not None:
        with closing(sqlite3.connect(file)) as connection:
            return "\n".join(connection.iterdump()) + "\n"
    program = f"{programs()}/pg_dump"
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments"]
    dumped = subprocess.run([program, *options, _libpq(url)], capture_output=True, text=True, check=True).stdout
    # Without what depends on the version of pg_dump or PostgreSQL, and psql's own commands.
    lines = [line for line in dumped.splitlines() if not re.match(r"--|SET |SELECT pg_catalog.set_config|\\|$", line)]
    return "\n".join(lines) + "\n"


def load(url: str, sql: str) -> None:
    """Run a dump on an empty database."""
    if (file := database_file(url)) is not None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(sql)
    else:
        with psycopg.connect(_libpq(url)) as connection:
            connection.execute(sql.encode())


def _libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def record(version: str) -> None:
    """Write the catalogue of this version to tests/released."""
    folder = Release(version).folder
    folder.mkdir(parents=True, exist_ok=True)
    with running_postgres() as postgres, tempfile.TemporaryDirectory() as new:
        for url in (f"sqlite:///{new}/catalogue.sqlite3", postgres.new_database()):
            migrate(url)
            with closing(Store.on(url)) as store:
                found = facts(store, fill(store))
            name = make_url(url).get_backend_name()
            (folder / f"{name}.sql").write_text(dump(url))
            (folder / f"{name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    record(sys.argv[1])
