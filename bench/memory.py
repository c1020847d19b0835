"""Memory of a service with two workers after ten thousand requests, none of them for a PNG."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.load import by_number
from bench.rounds import in_turn, say, table
from bench.servers import pss_mb, report_backup, service
from tests.fault_server import running_fault_server
from tests.servers import workers_of

REQUESTS = 10_000
NAMES = range(1_000)
WORKERS = 2
MOST_ROUNDS = 1
"""Fewer than elsewhere, because memory hardly varies and each round makes ten thousand requests."""


def after_traffic(**settings: str) -> tuple[float, float, float]:
    """Return PSS in MB: of one worker on average, of all workers with their master, and of Valkey."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report_backup(folder)
        with service(folder, BADGE_WORKERS=str(WORKERS), **settings) as ours:
            done = 0
            while done < REQUESTS:
                done += by_number(ours.url, "/badge/GitHub/acme/Repository/repository-{name}", 8, NAMES).requests
            workers = workers_of(ours.process)
            of_workers = sum(map(pss_mb, workers))
            others = [child for child in ours.process.children(recursive=True) if child not in workers]
            together = of_workers + pss_mb(ours.process)
            return of_workers / len(workers), together, sum(map(pss_mb, others))


def with_an_upstream() -> tuple[float, float, float]:
    """Return the same figures for a service with an upstream instead of the catalogue."""
    with running_fault_server() as upstream:
        return after_traffic(BADGE_UPSTREAM_URL=upstream.url)


def rows(rounds: int) -> list[str]:
    """Return the table for memory."""
    say(f"Memory after {REQUESTS:,} requests")
    variants = {
        "an upstream": with_an_upstream,
        "the catalogue": after_traffic,
        "the catalogue, `BADGE_PRELOAD=off`": lambda: after_traffic(BADGE_PRELOAD="off"),
    }
    lines = []
    for name, figures in in_turn(min(rounds, MOST_ROUNDS), variants).items():
        lines.append([name, *(f"{statistics.median(column):.0f} MB" for column in zip(*figures, strict=True))])
    columns = [
        f"PSS after {REQUESTS:,} requests",
        "a worker",
        f"{WORKERS} workers and their master",
        "the embedded Valkey",
    ]
    return table(columns, lines)
