"""Badge → PNG, by CairoSVG from our own SVG, with pictures drawn beforehand where that can't be had.

CairoSVG 2.9 has no `textLength` and no blur, takes the first font of a list only, and draws
`geometricPrecision` text as smears; so the SVG is first put into a form without them. It never sees
anything but our own drawing, whose texts are stripped and escaped.
"""

from __future__ import annotations

import functools
import re
import threading
from html import unescape
from pathlib import Path
from typing import Any

from badge.artwork import font_metrics, svg
from badge.artwork.drawing import number
from badge.artwork.for_the_badge import LETTER_SPACING
from badge.artwork.text_width import Font
from badge.model import Badge

SCALES = (1, 2, 3, 4)
DEFAULT_SCALE = 2

# Labels and looks are strangers' to choose, so these are few; a flat badge at 2x takes 5 kB.
REMEMBERED_PICTURES = 512

# One at a time: two threads draw slower than one. Who waits longer gets a picture drawn beforehand.
PATIENCE_SECONDS = 0.8
_drawing = threading.Lock()

PREDRAWN = Path(__file__).with_name("predrawn")

_DEJAVU = Font(100, font_metrics.DEJAVU_100)
_DEJAVU_BOLD = Font(100, font_metrics.DEJAVU_BOLD_100)
_PROBE = "mmmiii"


class PngUnavailable(Exception):
    """No PNG can be drawn here now; the message says why, for operators."""


def draw(badge: Badge, scale: int = DEFAULT_SCALE) -> bytes:
    """The picture at so many pixels a unit; raises `PngUnavailable`."""
    if (fault := fault_of_this_machine()) is not None:
        raise PngUnavailable(fault)
    return _draw(badge, scale)


def predrawn(status: str) -> bytes:
    """The picture of a status in the default look, for where none can be drawn."""
    return (PREDRAWN / f"{status}.png").read_bytes()


@functools.cache
def fault_of_this_machine() -> str | None:
    """Why PNGs can't be drawn here, or None. Loads cairo, so it is asked at first need only."""
    try:
        import cairocffi  # noqa: PLC0415 - 20 MB and 0.2 s that most processes never need
        import cairosvg  # noqa: F401, PLC0415 - the same
    except (ImportError, OSError):
        return "cairo is missing (Debian: libcairo2)"
    context = cairocffi.Context(cairocffi.ImageSurface(cairocffi.FORMAT_A8, 1, 1))
    context.select_font_face("DejaVu Sans")
    context.set_font_size(100)
    drawn, expected = context.text_extents(_PROBE)[4], _DEJAVU.width(_PROBE) / 100
    # Without fonts cairo draws stick figures of its own, and says nothing.
    return None if abs(drawn - expected) < expected / 50 else "the font DejaVu Sans is missing (fonts-dejavu-core)"


@functools.lru_cache(maxsize=REMEMBERED_PICTURES)
def _draw(badge: Badge, scale: int) -> bytes:
    import cairosvg  # noqa: PLC0415 - see above

    if not _drawing.acquire(timeout=PATIENCE_SECONDS):
        raise PngUnavailable("others are drawing")
    try:
        # Not reduced to a palette, which would save 3 kB of 5 and draw bands instead of gradients.
        drawn: bytes = cairosvg.svg2png(bytestring=for_cairo(svg.draw(badge).decode()), scale=scale)
        return drawn
    finally:
        _drawing.release()


def for_cairo(drawn: str) -> bytes:
    """Our own SVG in the form that CairoSVG draws as browsers draw the other."""
    plain = re.sub(r'<filter .*?</filter>|<text[^>]* filter="[^>]*>[^<]*</text>', "", drawn)
    plain = plain.replace(' text-rendering="geometricPrecision"', "")
    is_bold, is_spaced = 'font-weight="700"' in plain, 'font-size="100"' in plain
    plain = re.sub(r'font-family="[^"]*"', 'font-family="DejaVu Sans"', plain)
    plain = plain.replace('<g transform="scale(.1)">', "<g>")
    texts = re.compile(r"<text([^>]*)>([^<]*)</text>")
    return texts.sub(lambda found: _fitted(found[1], found[2], is_bold=is_bold, is_spaced=is_spaced), plain).encode()


def _fitted(given: str, shown: str, *, is_bold: bool, is_spaced: bool) -> str:
    """A text as wide as its `textLength` says, by a scale of its own, or with for-the-badge's spacing."""
    values: dict[str, Any] = dict(re.findall(r'([\w-]+)="([^"]*)"', given))
    length = float(values.pop("textLength"))
    font = _DEJAVU_BOLD if is_bold or values.get("font-weight") == "bold" else _DEJAVU
    natural = font.width(unescape(shown)) * (100 if is_spaced else 110) / 10_000
    if is_spaced:
        spaced = 10 * LETTER_SPACING * len(unescape(shown))
        values["letter-spacing"] = number(10 * LETTER_SPACING)
        narrower = (length - spaced) / natural if natural else 1
    else:
        narrower = length / natural if natural else 1
    values["transform"] = f"scale({number(narrower / 10)} .1)"
    values["x"] = number(float(values["x"]) / narrower)
    kept = "".join(f' {name}="{value}"' for name, value in values.items())
    return f"<text{kept}>{shown}</text>"
