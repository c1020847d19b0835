"""Badge → PNG, by CairoSVG from our own SVG, with pictures drawn beforehand where that can't be had.

CairoSVG 2.9 has no `textLength` and no blur, takes the first font of a list only, and draws
`geometricPrecision` text as smears; so the SVG is first put into a form without them. It never sees
anything but our own drawing, whose texts are stripped and escaped.
"""

from __future__ import annotations

import functools
import re
import threading
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

from badge.artwork import cairo_text, svg
from badge.artwork.drawing import number
from badge.model import Badge, Theme

SCALES = (1, 2, 3, 4)
DEFAULT_SCALE = 2

RENDERER = 1
"""One more whenever the same badge is drawn otherwise, for pictures are kept."""

# How long to wait for one's turn, unless told otherwise: one draws at a time, for two threads draw slower than one.
PATIENCE_SECONDS = 0.8
_drawing = threading.Lock()

PREDRAWN = Path(__file__).with_name("predrawn")

# How wide DejaVu Sans draws these at a size of 100, by the font's own table.
_PROBE, _PROBE_WIDTH = "mmmiii", 375.6


class PngUnavailable(Exception):
    """No PNG can be drawn here now; the message says why, for operators."""


def draw(badge: Badge, scale: int = DEFAULT_SCALE, patience: float = PATIENCE_SECONDS) -> bytes:
    """The picture at so many pixels a unit; raises `PngUnavailable`, also where others draw for so many seconds."""
    if (fault := fault_of_this_machine()) is not None:
        raise PngUnavailable(fault)
    return _draw(for_png(badge), scale, patience)


def for_png(badge: Badge) -> Badge:
    """The badge as a PNG can show it: it can't follow the reader's setting, and is light by default."""
    return badge if badge.theme is Theme.DARK else replace(badge, theme=Theme.LIGHT)


def predrawn(status: str) -> bytes:
    """The picture of a status in the default look, for where none can be drawn."""
    return (PREDRAWN / f"{status}.png").read_bytes()


@functools.cache
def fault_of_this_machine() -> str | None:
    """Why PNGs can't be drawn here, or None. Loads cairo, so it is asked at first need only."""
    try:
        import cairosvg  # noqa: F401, PLC0415 - 20 MB and 0.2 s that most processes never need
    except (ImportError, OSError):
        return "cairo is missing (Debian: libcairo2)"
    drawn = cairo_text.advance(cairo_text.FONTS[0], _PROBE)
    # Without fonts cairo draws stick figures of its own, and says nothing.
    is_right = abs(drawn - _PROBE_WIDTH) < _PROBE_WIDTH / 50
    return None if is_right else "the font DejaVu Sans is missing (fonts-dejavu-core)"


def _draw(badge: Badge, scale: int, patience: float) -> bytes:
    import cairosvg  # noqa: PLC0415 - see above

    if not _drawing.acquire(timeout=patience):
        raise PngUnavailable("others are drawing")
    try:
        # Not reduced to a palette, which would save 3 kB of 5 and draw bands instead of gradients.
        return bytes(cairosvg.svg2png(bytestring=for_cairo(svg.draw(badge).decode()), scale=scale))
    except Exception as error:
        # Strangers' letters go through three libraries: what one of them chokes on is not drawn, no more.
        raise PngUnavailable(f"{type(error).__name__} while drawing") from error
    finally:
        _drawing.release()


def for_cairo(drawn: str) -> bytes:
    """Our own SVG in the form that CairoSVG draws as browsers draw the other."""
    plain = re.sub(r'<filter .*?</filter>|<text[^>]* filter="[^>]*>[^<]*</text>', "", drawn)
    plain = plain.replace(' text-rendering="geometricPrecision"', "")
    is_bold, size = 'font-weight="700"' in plain, 100 if 'font-size="100"' in plain else 110
    plain = re.sub(r' (font-family|text-anchor)="[^"]*"', "", plain)
    plain = plain.replace('<g transform="scale(.1)">', "<g>")
    texts = re.compile(r"<text([^>]*)>([^<]*)</text>")
    return texts.sub(lambda found: _fitted(found[1], unescape(found[2]), size, is_bold=is_bold), plain).encode()


def _fitted(given: str, shown: str, size: int, *, is_bold: bool) -> str:
    """A text as wide as its `textLength` says: as browsers do it by the gaps, or by the glyphs where they join."""
    values: dict[str, str] = dict(re.findall(r'([\w-]+)="([^"]*)"', given))
    length, centre = float(values.pop("textLength")), float(values.pop("x"))
    is_joined = values.pop("lengthAdjust", None) is not None
    runs = cairo_text.runs(shown, is_bold=is_bold or values.get("font-weight") == "bold")
    natural = sum(run.width for run in runs) * size / 100
    gaps = sum(len(run.letters) for run in runs) - 1
    stretch = length / natural if natural and (is_joined or gaps < 1) else 1.0
    gap = (length - natural) / gaps if gaps > 0 and not is_joined else 0.0
    drawn, left = [], centre - length / 2
    for run in runs:
        values["x"] = number(left / stretch)
        values["font-family"] = run.font
        values["transform"] = f"scale({number(stretch / 10)} .1)"
        values["letter-spacing"] = number(gap)
        kept = "".join(f' {name}="{value}"' for name, value in values.items() if name != "direction")
        drawn.append(f"<text{kept}>{escape(run.letters)}</text>")
        left += run.width * size / 100 * stretch + gap * len(run.letters)
    return "".join(drawn)
