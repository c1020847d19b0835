"""How long Prometheus waits for the metrics of 10,000 subjects, compared with other ways to produce them."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import update

from badge.app import build_app, build_parts
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.database import Database
from badge.catalogue.schema import subjects
from badge.catalogue.store import Catalogue
from badge.listing import SubjectFacts, facts_of
from badge.model import BackupStatus
from badge.settings import load
from badge.sources.snapshot_listing import CatalogueWalk
from badge.telemetry.subject_metrics import LABELS
from bench.catalogue import DAY, NOW, fill, milliseconds
from bench.rounds import in_turn, ratio, say, table
from tests.postgres import running_postgres

SIZE = 10_000
TOKEN = "scrape-me"
OURS = "`/metrics/subjects`, SQLite"


def rows(rounds: int) -> list[str]:
    """Return the table for scrapes."""
    say(f"Metrics of {SIZE:,} subjects")
    with tempfile.TemporaryDirectory() as folder, contenders(Path(folder)) as measures:
        found = in_turn(rounds, measures)
    lines = [
        [name, f"{ratio(times, found[OURS]):.2f}", f"{statistics.median(times):,.0f} ms"]
        for name, times in found.items()
    ]
    return table([f"metrics of {SIZE:,} subjects", "relative to ours", "one scrape"], lines)


@contextmanager
def contenders(folder: Path) -> Iterator[dict[str, Callable[[], float]]]:
    """Yield functions that time a scrape, in milliseconds."""
    sqlite = f"sqlite:///{folder / 'catalogue.sqlite3'}"
    with running_postgres() as server:
        postgresql = server.new_database()
        for url in (sqlite, postgresql):
            fill(url, SIZE)
            _complete(url)
        own, other = client_of(sqlite), client_of(postgresql)
        with closing(Database(sqlite)) as database:
            catalogue = Catalogue(database, lambda: NOW)
            yield {
                OURS: partial(milliseconds, lambda: scrape(own)),
                "the same, compressed": partial(milliseconds, lambda: scrape(own, "gzip")),
                "`/metrics/subjects`, PostgreSQL": partial(milliseconds, lambda: scrape(other)),
                "the same facts, written by prometheus_client": partial(
                    milliseconds, lambda: by_prometheus_client(catalogue.facts(SIZE))
                ),
                "reading a report of each subject, SQLite": partial(milliseconds, lambda: reports(catalogue)),
            }


def _complete(url: str) -> None:
    """Give each subject everything that has a metric."""
    with closing(Database(url)) as database, database.writing() as connection:
        everything = {"size_bytes": 10**9, "started_at": NOW - DAY * 3, "verification": "passed", "verified_at": NOW}
        connection.execute(update(subjects).values(**everything))


def client_of(url: str) -> FlaskClient:
    """Return a client of a service with this catalogue."""
    settings = load({"BADGE_CATALOGUE_URL": url, "BADGE_METRICS_TOKEN": TOKEN})
    return build_app(build_parts(settings, cache=MemoryStatusCache(lambda: NOW))).test_client()


def scrape(client: FlaskClient, encoding: str = "identity") -> None:
    """Read the metrics of all subjects."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": encoding}
    answer = client.get("/metrics/subjects", headers=headers)
    assert (answer.status_code, len(answer.data) > SIZE) == (200, True)


class _Families(Collector):
    """The status and seven values of each subject, as prometheus_client's families."""

    def __init__(self, batches: Iterator[Sequence[SubjectFacts]]) -> None:
        self._batches = batches

    def collect(self) -> Iterator[GaugeMetricFamily]:
        status = GaugeMetricFamily("backup_status", "", labels=[*LABELS, "status"])
        values = [GaugeMetricFamily(f"backup_value_{number}", "", labels=LABELS) for number in range(7)]
        for facts in (one for batch in self._batches for one in batch):
            for each in BackupStatus:
                status.add_metric([*facts[:4], each.value], float(facts.status == each))
            for family in values:
                family.add_metric(facts[:4], float(facts.succeeded_at or 0))
        return iter([status, *values])


def by_prometheus_client(batches: Iterator[Sequence[SubjectFacts]]) -> bytes:
    """Return about the same text, written by prometheus_client."""
    registry = CollectorRegistry()
    registry.register(_Families(batches))
    return generate_latest(registry)


def reports(catalogue: Catalogue) -> list[SubjectFacts]:
    """Return the facts of all subjects by way of their reports."""
    listing = CatalogueWalk(catalogue)
    return [facts_of(item, NOW) for item in listing().items]
