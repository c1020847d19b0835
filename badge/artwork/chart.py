"""A small chart of bars after the message, readable at a badge's height and without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from badge.artwork.drawing import LABEL_PAINT, number
from badge.model import Badge, Bar

BAR_WIDTH = 3
BAR_GAP = 2
FULL_HEIGHT = 12
STUB_HEIGHT = 4


class Chart(NamedTuple):
    """A chart in a box of its own, as SVG elements."""

    width: int = 0
    ground: str = ""
    bars: str = ""


_NO_CHART = Chart()


def chart_of(badge: Badge, left: float, padding: int, height: int) -> Chart:
    """Return the badge's chart, on the label's background: bars have too little contrast with some message colours."""
    if not badge.bars:
        return _NO_CHART
    width = chart_width(badge.bars) + 2 * padding
    ground = f'<rect x="{number(left)}" width="{width}" height="{height}"{LABEL_PAINT[badge.theme][1]["l"]}/>'
    paint = {bar: f' fill="{bar.on_dark}"' for bar in badge.bars}
    return Chart(width, ground, drawn_bars(badge.bars, left + padding, height, paint))


def chart_width(bars: Sequence[Bar]) -> int:
    """Return the width of the bars with the gaps between them."""
    return len(bars) * (BAR_WIDTH + BAR_GAP) - BAR_GAP


def kinds_of(bars: Sequence[Bar]) -> Mapping[str, Bar]:
    """Return the different bars, by short names for the style sheet."""
    return {f"c{place}": bar for place, bar in enumerate(dict.fromkeys(bars))}


def drawn_bars(bars: Sequence[Bar], left: float, height: int, paint: Mapping[Bar, str]) -> str:
    """Return the bars, centred in a badge of this height, as one path for each kind."""
    base = (height + FULL_HEIGHT) // 2
    outlines = dict.fromkeys(bars, "")
    for place, bar in enumerate(bars):
        tall = FULL_HEIGHT if bar.is_full else STUB_HEIGHT
        x = number(left + place * (BAR_WIDTH + BAR_GAP))
        outlines[bar] += f"M{x} {base - tall}h{BAR_WIDTH}v{tall}h-{BAR_WIDTH}z"
    paths = "".join(f'<path d="{outline}"{paint[bar]}/>' for bar, outline in outlines.items())
    return f'<g shape-rendering="crispEdges">{paths}</g>'
