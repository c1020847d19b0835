"""pgBackRest and Barman back up a real PostgreSQL; the service reads their output as cron writes it."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from badge.app import utc_now
from badge.model import BackupStatus, Report, Verification, VerificationMethod, VerificationOutcome
from badge.ports import Clock
from tests.backup_sources import crontab_line, fetch, sources_in, verifying_lines
from tests.postgres import PostgresServer, programs, running_postgres
from tests.servers import eventually, needs

pytestmark = pytest.mark.slow

SUCCEEDED, FAILED, UNKNOWN = BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.UNKNOWN
RUNNING = BackupStatus.IN_PROGRESS
ZONE = "America/New_York"
USER = "postgres" if os.getuid() == 0 else None
SECONDS = 30


@dataclass(frozen=True)
class Program:
    """A backup program, its configuration for one PostgreSQL, and the folder that cron writes to."""

    postgres: PostgresServer
    name: str
    environment: dict[str, str]
    source: str

    @property
    def folder(self) -> Path:
        return self.postgres.folder / self.name

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._started([self.name, *arguments])

    def run(self, *arguments: str) -> int:
        return self.start(*arguments).wait(SECONDS)

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self.environment, "TZ": ZONE, "HOME": str(self.folder)}
        sink = subprocess.DEVNULL
        return subprocess.Popen(command, user=USER, cwd=self.folder, env=environment, stdout=sink, stderr=sink)

    def report(self, clock: Clock = utc_now) -> Report:
        """Run the crontab line from the documentation, as cron does, and read the status."""
        line = crontab_line(self.name).split(maxsplit=5)[5].replace("/var/lib/badge", str(self.folder))
        self._started(["sh", "-c", line]).wait(SECONDS)
        (reader := self.folder / "reader").mkdir(exist_ok=True)
        return fetch(sources_in(reader, self.source.format(folder=self.folder, zone=ZONE), clock)["own"])

    def verification(self) -> Verification | None:
        """Verify the backups and report the result as the documentation says."""
        for line in verifying_lines(self.name):
            self._started(["sh", "-c", line.replace("/var/lib/badge", str(self.folder))]).wait(SECONDS)
        return fetch(
            sources_in(self.folder / "reader", self.source.format(folder=self.folder, zone=ZONE))["own"]
        ).verification

    def archive_by(self, command: str) -> None:
        with self.postgres._connected() as connection:
            connection.execute(f"ALTER SYSTEM SET archive_command = '{command}'".encode())
            connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres(archive_mode="on") as server:
        yield server


def is_recent(moment: datetime | None) -> bool:
    return moment is not None and abs(utc_now() - moment) < timedelta(minutes=2)


@contextlib.contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def later(**units: float) -> Clock:
    return lambda: utc_now() + timedelta(**units)


PGBACKREST = """
[global]
repo1-path={folder}/repository
repo1-retention-full=2
lock-path={folder}/lock
spool-path={folder}/spool
log-level-file=off
start-fast=y

[main]
pg1-path={data}
pg1-socket-path={socket}
pg1-user=postgres
"""
PUSH = "pgbackrest --config={folder}/pgbackrest.conf --stanza=main archive-push %p"
PGBACKREST_SOURCE = """
[[source]]
name = "own"
preset = "pgbackrest"
file = "{folder}/main.json"
stale_after = "26h"
[source.subjects]
"acme/web" = {{ stanza = "main" }}
"""


def folder_for(postgres: PostgresServer, name: str) -> Path:
    needs(name, is_there=shutil.which(name) is not None)
    (folder := postgres.folder / name).mkdir()
    if USER is not None:
        shutil.chown(folder, USER)
    return folder


@pytest.fixture(scope="module")
def pgbackrest(postgres: PostgresServer) -> Program:
    folder = folder_for(postgres, "pgbackrest")
    (configuration := folder / "pgbackrest.conf").write_text(
        PGBACKREST.format(folder=folder, data=postgres.folder / "data", socket=postgres.folder)
    )
    return Program(postgres, "pgbackrest", {"PGBACKREST_CONFIG": str(configuration)}, PGBACKREST_SOURCE)


def test_the_badge_follows_pgbackrest_from_no_stanza_to_a_run_under_way(pgbackrest: Program) -> None:
    assert not pgbackrest.report().exists
    pgbackrest.archive_by(PUSH.format(folder=pgbackrest.folder))
    assert pgbackrest.run("--stanza=main", "stanza-create") == 0
    empty = pgbackrest.report()
    assert (empty.status, empty.exists) == (UNKNOWN, True)

    assert pgbackrest.run("--stanza=main", "backup") == 0
    done = pgbackrest.report()
    assert done.status is SUCCEEDED
    assert is_recent(done.started_at)
    assert is_recent(done.finished_at)
    assert (done.size_bytes or 0) > 1_000_000

    assert verified_as(pgbackrest.verification()) == (VerificationOutcome.PASSED, VerificationMethod.CHECKED)
    running = pgbackrest.start("--stanza=main", "backup")
    assert eventually((pgbackrest.folder / "lock" / "main-backup.lock").exists, SECONDS)
    with frozen(psutil.Process(running.pid)):
        under_way = pgbackrest.report()
    assert (under_way.status, under_way.last_finished) == (RUNNING, SUCCEEDED)
    assert under_way.last_success_at == done.finished_at
    assert running.wait(SECONDS) == 0


def verified_as(found: Verification | None) -> tuple[VerificationOutcome, VerificationMethod | None]:
    assert found is not None
    assert is_recent(found.at)
    return found.outcome, found.how


def test_pgbackrest_notices_a_damaged_repository(pgbackrest: Program) -> None:
    copies = sorted((pgbackrest.folder / "repository" / "backup").rglob("pg_data/base/**/*.gz"))
    damaged = max(copies, key=lambda copy: copy.stat().st_size)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:100] + b"damaged" + content[107:])
    assert verified_as(pgbackrest.verification()) == (VerificationOutcome.FAILED, VerificationMethod.CHECKED)
    damaged.write_bytes(content)
    assert verified_as(pgbackrest.verification()) == (VerificationOutcome.PASSED, VerificationMethod.CHECKED)


def test_the_badge_follows_pgbackrest_after_a_failed_run_a_damaged_table_and_a_lost_repository(
    pgbackrest: Program,
) -> None:
    """Continues the previous test."""
    # A run that fails leaves no trace, so the age of the last success decides.
    pgbackrest.archive_by("false")
    assert pgbackrest.run("--stanza=main", "backup") != 0
    assert pgbackrest.report().status is SUCCEEDED
    assert pgbackrest.report(later(hours=27)).status is FAILED

    pgbackrest.archive_by(PUSH.format(folder=pgbackrest.folder))
    with a_damaged_table(pgbackrest.postgres):
        assert pgbackrest.run("--stanza=main", "--type=full", "backup") == 0
    assert pgbackrest.report().status is FAILED

    shutil.rmtree(pgbackrest.folder / "repository")
    gone = pgbackrest.report()
    assert (gone.status, gone.exists) == (UNKNOWN, False)


@contextlib.contextmanager
def a_damaged_table(postgres: PostgresServer) -> Iterator[None]:
    """Overwrite bytes of a page on the disk, so that its checksum is wrong."""
    with postgres._connected() as connection:
        connection.execute("CREATE TABLE damaged AS SELECT generate_series(1, 5000) AS number")
        connection.execute("CHECKPOINT")
        found = connection.execute("SELECT pg_relation_filepath('damaged')").fetchone()
        assert found is not None
        with (postgres.folder / "data" / found[0]).open("r+b") as table:
            table.seek(3 * 8192 + 5000)
            table.write(b"\xff\xff")
        yield
        connection.execute("DROP TABLE damaged")


BARMAN = """
[barman]
barman_user = {user}
barman_home = {folder}/home
barman_lock_directory = {folder}/home
configuration_files_directory = {folder}/none
log_file = {folder}/barman.log

[main]
description = main
conninfo = host={socket} user=postgres dbname=postgres
streaming_conninfo = host={socket} user=postgres
backup_method = postgres
archiver = on
immediate_checkpoint = true
basebackup_retry_times = 0
path_prefix = {programs}
"""
BARMAN_SOURCE = """
[[source]]
name = "own"
preset = "barman"
folder = "{folder}"
match = {{ platform = "GitHub", account = "acme", type = "Repository" }}
stale_after = "26h"
times.timezone = "{zone}"
"""


@pytest.fixture(scope="module")
def barman(postgres: PostgresServer) -> Program:
    folder = folder_for(postgres, "barman")
    user = USER or getpass.getuser()
    text = BARMAN.format(folder=folder, socket=postgres.folder, programs=programs(), user=user)
    (folder / ".barman.conf").write_text(text)
    return Program(postgres, "barman", {}, BARMAN_SOURCE)


def test_the_badge_follows_barman_from_no_backup_to_a_success(barman: Program) -> None:
    barman.run("check", "main")  # creates its folders; fails until it has received a WAL file
    empty = barman.report()
    assert (empty.status, empty.exists) == (UNKNOWN, True)

    incoming = barman.folder / "home" / "main" / "incoming"
    barman.archive_by(f"cp %p {incoming}/%f")
    with barman.postgres._connected() as connection:
        connection.execute("SELECT pg_switch_wal()")
    assert eventually(lambda: any(incoming.iterdir()), SECONDS)
    assert barman.run("archive-wal", "main") == 0
    assert barman.run("backup", "main") == 0
    done = barman.report()
    assert done.status is SUCCEEDED
    assert is_recent(done.started_at)
    assert is_recent(done.finished_at)
    assert (done.size_bytes or 0) > 1_000_000


def test_the_badge_follows_barman_during_a_copy_after_a_failure_and_without_wal_archiving(barman: Program) -> None:
    """Continues the previous test."""
    done = barman.report()
    running = barman.start("backup", "main")
    with frozen(the_copy(running)):
        under_way = barman.report()
    assert (under_way.status, under_way.last_finished) == (RUNNING, SUCCEEDED)
    assert under_way.last_success_at == done.finished_at
    the_copy(running).kill()
    assert running.wait(SECONDS) != 0
    failed = barman.report()
    assert (failed.status, failed.last_success_at) == (FAILED, done.finished_at)

    # WAL files no longer arrive, so the copy can't be restored.
    barman.archive_by("true")
    assert barman.run("backup", "main") == 0
    waiting = barman.report()
    assert (waiting.status, waiting.last_finished) == (RUNNING, FAILED)
    assert barman.report(later(hours=25)).status is FAILED


def the_copy(barman: subprocess.Popen[bytes]) -> psutil.Process:
    """Return Barman's pg_basebackup that copies, not the one that it ran with --version."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(barman.pid).children(recursive=True)
            found[:] = [child for child in children if "--pgdata" in " ".join(child.cmdline())]
        return bool(found)

    assert eventually(is_there, SECONDS)
    return found[0]
