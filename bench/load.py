"""Asking for one badge over and over by wrk: as fast as it comes, or at a rate below capacity."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUND_SECONDS = 2
CONCURRENCIES = (1, 32, 256)
PAUSE_MS = 20
"""Between two requests of a connection, on average, where the rate is given: the script waits whole milliseconds."""

_HERE = Path(__file__).parent
_UNIT_US = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float


def flat_out(url: str, concurrency: int, seconds: int = ROUND_SECONDS) -> Load:
    """So many at a time, each again at once."""
    return _wrk(url, f"-c{concurrency}", f"-d{seconds}s")


def rate(url: str, concurrency: int) -> Callable[[], float]:
    """Measures requests a second, flat out, whenever its turn comes."""
    return lambda: flat_out(url, concurrency).per_second


def at_rate(url: str, per_second: float, seconds: int = ROUND_SECONDS) -> Load:
    """So many a second, on connections that pause at random."""
    connections = max(1, round(per_second * PAUSE_MS / 1000))
    return _wrk(url, f"-c{connections}", f"-d{seconds}s", "-s", str(_HERE / "pauses.lua"), after=(str(PAUSE_MS),))


def many_names(url: str, requests: int) -> None:
    """At least so many requests, for a thousand names in turn, most of which nobody has reported."""
    done = 0
    while done < requests:
        done += _wrk(url, "-c8", "-d2s", "-s", str(_HERE / "names.lua")).requests


def _wrk(url: str, *options: str, after: tuple[str, ...] = ()) -> Load:
    """Raises `RuntimeError` if any answer was no success."""
    command = ["wrk", "-t1", "--latency", *options, url, *(("--", *after) if after else ())]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", said, re.DOTALL)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return Load(int(found[1]), float(found[2]), _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, part: int) -> float:
    found = re.search(rf"^\s+{part}%\s+([\d.]+)(us|ms|s)\s*$", said, re.MULTILINE)
    assert found is not None, said
    return float(found[1]) * _UNIT_US[found[2]]
