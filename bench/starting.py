"""Time from start to first badge."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.rounds import in_turn, ratio, say, table
from bench.servers import on_gunicorn, ours_and_constant


def rows(rounds: int) -> list[str]:
    """Return the table for starting."""
    say("From start to first badge")
    with tempfile.TemporaryDirectory() as name:
        with ours_and_constant(Path(name)):
            pass  # leaves the recorded answer, and compiled modules
        answer = Path(name) / "answer.json"

        def seconds(application: str) -> float:
            with (
                tempfile.TemporaryDirectory() as fresh,
                on_gunicorn(application, Path(fresh), BENCH_ANSWER=str(answer)) as running,
            ):
                return running.first_badge_seconds

        found = in_turn(
            rounds,
            {"ours": lambda: seconds("wsgi:application"), "constant": lambda: seconds("bench.constant:application")},
        )
    columns = ["start to first badge", "relative to the constant application, same hooks"]
    return table(
        columns, [[f"{statistics.median(found['ours']):.2f} s", f"{ratio(found['ours'], found['constant']):.2f}"]]
    )
