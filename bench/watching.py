"""Badges of a service that watches 10,000 subjects, and of one that doesn't; both run at the same time."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.catalogue import BADGE_OF_SUBJECT, fill
from bench.load import Load, at_rate, by_number
from bench.rounds import in_turn, ratio, say, table
from bench.servers import Running, pss_mb, report_backup, service
from tests.servers import eventually, watchers_of
from tests.webhook_receiver import SECRET, receiving

SUBJECTS = 10_000
NAMES = range(1_000)
PER_SECOND, CONCURRENCY = 250, 32
START_SECONDS = 60.0
FILE = """
[[channel]]
name = "ops"
kind = "webhook"
url = "{url}"
secret = "env:HOOK"

[watch]
every = "1s"
"""
"""Scans start thirty times as often as by default, but the watcher spends at most a twentieth of its time on them."""


def rows(rounds: int) -> list[str]:
    """Return the table for the watcher."""
    say(f"Badges while {SUBJECTS:,} subjects are watched")
    with _services() as services:
        warm = in_turn(rounds, {name: partial(_warm, one) for name, one in services.items()})
        many = in_turn(rounds, {name: partial(_many, one) for name, one in services.items()})
        [watcher] = watchers_of(next(iter(services.values())).process)
        memory = pss_mb(watcher)
    lines = [[name, *_figures(warm[name], lambda load: load.p50_us, lambda load: load.p99_us)] for name in services]
    rates = {name: [load.per_second for load in loads] for name, loads in many.items()}
    for line, name in zip(lines, services, strict=True):
        line += [f"{statistics.median(rates[name]):,.0f}"]
    columns = ["service", "a warm badge, p50 in µs", "p99 in µs", f"badges/s of {len(NAMES):,} subjects"]
    note = f"Ratio of the rates: {ratio(*rates.values()):.2f}. The watcher takes {memory:.0f} MB (PSS)."
    return [*table(columns, lines), "", note]


def _figures(loads: Sequence[Load], *figures: Callable[[Load], float]) -> list[str]:
    return [f"{statistics.median(map(figure, loads)):,.0f}" for figure in figures]


def _warm(running: Running) -> Load:
    return at_rate(running.badge, PER_SECOND)


def _many(running: Running) -> Load:
    return by_number(running.url, BADGE_OF_SUBJECT, CONCURRENCY, NAMES)


@contextmanager
def _services() -> Iterator[Mapping[str, Running]]:
    with tempfile.TemporaryDirectory() as name, receiving() as received:
        watching, alone = (Path(name) / each for each in ("watching", "alone"))
        watching.mkdir()
        fill(f"sqlite:///{watching / 'catalogue.sqlite3'}", SUBJECTS)
        report_backup(watching)
        shutil.copytree(watching, alone)
        file = watching / "notify.toml"
        file.write_text(FILE.format(url=received.url))
        with (
            service(watching, BADGE_NOTIFY=str(file), HOOK=SECRET) as one,
            service(alone) as other,
        ):
            assert eventually(lambda: _has_looked(one), START_SECONDS)
            yield {f"watching {SUBJECTS:,} subjects": one, "without a watcher": other}


def _has_looked(running: Running) -> bool:
    return any(watcher.cpu_times().user > 1.0 for watcher in watchers_of(running.process))
