"""Time from start to first badge."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.rounds import in_turn, say, table
from bench.servers import report_backup, service


def rows(rounds: int) -> list[str]:
    """Return the table for starting."""
    say("From start to first badge")
    found = in_turn(rounds, {"first, with an empty data folder": _first_start, "later": _later_start})
    return table(
        ["start", "time to the first badge"],
        [[name, f"{statistics.median(seconds):.2f} s"] for name, seconds in found.items()],
    )


def _first_start() -> float:
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as running:
        return running.first_badge_seconds


def _later_start() -> float:
    with tempfile.TemporaryDirectory() as folder:
        report_backup(Path(folder))
        with service(Path(folder)) as running:
            return running.first_badge_seconds
