"""Serving one warm badge, as fast as it comes: ours, the obvious application, a peer, ours on another server."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from badge.cache.embedded import socket_path
from bench.load import CONCURRENCIES, rate
from bench.rounds import in_turn, ratio, say, table
from bench.servers import THREADS, Running, on_granian, on_gunicorn, on_node, ours_and_constant, report_backup

BASE = "a constant WSGI application"
LISTED_CONCURRENCY = 32


@contextmanager
def contenders() -> Iterator[dict[str, Running]]:
    """All of them, running side by side; whoever is not asked does nothing."""
    with tempfile.TemporaryDirectory() as name, ours_and_constant(Path(name)) as (ours, constant):
        folder = Path(name)
        report_backup(folder / "granian")
        valkey = f"unix://{socket_path(folder / 'ours')}"
        with (
            on_gunicorn("bench.naive:application", folder / "naive") as naive,
            on_granian(folder / "granian", BADGE_REDIS_URL=valkey) as granian,
            on_node(folder / "node") as node,
        ):
            yield {
                BASE: constant,
                "ours": ours,
                "Flask, a GET from the cache, a template": naive,
                "ours on granian": granian,
                "Node, badge-maker for each request": node,
            }


def rows(rounds: int) -> list[str]:
    """The table of serving."""
    say("Serving a warm badge, one worker each")
    with contenders() as running:
        found = {}
        for concurrency in CONCURRENCIES:
            say(f" {concurrency} at a time")
            measures = {name: rate(one.badge, concurrency) for name, one in running.items()}
            found[concurrency] = in_turn(rounds, measures)
    columns = [f"one warm badge, one worker of {THREADS} threads", *(f"{c} at a time" for c in CONCURRENCIES)]
    return table(
        [*columns, f"a second, {LISTED_CONCURRENCY} at a time"],
        [
            [
                name,
                *(f"{ratio(rates[name], rates[BASE]):.2f}" for rates in found.values()),
                f"{statistics.median(found[LISTED_CONCURRENCY][name]):,.0f}",
            ]
            for name in running
        ],
    )
