"""Soak test: put services under load for some minutes while everything they depend on fails in turn.

First the upstream and Redis fail: the test exits with code 1 if an answer is late or not an image with the true status,
if a worker dies, or if a worker's memory, descriptors or threads grow. Then services with a catalogue meet the faults
of everyday operation: full disks, reloads, restores, clocks that differ, databases that restart. The test exits with
code 1 if an acknowledged report is lost or a badge is not an image.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import cycle

import psutil

from bench.faults import FAULTS, WARM, Rig, running_rig, true_status
from bench.growth import Sample, complaints, mb_per_ten_minutes
from bench.operations import run
from bench.rounds import say, table
from tests.load import Answer, at_a_rate, percentile

PER_SECOND = 50
SLICE_SECONDS = 3.0
SHORTEST_MINUTES, LONGEST_MINUTES = 0.5, 120.0
IN_TIME_SECONDS = 3.0
"""The promise is 2 s; the rest allows for running everything on one machine."""

NEW_SHARE = 0.2
LEAST_KNOWN = 0.2
"""Share of new badges that must be known; while the upstream fails, and for some seconds after, none can be."""

EXAMPLES = """examples:
  make soak                       three minutes of each part
  make soak ARGS="--minutes 30"   half an hour of each, to find a slow leak
  make soak ARGS="--only operations --minutes 1"
"""


@dataclass
class Record:
    """Results of a soak test."""

    asked: int = 0
    not_200: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    new: int = 0
    """Answers for badges never requested before."""
    unknown: int = 0
    """New badges that were unknown."""
    slow: int = 0
    samples: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def add(self, answers: list[Answer]) -> None:
        """Count answers by outcome; they are not stored."""
        for answer in answers:
            self.asked += 1
            self.not_200 += answer.code != 200
            self.slow += answer.seconds > IN_TIME_SECONDS
            if answer.code == 200:
                self._judge("/badge/" + answer.path.partition("/badge/")[2], answer.status)

    def _judge(self, path: str, status: str) -> None:
        is_new = path not in WARM
        self.new += is_new
        if is_new and status == "unknown":
            self.unknown += 1
        elif status != true_status(path):
            self.wrong[f"{'new' if is_new else 'warm'}: {status}"] += 1

    def look_at(self, workers: list[psutil.Process], seconds: float) -> None:
        """Take a sample of each worker."""
        for worker in workers:
            self.samples[worker.pid].append(Sample.of(worker, seconds))

    def faults(self, workers: int) -> list[str]:
        """Return every violated limit."""
        found = [f"{self.not_200} answers were not 200"] if self.not_200 else []
        found += [f"{times} wrong answers: {what}" for what, times in self.wrong.items()]
        if self.new - self.unknown < LEAST_KNOWN * self.new:
            found.append(f"{self.unknown} of {self.new} new badges were unknown")
        found += [f"{self.slow} answers took longer than {IN_TIME_SECONDS:.0f} s"] if self.slow else []
        # Samples of a replaced worker end early, so growth is judged only if no worker was replaced.
        if len(self.samples) != workers:
            return [*found, f"{len(self.samples) - workers} workers ended and were replaced"]
        return found + [complaint for samples in self.samples.values() for complaint in complaints(samples)]


def paths(number: int) -> list[str]:
    """Return paths: mostly warm badges, and some never requested before."""
    chosen = []
    for _ in range(number):
        is_new = random.random() < NEW_SHARE
        chosen.append(f"/badge/acme/new-{random.randrange(10**9)}" if is_new else random.choice(WARM))
    return chosen


def soak(rig: Rig, seconds: float) -> Record:
    """Run the load with its faults until this much time has passed."""
    record, began = Record(), time.monotonic()
    for upstream, redis in cycle(FAULTS):
        with rig.failing(upstream, redis):
            urls = [rig.service.url + path for path in paths(round(PER_SECOND * SLICE_SECONDS))]
            answers = at_a_rate(urls, PER_SECOND)
        record.add(answers)
        passed = time.monotonic() - began
        record.look_at(rig.workers(), passed)
        times = f"p50 {1000 * percentile(answers, 0.5):.0f} ms, p99 {1000 * percentile(answers, 0.99):.0f} ms"
        say(f"{passed:5.0f} s  upstream {upstream}, Redis {redis.value}: {times}; so far {_counts(record)}")
        for held in record.samples.values():
            say(f"         {held[-1]}")
        if passed >= seconds:
            break
    return record


def _counts(record: Record) -> str:
    return (
        f"{record.asked} requested, {record.not_200} not 200, {record.wrong.total()} wrong, {record.slow} slow, "
        f"{record.unknown} of {record.new} new ones unknown"
    )


def summary(record: Record) -> list[str]:
    """Return the counts, and a table of the workers at the beginning and at the end."""
    rows = []
    for pid, samples in record.samples.items():
        first, last = samples[0], samples[-1]
        rows.append(
            [
                str(pid),
                f"{first.rss_mb:.0f} to {last.rss_mb:.0f} MB",
                f"{mb_per_ten_minutes(samples):+.1f} MB" if len(samples) > 2 else "",
                f"{first.pss_mb:.0f} to {last.pss_mb:.0f} MB",
                f"{first.descriptors} to {last.descriptors}",
                f"{first.threads} to {last.threads}",
            ]
        )
    columns = ["worker", "RSS", "in ten minutes, once settled", "PSS", "descriptors", "threads"]
    return [_counts(record), "", *table(columns, rows)]


def upstream(seconds: float) -> list[str]:
    """Run the part with a failing upstream and Redis; returns every violated limit."""
    with running_rig() as rig:
        workers = len(rig.workers())
        record = soak(rig, seconds)
    print("\n".join(summary(record)))
    return record.faults(workers)


def operations(seconds: float) -> list[str]:
    """Run the part with everyday faults of operation; returns every broken promise."""
    outcome = run(seconds)
    print(outcome)
    return outcome.faults()


PARTS = {"upstream": upstream, "operations": operations}


def main() -> None:
    """Run the soak test, print the summaries, and exit with the result."""
    parser = argparse.ArgumentParser(
        prog="make soak ARGS=",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="minimum duration of each part (default 3)")
    parser.add_argument("--only", choices=PARTS, help="run only this part")
    given = parser.parse_args()
    minutes: float = given.minutes
    if not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        parser.error(f"--minutes must be between {SHORTEST_MINUTES} and {LONGEST_MINUTES:.0f}")
    faults: list[str] = []
    for part in [given.only] if given.only else list(PARTS):
        faults += PARTS[part](60 * minutes)
    for fault in faults:
        print(f"FAIL {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
