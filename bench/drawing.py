"""Drawing SVGs: badges per second in one process, ours and the peers'."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import badgepy
from anybadge import Badge as AnyBadge

from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.artwork.svg import draw
from badge.model import Badge
from bench.rounds import in_turn, rate_rows, say, table
from tests.servers import BIN

PEERS = Path(__file__).parent / "peers"
ROUND_SECONDS = 0.6
BADGES = [
    Badge(label="backup", message=words, colour=COLOURS[Palette.ACCESSIBLE][TONES[status]])
    for status, words in WORDS.items()
]


def rate_of(draw_all: Callable[[], object]) -> float:
    """Return badges per second; one call of `draw_all` draws all six."""
    draw_all()
    began, drawn = time.perf_counter(), 0
    while time.perf_counter() - began < ROUND_SECONDS:
        draw_all()
        drawn += len(BADGES)
    return drawn / (time.perf_counter() - began)


def ours() -> float:
    """Measure our drawing without its cache."""
    return rate_of(lambda: [draw.__wrapped__(badge) for badge in BADGES])


def remembered() -> float:
    """Measure our drawing as the service uses it, with the cache."""
    return rate_of(lambda: [draw(badge) for badge in BADGES])


def on_node(library: str) -> float:
    """Measure an npm library on Node, in its own process."""
    command = [str(BIN / "node"), "draw.mjs", library, str(ROUND_SECONDS)]
    done = subprocess.run(command, cwd=PEERS, check=True, capture_output=True, text=True, timeout=60)
    return float(done.stdout)


def badgepy_badges() -> float:
    """Measure PyPI's badgepy, the maintained fork of pybadges."""
    return rate_of(
        lambda: [badgepy.badge(left_text=b.label, right_text=b.message, right_color=b.colour) for b in BADGES]
    )


def any_badges() -> float:
    """Measure PyPI's anybadge."""
    return rate_of(lambda: [AnyBadge(b.label, b.message, default_color=b.colour).badge_svg_text for b in BADGES])


CONTENDERS = {
    "badge-maker 6 (npm)": lambda: on_node("badge-maker"),
    "badgen 3 (npm)": lambda: on_node("badgen"),
    "ours, without cache": ours,
    "ours, cached": remembered,
    "badgepy (pybadges)": badgepy_badges,
    "anybadge": any_badges,
}


def rows(rounds: int) -> list[str]:
    """Return the table for drawing SVGs."""
    say("Drawing SVGs")
    found = in_turn(rounds, CONTENDERS)
    columns = ["drawing the six badges", "relative to badge-maker", "badges a second"]
    return table(columns, rate_rows(found, "badge-maker 6 (npm)"))
