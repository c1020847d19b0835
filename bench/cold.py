"""Badges that are requested for the first time: from a fast upstream, and from the catalogue."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.catalogue import BADGE_OF_SUBJECT, fill
from bench.load import Load, by_number
from bench.rounds import in_turn, ratio, say, table
from bench.servers import NAIVE, Running, fast_upstream, on_gunicorn, service
from bench.serving import valkey_of

BASE = f"{NAIVE}; `gthread`"
CONCURRENCIES = (1, 8)
"""At most 8 of the 16 badge threads wait for an upstream; further requests are answered without a status."""
SUBJECTS = 50_000
PER_RUN = 5_000
"""More than a service can answer in one run."""

UNLIMITED = {
    "BADGE_UPSTREAM_PER_SECOND": "10000",
    "BADGE_UPSTREAM_NEW_PER_SECOND": "10000",
    "BADGE_UPSTREAM_NEW_BURST": "100000",
}


@dataclass
class Cold:
    """A server, and the numbers of badges that have not been requested yet."""

    running: Running
    path: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(0, PER_RUN))

    def measure(self, concurrency: int) -> Load:
        """Request badges for the first time; raises `RuntimeError` if they run out."""
        first = next(self.numbers) % SUBJECTS
        load = by_number(self.running.url, self.path, concurrency, range(first, first + PER_RUN))
        if load.requests > PER_RUN:
            raise RuntimeError(f"{load.requests} requests for {PER_RUN} badges")
        return load


@contextmanager
def contenders() -> Iterator[dict[str, Cold]]:
    """Start all contenders side by side."""
    with tempfile.TemporaryDirectory() as name, fast_upstream(Path(name) / "upstream") as upstream:
        folder = Path(name)
        settings = {"BADGE_UPSTREAM_URL": upstream.url, **UNLIMITED}
        (folder / "catalogue").mkdir()
        fill(f"sqlite:///{folder / 'catalogue' / 'catalogue.sqlite3'}", SUBJECTS)
        with (
            service(folder / "ours", **settings) as ours,
            on_gunicorn(
                "bench.naive:application", folder / "naive", BADGE_REDIS_URL=valkey_of(folder / "ours"), **settings
            ) as naive,
            service(folder / "catalogue") as catalogue,
        ):
            anything = "/badge/GitHub/acme/Repository/repository-{name}"
            yield {
                BASE: Cold(naive, anything),
                "ours, the upstream": Cold(ours, anything),
                "ours, the catalogue": Cold(catalogue, BADGE_OF_SUBJECT),
            }


def rows(rounds: int) -> list[str]:
    """Return the table for cold badges."""
    say("Cold badges, one worker each")
    found: dict[int, dict[str, list[Load]]] = {}
    with contenders() as running:
        for concurrency in CONCURRENCIES:
            say(f" {concurrency} at a time")
            measures: dict[str, Callable[[], Load]] = {
                name: partial(cold.measure, concurrency) for name, cold in running.items()
            }
            found[concurrency] = in_turn(rounds, measures)
    columns = ["cold badges, each with a name of its own; one worker, relative to the first row"]
    for concurrency in CONCURRENCIES:
        columns += [f"{concurrency} at a time, relative", "per second"]
    columns.append("badges without a status, all rounds")
    lines = []
    for name in found[CONCURRENCIES[0]]:
        cells = [name]
        for by_name in found.values():
            rates, base = ([load.per_second for load in by_name[one]] for one in (name, BASE))
            cells += [f"{ratio(rates, base):.2f}", f"{statistics.median(rates):,.0f}"]
        loads = [load for by_name in found.values() for load in by_name[name]]
        cells.append(f"{sum(load.unknown for load in loads)} of {sum(load.requests for load in loads):,}")
        lines.append(cells)
    return table(columns, lines)
