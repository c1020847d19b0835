"""PNGs: ours compared with plain CairoSVG on the same SVG, and what the first PNG costs a process."""

from __future__ import annotations

import statistics
import subprocess
import sys

import cairosvg

from badge.artwork import png, svg
from bench.drawing import BADGES, rate_of
from bench.rounds import in_turn, rate_rows, say, table

SCALE = 2

# Load what a worker loads before its first request, then draw a badge as SVG and, in one variant, as PNG too.
_PROCESS = """
import time, psutil
began = time.perf_counter()
from badge import app
from badge.artwork import png, svg
from badge.model import Badge
loaded = time.perf_counter() - began
badge = Badge(label="backup", message="succeeded", colour="#2b7a2b")
svg.draw(badge)
{more}
print(loaded, time.perf_counter() - began - loaded, psutil.Process().memory_full_info().pss / 1e6)
"""


def ours() -> float:
    """Measure our PNGs: SVG rewritten for CairoSVG, then rendered."""
    return rate_of(lambda: [png.draw(badge, SCALE) for badge in BADGES])


def bare() -> float:
    """Measure CairoSVG on the SVG for browsers, although the result looks wrong."""
    return rate_of(lambda: [cairosvg.svg2png(bytestring=svg.draw(badge), scale=SCALE) for badge in BADGES])


CONTENDERS = {"cairosvg.svg2png on the same SVG": bare, "ours": ours}


def process_figures(*, draws_png: bool) -> tuple[float, float, float]:
    """Return seconds to load the application, seconds to draw the first badge, and PSS in MB, of a fresh process."""
    program = _PROCESS.format(more="png.draw(badge)" if draws_png else "")
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    loaded, drawn, memory = map(float, done.stdout.split())
    return loaded, drawn, memory


def rows(rounds: int) -> list[str]:
    """Return the tables for PNGs."""
    say("Drawing PNGs")
    ours()  # loads cairo and the fonts
    found = in_turn(rounds, CONTENDERS)
    columns = ["drawing PNGs at 2x, none cached", "relative to bare CairoSVG", "pictures a second"]
    speed = table(columns, rate_rows(found, "cairosvg.svg2png on the same SVG"))
    say("What PNGs cost a process")
    processes = {
        "as SVG": lambda: process_figures(draws_png=False),
        "as SVG and PNG": lambda: process_figures(draws_png=True),
    }
    costs = []
    for name, figures in in_turn(rounds, processes).items():
        loaded, drawn, memory = map(statistics.median, zip(*figures, strict=True))
        costs.append([name, f"{loaded:.2f} s", f"{1000 * drawn:.0f} ms", f"{memory:.0f} MB"])
    return [
        *speed,
        "",
        *table(
            ["first badge of a process", "time to load the application", "time to draw it", "memory (PSS) afterwards"],
            costs,
        ),
    ]
