"""How the catalogue scales: the cost of each operation with 100,000 checks, relative to 1,000."""

from __future__ import annotations

import hashlib
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import Table, insert, text

from badge.app import build_app, build_parts
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.database import Database
from badge.catalogue.events import RunEvent
from badge.catalogue.expectation import Expectation
from badge.catalogue.migration import migrate
from badge.catalogue.schema import checks, runs, subjects
from badge.catalogue.store import Catalogue
from badge.listing import ListingFilter, ListingOrder
from badge.model import BackupStatus, Subject, VerificationOutcome, Visibility
from badge.settings import load
from bench.rounds import in_turn, ratio, say, table
from tests.postgres import running_postgres
from tests.store import index_all

SMALL, LARGE = 1_000, 100_000
ACCOUNT_SIZE = 100
RUNS = 5
FAILS_EVERY, OVERDUE_EVERY = 5, 7
UNVERIFIED_EVERY, DAMAGED_EVERY = 50, 200
ROWS_AT_ONCE = 5_000
MOST_CALLS, MOST_SECONDS = 100, 0.2
MOST_ROUNDS = 3
"""A larger `--rounds` is reduced to this, because each measurement is already a median of many calls."""

SUMMARY_ALL = {"BADGE_SUMMARY_ALL": "on"}

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
DAILY = Expectation(DAY, timedelta(hours=2), NOW - 30 * DAY)


BADGE_OF_SUBJECT = "/badge/account-{account}/repository-{name}"
"""Path of a subject's badge, for `load.by_number`."""


def subject(number: int) -> Subject:
    """Return the subject with this number; each account has a hundred."""
    return Subject.legacy(f"account-{number // ACCOUNT_SIZE:05}", f"repository-{number:06}")


def ping_uuid(number: int) -> str:
    """Return the UUID for pings to the check with this number."""
    return str(uuid.UUID(int=number))


def fill(url: str, size: int) -> None:
    """Make a catalogue with `size` subjects, each with a check and some runs."""
    migrate(url)
    # Rows are inserted directly, because recording an event for each would take much longer.
    with closing(Database(url)) as database, database.writing() as connection:
        for first in range(0, size, ROWS_AT_ONCE):
            numbers = range(first, min(first + ROWS_AT_ONCE, size))
            for filled, rows in _rows(numbers).items():
                connection.execute(insert(filled), rows)
        index_all(connection)
        connection.execute(text("ANALYZE"))  # PostgreSQL would do so by itself, but only after a while


@dataclass
class Filled:
    """A catalogue with `size` checks, and a client of a service that uses it."""

    url: str
    size: int
    jitter: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        fill(self.url, self.size)
        settings = load({"BADGE_CATALOGUE_URL": self.url, "BADGE_PINGS_PER_MINUTE": "1000000", **SUMMARY_ALL})
        parts = build_parts(settings, cache=MemoryStatusCache(lambda: NOW))
        assert parts.catalogue is not None
        self.catalogue: Catalogue = parts.catalogue.store
        self.client: FlaskClient = build_app(parts).test_client()

    def _one(self) -> int:
        return self.jitter.randrange(self.size)

    def _search(self, words: str = "", order: ListingOrder = ListingOrder.NAME) -> None:
        """Read what a page of the dashboard shows."""
        wanted = ListingFilter(words=words.split())
        self.catalogue.list(wanted, None, 50, order)
        self.catalogue.totals(wanted)

    def operations(self) -> dict[str, Callable[[], object]]:
        """Return the operations to measure, by name."""
        middle = self.catalogue.list(ListingFilter(account=subject(self.size // 2).account), limit=1).next_cursor
        failed = ListingFilter(status=BackupStatus.FAILED)
        rare, many = subject(self.size // 2).name[-6:], "repository"
        return {
            "a look-up for a badge": lambda: self.catalogue.report_for(subject(self._one())),
            "a page of the list": lambda: self.catalogue.list(ListingFilter()),
            "a page from its middle": lambda: self.catalogue.list(ListingFilter(), middle),
            "a page of what failed or is overdue": lambda: self.catalogue.list(failed),
            "an account's page": lambda: self.catalogue.list(ListingFilter(account=subject(self._one()).account)),
            "what changed in the last minute": lambda: self.catalogue.list(
                ListingFilter(updated_since=datetime.now(UTC) - timedelta(minutes=1))
            ),
            "a search for a name": lambda: self._search(rare),
            "a search for two letters that match nothing": lambda: self._search("zq"),
            "a search that everything matches": lambda: self._search(many),
            "a search for a name, latest first": lambda: self._search(rare, ListingOrder.LATEST),
            "a search that everything matches, worst first": lambda: self._search(many, ListingOrder.WORST),
            "the dashboard's first page": self._search,
            "the same, latest first": lambda: self._search(order=ListingOrder.LATEST),
            "the same, worst first": lambda: self._search(order=ListingOrder.WORST),
            "the summary of an account": lambda: self.client.get(f"/summary/GitHub/{subject(self._one()).account}"),
            "the summary of everything": lambda: self.client.get("/summary"),
            "the same, `verified_within=90d`": lambda: self.client.get("/summary?verified_within=90d"),
            # The worst cases: totals are stored, but subjects whose success or passed verification is too old have to
            # be counted for each request. With these limits, almost all of them are too old.
            "the same, `verified_within=1d`": lambda: self.client.get("/summary?verified_within=1d"),
            "the same, `max_age=1h`": lambda: self.client.get("/summary?max_age=1h"),
            "a report": lambda: self.catalogue.record(
                RunEvent(subject=subject(self._one()), status=BackupStatus.SUCCEEDED, at=datetime.now(UTC))
            ),
            "a ping": lambda: self.client.post(f"/ping/{ping_uuid(self._one())}"),
        }


def _rows(numbers: range) -> dict[Table, list[dict[str, object]]]:
    """Return the rows for these subjects: each has a check and one run a day."""
    return {
        subjects: [_subject_row(number) for number in numbers],
        checks: [_check_row(number) for number in numbers],
        runs: [_run_row(number, days_ago) for number in numbers for days_ago in range(RUNS)],
    }


def _subject_row(number: int) -> dict[str, object]:
    one, ended_at = subject(number), _ended_at(number)
    platform, account, type, name = one.key(fold_case=True)
    return {
        "platform_key": platform,
        "account_key": account,
        "type_key": type,
        "name_key": name,
        "platform": one.platform,
        "account": one.account,
        "type": one.type,
        "name": one.name,
        "id": number + 1,
        "status": _status(number).value,
        "started_at": ended_at,
        "finished_at": ended_at,
        "last_success_at": ended_at,
        "ended_at": ended_at,
        "last_finished": _status(number).value,
        "due_at": DAILY.due_at(ended_at),
        "overdue_at": DAILY.overdue_at(_status(number), ended_at),
        **_verification(number),
        "visibility": Visibility.PUBLIC.value,
        "revision": 1,
        "updated_at": ended_at,
    }


def _check_row(number: int) -> dict[str, object]:
    return {
        "subject_id": number + 1,
        "digest": hashlib.sha256(ping_uuid(number).encode()).hexdigest(),
        "prefix": ping_uuid(number)[:8],
        "slug": f"repository-{number}",
        "every_seconds": DAILY.every.total_seconds(),
        "grace_seconds": DAILY.grace.total_seconds(),
        "since": DAILY.since,
    }


def _run_row(number: int, days_ago: int) -> dict[str, object]:
    moment = _ended_at(number) - days_ago * DAY
    times = {"started_at": moment, "finished_at": moment, "happened_at": moment}
    order = {"sequence": RUNS - days_ago, "is_start_reported": True}
    return {"subject_id": number + 1, "status": _status(number).value, **order, **times}


def _ended_at(number: int) -> datetime:
    return NOW - (2 * DAY if number % OVERDUE_EVERY == 0 else timedelta(hours=3))


def _verification(number: int) -> dict[str, object]:
    """Return the verification columns of the subject with this number.

    A third of the subjects were never verified, some were last verified too long ago, and some verifications failed.
    """
    if number % 3 == 0:
        return {"verification": None, "verified_at": None}
    outcome = VerificationOutcome.FAILED if number % DAMAGED_EVERY == 0 else VerificationOutcome.PASSED
    age = 100 if number % UNVERIFIED_EVERY == 0 else number % 80
    return {"verification": outcome.value, "verified_at": NOW - age * DAY}


def _status(number: int) -> BackupStatus:
    return BackupStatus.FAILED if number % FAILS_EVERY == 0 else BackupStatus.SUCCEEDED


@contextmanager
def contenders(folder: Path) -> Iterator[dict[tuple[str, int], Callable[[], float]]]:
    """Yield functions that time each operation, in milliseconds, on each database with few and with many checks."""
    with running_postgres() as server:
        urls = {"SQLite": [f"sqlite:///{folder / name}.sqlite3" for name in ("small", "large")]}
        urls["PostgreSQL"] = [server.new_database(), server.new_database()]
        found: dict[tuple[str, int], Callable[[], float]] = {}
        for database, pair in urls.items():
            for url, size in zip(pair, (SMALL, LARGE), strict=True):
                for name, call in Filled(url, size).operations().items():
                    found[f"{database}: {name}", size] = partial(milliseconds, call)
        yield found


def milliseconds(call: Callable[[], object]) -> float:
    """Return the median time of one call, in milliseconds."""
    taken: list[float] = []
    while len(taken) < MOST_CALLS and sum(taken) < MOST_SECONDS:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def rows(rounds: int) -> list[str]:
    """Return the table for the catalogue."""
    say(f"Catalogue with {SMALL:,} and {LARGE:,} checks")
    with tempfile.TemporaryDirectory() as folder, contenders(Path(folder)) as measures:
        found = in_turn(min(rounds, MOST_ROUNDS), measures)
    lines = []
    for name in dict.fromkeys(name for name, _ in found):
        small, large = found[name, SMALL], found[name, LARGE]
        lines.append([name, f"{ratio(large, small):.2f}", f"{statistics.median(large):.1f} ms"])
    return table([f"catalogue of {LARGE:,} checks", f"relative to {SMALL:,} checks", "one call"], lines)
