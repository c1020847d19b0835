"""Faults that operators meet: full disks, reloads, restores, wrong clocks, and databases that restart.

Reports are sent during or around each fault. No fault may lose an acknowledged report or leave a badge unanswered.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import requests

from bench.ledger import Ledger
from bench.rounds import say
from tests.disk import fill, make_room, mounted
from tests.load import at_a_rate
from tests.pgbouncer import running_pgbouncer
from tests.postgres import running_postgres
from tests.servers import Service, badge_process, eventually, running_service, running_valkey

SUBJECTS = [f"GitHub/acme/Repository/web-{number}" for number in range(10)]
BADGES_PER_SECOND = 30
SLICE_SECONDS = 4.0
RELOADS = (("BADGE_FRESH_FINISHED=90s", True), ("BADGE_FRESH_FINISHED=soon", False), ("", True))
BACK_WITHIN_SECONDS = 20.0
"""Within this time after a fault, reports must be accepted again; PgBouncer waits 15 s before it tries a lost server
again (server_login_retry)."""


@dataclass
class Outcome:
    """Counts and failures over all faults."""

    asked: int = 0
    not_200: int = 0
    wrong: int = 0
    ledgers: list[Ledger] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        acknowledged = sum(ledger.acknowledged for ledger in self.ledgers)
        refused = sum(ledger.refused for ledger in self.ledgers)
        return (
            f"{self.asked} badges, {self.not_200} not 200, {self.wrong} wrong; {acknowledged} reports acknowledged, "
            f"{refused} refused, {len(self.lost)} lost"
        )

    @property
    def lost(self) -> list[str]:
        """Acknowledged reports that a badge did not show."""
        return [line for ledger in self.ledgers for line in ledger.lost]

    def faults(self) -> list[str]:
        """Return every broken promise."""
        found = [f"{self.not_200} answers were not 200"] if self.not_200 else []
        found += [f"{self.wrong} badges showed a status that was never reported"] if self.wrong else []
        return [*found, *self.lost, *self.other]


@contextmanager
def load(ledger: Ledger, outcome: Outcome, name: str) -> Iterator[None]:
    """Send reports one after another while the block runs, and then until a series of badges has been served."""
    stop = threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set():
            subject = SUBJECTS[number % len(SUBJECTS)]
            if ledger.report(subject):
                ledger.check(subject, name)
            number += 1
            stop.wait(0.02)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
        urls = [
            f"{ledger.urls[number % len(ledger.urls)]}/badge/{SUBJECTS[number % len(SUBJECTS)]}"
            for number in range(round(BADGES_PER_SECOND * SLICE_SECONDS))
        ]
        answers = at_a_rate(urls, BADGES_PER_SECOND)
        outcome.asked += len(answers)
        outcome.not_200 += sum(answer.code != 200 for answer in answers)
        outcome.wrong += sum(answer.code == 200 and answer.status not in ("succeeded", "failed") for answer in answers)
    finally:
        stop.set()
        sender.join()


def settle(ledger: Ledger, outcome: Outcome, name: str) -> None:
    """Wait until reports are accepted again, then compare every badge with the ledger."""
    if not eventually(lambda: all(ledger.report(subject) for subject in SUBJECTS), BACK_WITHIN_SECONDS):
        outcome.other.append(f"{name}: reports are still not accepted after {BACK_WITHIN_SECONDS:.0f} s")
    for subject in SUBJECTS:
        ledger.check(subject, f"after {name}")


@dataclass
class OneInstance:
    """A service with its own catalogue on a small disk, and a Redis that outlives it."""

    disk: Path
    settings: dict[str, str]
    life: ExitStack
    outcome: Outcome
    service: Service = field(init=False)
    ledger: Ledger = field(init=False)

    def start(self) -> None:
        """Start the service on the existing data."""
        self.service = self.life.enter_context(running_service(self.disk.parent / "log", **self.settings))

    @property
    def settings_file(self) -> Path:
        """The settings file, which reloads read."""
        return Path(self.settings["BADGE_SETTINGS_FILE"])

    def full_disk(self) -> None:
        """Fill the disk, and make room again."""
        fill(self.disk)
        with load(self.ledger, self.outcome, "full disk"):
            pass
        make_room(self.disk)

    def reloads(self) -> None:
        """Reload good settings, then broken ones, then good ones."""
        master = self.service.process.pid
        with load(self.ledger, self.outcome, "reloads"):
            for line, is_current in RELOADS:
                self.settings_file.write_text(f"{line}\n")
                os.kill(master, signal.SIGHUP)
                if not eventually(partial(self._says, is_current), BACK_WITHIN_SECONDS):
                    self.outcome.other.append(f"reloads: /readyz does not report {is_current=} after {line!r}")

    def _says(self, is_current: bool) -> bool:  # noqa: FBT001 - read as a sentence
        """Whether /readyz confirms `is_current`: that the settings on disk are, or are not, the ones in use."""
        try:
            checks = self.service.get("/readyz").json()["checks"]
        except (requests.RequestException, ValueError, KeyError):
            return False
        return (checks.get("configuration") == "up") is is_current

    def killed_workers(self) -> None:
        """Kill every worker, one after the other."""
        with load(self.ledger, self.outcome, "killed workers"):
            pass
        for worker in self.service.workers():
            worker.kill()
        eventually(lambda: self.service.get("/livez").ok)

    def restore(self) -> None:
        """Back up, report more, and restore: the badges must then show what the backup contains."""
        backup = self.disk.parent / f"backup-{time.monotonic_ns()}.sqlite3"
        self._badge("backup", str(backup))
        held = self.ledger.copy_possible()
        with load(self.ledger, self.outcome, "after the backup"):
            pass
        # The service is stopped first, because a catalogue in use can't be restored.
        self.life.close()
        self._badge("restore", str(backup))
        self.ledger.possible = held
        self.start()
        self.ledger.urls[:] = [self.service.url]
        for subject in SUBJECTS:
            self.ledger.check(subject, "restored")

    def _badge(self, *args: str) -> None:
        done = badge_process(*args, **self.settings)
        if done.returncode != 0:
            self.outcome.other.append(f"badge {args[0]}: {done.stderr.strip()}")


@contextmanager
def one_instance(outcome: Outcome) -> Iterator[OneInstance]:
    """Run a service on SQLite, on a file system that can be filled."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as rest, ExitStack() as life:
        folder = Path(name)
        disk = rest.enter_context(mounted("tmpfs", folder))
        valkey = rest.enter_context(running_valkey(folder))
        (folder / "badge.env").touch()
        settings = {
            "BADGE_DATA_DIR": str(disk / "data"),
            "BADGE_REDIS_URL": valkey.url,
            "BADGE_SETTINGS_FILE": str(folder / "badge.env"),
            "BADGE_WORKERS": "2",
        }
        rig = OneInstance(disk, settings, life, outcome)
        rig.start()
        key = badge_process("key", "create", "soak", "--scope", "report", **settings).stdout.strip()
        rig.ledger = Ledger(key, SUBJECTS, [rig.service.url])
        outcome.ledgers.append(rig.ledger)
        yield rig


@dataclass
class TwoInstances:
    """Two services with clocks of their own, on one PostgreSQL behind PgBouncer, and one Redis."""

    ledger: Ledger
    outcome: Outcome
    offset: Path
    """File with the error of the second instance's clock, in seconds."""
    restart_pooler: Callable[[], None]
    restart_database: Callable[[], None]

    def clocks(self) -> None:
        """Set the second instance's clock 90 s ahead, then an hour behind, then to the right time."""
        for offset in ("90", "-3600", "0"):
            self.offset.write_text(offset)
            with load(self.ledger, self.outcome, f"clock off by {offset} s"):
                pass

    def pooler(self) -> None:
        """Restart PgBouncer under load."""
        with load(self.ledger, self.outcome, "PgBouncer restarted"):
            self.restart_pooler()

    def database(self) -> None:
        """Restart PostgreSQL under load."""
        with load(self.ledger, self.outcome, "PostgreSQL restarted"):
            self.restart_database()


@contextmanager
def two_instances(outcome: Outcome) -> Iterator[TwoInstances]:
    """Run two services; the second one's clock can be set."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_postgres() as postgres,
        running_valkey(Path(name)) as valkey,
        running_pgbouncer(postgres) as pooler,
        ExitStack() as life,
    ):
        folder = Path(name)
        offset = folder / "offset"
        offset.write_text("0")
        common = {
            "BADGE_CATALOGUE_URL": pooler.url(postgres.new_database()),
            "BADGE_REDIS_URL": valkey.url,
            "BADGE_WORKERS": "1",
        }
        one = life.enter_context(running_service(folder / "one", **common))
        two = life.enter_context(
            running_service(folder / "two", "bench.skewed:application", **common, OFFSET_FILE=str(offset))
        )
        key = badge_process("key", "create", "soak", "--scope", "report", **common).stdout.strip()
        ledger = Ledger(key, SUBJECTS, [one.url, two.url])
        outcome.ledgers.append(ledger)
        yield TwoInstances(ledger, outcome, offset, pooler.restart, postgres.restart)


def run(seconds: float) -> Outcome:
    """Run all faults in turn, each at least once, until this much time has passed."""
    outcome, began = Outcome(), time.monotonic()
    with one_instance(outcome) as one, two_instances(outcome) as two:
        settle(one.ledger, outcome, "start")
        settle(two.ledger, outcome, "start")
        faults = [
            *((one.ledger, fault) for fault in (one.full_disk, one.reloads, one.killed_workers, one.restore)),
            *((two.ledger, fault) for fault in (two.clocks, two.pooler, two.database)),
        ]
        while True:
            for ledger, fault in faults:
                name = fault.__name__.replace("_", " ")
                fault()
                settle(ledger, outcome, name)
                say(f"{time.monotonic() - began:5.0f} s  {name}: {outcome}")
            if time.monotonic() - began >= seconds:
                return outcome
