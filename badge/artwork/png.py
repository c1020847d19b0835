"""Badge → PNG, rendered from our own SVG by CairoSVG; predrawn pictures if it is not available.

CairoSVG 2.9 has no `textLength` and no blur, uses only the first font of a list, and smears `geometricPrecision` text,
so the SVG is first rewritten without them. CairoSVG only ever renders our own drawings, whose text is escaped and has
no unprintable characters.
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
"""Increment whenever the same badge is drawn differently, because pictures are cached."""

# Default wait for the lock: only one thread draws at a time, because two are slower than one.
PATIENCE_SECONDS = 0.8
_drawing = threading.Lock()

PREDRAWN = Path(__file__).with_name("predrawn")

# A string and its width in DejaVu Sans at size 100, from the font's own table.
_PROBE, _PROBE_WIDTH = "mmmiii", 375.6


class PngUnavailable(Exception):
    """No PNG can be drawn now; the message tells operators why."""


def draw(badge: Badge, scale: int = DEFAULT_SCALE, patience: float = PATIENCE_SECONDS) -> bytes:
    """Draw a badge at `scale` pixels per unit; waits up to `patience` seconds for other threads.

    Raises `PngUnavailable`.
    """
    if (fault := fault_of_this_machine()) is not None:
        raise PngUnavailable(fault)
    return _draw(for_png(badge), scale, patience)


def for_png(badge: Badge) -> Badge:
    """Return the badge with a fixed theme, light by default: a PNG can't follow the reader's setting."""
    return badge if badge.theme is Theme.DARK else replace(badge, theme=Theme.LIGHT)


def predrawn(status: str) -> bytes:
    """Return the ready-made picture of a status in the default look."""
    return (PREDRAWN / f"{status}.png").read_bytes()


@functools.cache
def fault_of_this_machine() -> str | None:
    """Return why PNGs can't be drawn on this machine, or None. Loads cairo, so call it only when needed."""
    try:
        import cairosvg  # noqa: F401, PLC0415 - 20 MB and 0.2 s; most processes never need it
    except (ImportError, OSError):
        return "cairo is missing (Debian: libcairo2)"
    drawn = cairo_text.advance(cairo_text.FONTS[0], _PROBE)
    # Without fonts, cairo silently falls back to a stick font of its own.
    is_right = abs(drawn - _PROBE_WIDTH) < _PROBE_WIDTH / 50
    return None if is_right else "the font DejaVu Sans is missing (Debian: fonts-dejavu-core)"


def _draw(badge: Badge, scale: int, patience: float) -> bytes:
    import cairosvg  # noqa: PLC0415 - see above

    if not _drawing.acquire(timeout=patience):
        raise PngUnavailable("other threads are drawing")
    try:
        # Not reduced to a palette: that would save 3 of 5 kB but turn gradients into bands.
        return bytes(cairosvg.svg2png(bytestring=for_cairo(svg.draw(badge).decode()), scale=scale))
    except Exception as error:
        # Text from URLs passes through three libraries; if one of them fails on it, only this PNG is lost.
        raise PngUnavailable(f"{type(error).__name__} while drawing") from error
    finally:
        _drawing.release()


def for_cairo(drawn: str) -> bytes:
    """Rewrite our own SVG so that CairoSVG renders it as browsers render the original."""
    plain = re.sub(r'<filter .*?</filter>|<text[^>]* filter="[^>]*>[^<]*</text>', "", drawn)
    plain = plain.replace(' text-rendering="geometricPrecision"', "")
    is_bold, size = 'font-weight="700"' in plain, 100 if 'font-size="100"' in plain else 110
    plain = re.sub(r' (font-family|text-anchor)="[^"]*"', "", plain)
    plain = plain.replace('<g transform="scale(.1)">', "<g>")
    texts = re.compile(r"<text([^>]*)>([^<]*)</text>")
    return texts.sub(lambda found: _fitted(found[1], unescape(found[2]), size, is_bold=is_bold), plain).encode()


def _fitted(given: str, shown: str, size: int, *, is_bold: bool) -> str:
    """Return text elements, together `textLength` wide: letters are spaced as in browsers, joined ones stretched."""
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
        attributes = "".join(f' {name}="{value}"' for name, value in values.items() if name != "direction")
        drawn.append(f"<text{attributes}>{escape(run.letters)}</text>")
        left += run.width * size / 100 * stretch + gap * len(run.letters)
    return "".join(drawn)
