"""Memory, descriptors and threads of workers over time, and whether they grow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.servers import pss_mb

SETTLING = 1 / 3
"""Share of a run in which caches fill up and threads are started; growth counts only after it."""

MB_PER_TEN_MINUTES = 1.0
LEAST_MB = 2.0
"""Allowed memory growth in a run of any length."""

# Allowed growth, for the connections and fetch threads that happen to exist when a sample is taken.
MORE_DESCRIPTORS, MORE_THREADS = 10, 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of one worker at one moment."""

    seconds: float
    pid: int
    rss_mb: float
    pss_mb: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, worker: psutil.Process, seconds: float) -> Sample:
        """Take a sample of a worker."""
        with worker.oneshot():
            resident = worker.memory_info().rss / 1e6
            return cls(seconds, worker.pid, resident, pss_mb(worker), worker.num_fds(), worker.num_threads())

    def __str__(self) -> str:
        return (
            f"{self.pid}: RSS {self.rss_mb:.1f} MB, PSS {self.pss_mb:.1f} MB, "
            f"{self.descriptors} descriptors, {self.threads} threads"
        )


def mb_per_ten_minutes(samples: Sequence[Sample]) -> float:
    """Return the slope of one worker's resident memory, after settling."""
    settled = _settled(samples)
    return statistics.linear_regression([one.seconds for one in settled], [one.rss_mb for one in settled]).slope * 600


def complaints(samples: Sequence[Sample]) -> list[str]:
    """Return what grew too much in one worker; needs at least six samples."""
    settled = _settled(samples)
    slope, minutes = mb_per_ten_minutes(samples), (settled[-1].seconds - settled[0].seconds) / 60
    half = len(settled) // 2
    before, after = settled[:half], settled[half:]
    found = []
    if slope * minutes / 10 > max(LEAST_MB, MB_PER_TEN_MINUTES * minutes / 10):
        found.append(f"memory grows by {slope:.1f} MB in ten minutes")
    if _most(after, "descriptors") > _most(before, "descriptors") + MORE_DESCRIPTORS:
        found.append(f"descriptors grew from {_most(before, 'descriptors')} to {_most(after, 'descriptors')}")
    if _most(after, "threads") > _most(before, "threads") + MORE_THREADS:
        found.append(f"threads grew from {_most(before, 'threads')} to {_most(after, 'threads')}")
    return [f"worker {samples[0].pid}: {what}" for what in found]


def _settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(len(samples) * SETTLING) :]


def _most(samples: Sequence[Sample], what: str) -> int:
    return max(int(getattr(sample, what)) for sample in samples)
