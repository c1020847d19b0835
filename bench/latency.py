"""Latency of one warm badge without queueing: one request at a time, and at half the server's capacity."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.load import Load, at_rate, flat_out
from bench.rounds import in_turn, ratio, say, table
from bench.servers import ours_and_constant

SECONDS = 2


def rows(rounds: int) -> list[str]:
    """Return the table for latencies."""
    say("Latency of a warm badge")
    with tempfile.TemporaryDirectory() as folder, ours_and_constant(Path(folder)) as (ours, constant):
        half = min(flat_out(each.badge, 32).per_second for each in (ours, constant)) / 2
        say(" one at a time")
        alone = in_turn(
            rounds,
            {
                "ours": lambda: flat_out(ours.badge, 1, SECONDS),
                "constant": lambda: flat_out(constant.badge, 1, SECONDS),
            },
        )
        say(f" {half:,.0f} a second")
        steady = in_turn(
            rounds,
            {
                "ours": lambda: at_rate(ours.badge, half, SECONDS),
                "constant": lambda: at_rate(constant.badge, half, SECONDS),
            },
        )
    columns = [
        "one warm badge, one worker; relative to ASGI, one badge drawn in advance",
        "p50",
        "relative",
        "p99",
        "relative",
    ]
    reached = statistics.median(load.per_second for load in steady["ours"])
    return table(
        columns,
        [
            _row("one at a time", alone["ours"], alone["constant"]),
            _row(f"half of the slower one's capacity: {reached:,.0f} a second", **steady),
        ],
    )


def _row(name: str, ours: list[Load], constant: list[Load]) -> list[str]:
    """Return our latencies, each with its ratio to the constant application's."""
    halves = ([load.p50_us for load in ours], [load.p50_us for load in constant])
    tails = ([load.p99_us for load in ours], [load.p99_us for load in constant])
    cells = [name]
    for mine, other in (halves, tails):
        cells += [f"{statistics.median(mine) / 1000:.2f} ms", f"{ratio(mine, other):.2f}"]
    return cells
