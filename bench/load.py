"""Load by wrk: as many requests as possible, or a fixed rate below capacity."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUND_SECONDS = 2
CONCURRENCIES = (1, 32, 256)
PAUSE_MS = 20
"""Mean pause between two requests of a connection at a fixed rate; whole milliseconds, because wrk needs them."""

_HERE = Path(__file__).parent
_UNIT_US = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """Results of one run."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float


def flat_out(url: str, concurrency: int, seconds: int = ROUND_SECONDS) -> Load:
    """Keep `concurrency` requests in flight."""
    return _wrk(url, f"-c{concurrency}", f"-d{seconds}s")


def rate(url: str, concurrency: int) -> Callable[[], float]:
    """Return a function that measures requests per second, flat out."""
    return lambda: flat_out(url, concurrency).per_second


def at_rate(url: str, per_second: float, seconds: int = ROUND_SECONDS) -> Load:
    """Send about `per_second` requests per second, on connections that pause at random."""
    connections = max(1, round(per_second * PAUSE_MS / 1000))
    return _wrk(url, f"-c{connections}", f"-d{seconds}s", "-s", str(_HERE / "pauses.lua"), after=(str(PAUSE_MS),))


def many_names(url: str, requests: int) -> None:
    """Send at least `requests` requests for a thousand names in turn, most of them unknown."""
    done = 0
    while done < requests:
        done += _wrk(url, "-c8", "-d2s", "-s", str(_HERE / "names.lua")).requests


def _wrk(url: str, *options: str, after: tuple[str, ...] = ()) -> Load:
    """Run wrk; raises `RuntimeError` if any answer was not a success."""
    command = ["wrk", "-t1", "--latency", *options, url, *(("--", *after) if after else ())]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", output, re.DOTALL)
    if found is None or "Non-2xx" in output:
        raise RuntimeError(output)
    return Load(int(found[1]), float(found[2]), _percentile(output, 50), _percentile(output, 99))


def _percentile(output: str, part: int) -> float:
    found = re.search(rf"^\s+{part}%\s+([\d.]+)(us|ms|s)\s*$", output, re.MULTILINE)
    assert found is not None, output
    return float(found[1]) * _UNIT_US[found[2]]
