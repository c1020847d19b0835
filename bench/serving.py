"""Throughput for one warm badge: ours, the obvious implementation, a peer, and what the servers alone can do."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from badge.cache.embedded.server import socket_path
from bench.load import CONCURRENCIES, Load, flat_out
from bench.rounds import in_turn, ratio, say, table
from bench.servers import THREADS, Running, on_granian, on_gunicorn, on_node, ours_and_constant

BASE = "Node, badge-maker for each request"
GRANIAN = "ours without the edge, granian"
LISTED_CONCURRENCY = 32


@contextmanager
def contenders() -> Iterator[dict[str, Running]]:
    """Start all contenders side by side; they are idle except when measured."""
    with tempfile.TemporaryDirectory() as name, ours_and_constant(Path(name)) as (ours, constant):
        folder = Path(name)
        data = {"BADGE_DATA_DIR": str(folder / "ours"), "BADGE_REDIS_URL": valkey_of(folder / "ours")}
        with (
            on_gunicorn("wsgi:application", folder / "threads", **data) as threads,
            on_gunicorn("bench.naive:application", folder / "naive", **data) as naive,
            on_gunicorn("bench.constant:wsgi", folder / "wsgi", BENCH_ANSWER=str(folder / "answer.json")) as wsgi,
            on_granian(folder / "granian", **data) as granian,
            on_node(folder / "each", "each") as each,
            on_node(folder / "once", "once") as once,
        ):
            yield {
                "ours": ours,
                "ours without the edge, `gthread`": threads,
                GRANIAN: granian,
                "Flask, a GET from Redis, a template; `gthread`": naive,
                "WSGI, one badge drawn in advance; `gthread`": wsgi,
                "ASGI, one badge drawn in advance; gunicorn's `asgi`": constant,
                BASE: each,
                "Node, one badge drawn in advance": once,
            }


def valkey_of(data_dir: Path) -> str:
    """Return the URL of the Valkey that a service with this data folder has started."""
    return f"unix://{socket_path(data_dir)}"


def rows(rounds: int) -> list[str]:
    """Return the tables for serving (throughput, and latency under full load) and the note on granian's latency."""
    say("Serving a warm badge, one worker each")
    with contenders() as running:
        found = {}
        for concurrency in CONCURRENCIES:
            say(f" {concurrency} at a time")
            measures = {name: partial(flat_out, one.badge, concurrency) for name, one in running.items()}
            found[concurrency] = in_turn(rounds, measures)
    return [*_throughput(found), "", *_latencies(found), "", note_on_granian(found)]


Found = Mapping[int, Mapping[str, Sequence[Load]]]
"""The rounds of each contender, by concurrency."""


def _throughput(found: Found) -> list[str]:
    rates = {
        concurrency: {name: [load.per_second for load in loads] for name, loads in by_name.items()}
        for concurrency, by_name in found.items()
    }
    columns = [
        f'one warm badge, one worker; relative to "{BASE}"; `gthread` and granian with {THREADS} threads',
        *(f"{c} at a time, relative" for c in CONCURRENCIES),
    ]
    return table(
        [*columns, f"per second, {LISTED_CONCURRENCY} at a time"],
        [
            [
                name,
                *(f"{ratio(by_name[name], by_name[BASE]):.2f}" for by_name in rates.values()),
                f"{statistics.median(rates[LISTED_CONCURRENCY][name]):,.0f}",
            ]
            for name in rates[LISTED_CONCURRENCY]
        ],
    )


def _latencies(found: Found) -> list[str]:
    """Latency under full load: beyond the first column, mostly queueing."""
    return table(
        ["the same servers and load: p50, p99", *(f"{c} at a time" for c in CONCURRENCIES)],
        [[name, *(_milliseconds(by_name[name]) for by_name in found.values())] for name in found[LISTED_CONCURRENCY]],
    )


def note_on_granian(found: Found) -> str:
    """Return how many requests granian had in progress; if it leaves others waiting, its latency doesn't show that."""
    counts = [
        f"{statistics.median(map(_in_progress, by_name[GRANIAN])):.0f} of {concurrency}"
        for concurrency, by_name in found.items()
    ]
    return (
        "Requests that granian had in progress at a time, by Little's law (requests per second times p50, so only "
        f"approximately): {', '.join(counts)}. The time that the others waited is not in its p50 and p99."
    )


def _in_progress(load: Load) -> float:
    return load.per_second * load.p50_us / 1_000_000


def _milliseconds(loads: Sequence[Load]) -> str:
    halves, tails = [load.p50_us for load in loads], [load.p99_us for load in loads]
    return f"{statistics.median(halves) / 1000:.2f}, {statistics.median(tails) / 1000:.2f} ms"
