"""Badge → SVG, in the flat style of shields' generation 6 (npm badge-maker 6.0.0).

Coordinates in text are ten times a pixel, for the texts are drawn at 110 px and scaled down, which
keeps browsers from rounding the font's size. `textLength` makes the reader's font as wide as Verdana.
"""

from __future__ import annotations

import functools
from html import escape

from badge.artwork.text_width import text_width
from badge.model import BIDI_CONTROLS, Badge

HEIGHT = 20
PADDING = 5
FONT_FAMILY = "Verdana,Geneva,DejaVu Sans,sans-serif"

# Six statuses in a few labels and ages; labels are the reader's to choose, so this has a limit.
REMEMBERED_PICTURES = 1024


@functools.lru_cache(maxsize=REMEMBERED_PICTURES)
def draw(badge: Badge) -> bytes:
    """The picture of a badge, as UTF-8. The same badge gives the same bytes, always."""
    label, message = printable(badge.label), printable(badge.message)
    left = _box_width(label) if label else 0
    right = _box_width(message)
    title = escape(f"{label}: {message}" if label else message)
    width = left + right
    texts = _text(label, 5 * left + 10) if label else ""
    # The message is centred in its box, a pixel to the left beside a label as shields has it.
    centre = 10 * left + 5 * right - (10 if label else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        '<filter id="b"><feGaussianBlur stdDeviation="16"/></filter>'
        '<linearGradient id="s" x2="0" y2="100%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/>'
        '<stop offset="1" stop-opacity=".1"/></linearGradient>'
        f'<clipPath id="r"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath>'
        '<g clip-path="url(#r)">'
        f'<rect width="{left}" height="{HEIGHT}" fill="{badge.label_colour}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{badge.colour}"/>'
        f'<rect width="{width}" height="{HEIGHT}" fill="url(#s)"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="{FONT_FAMILY}" '
        'text-rendering="geometricPrecision" font-size="110">'
        f"{texts}{_text(message, centre)}</g></svg>"
    ).encode()


def printable(text: str) -> str:
    """What of a text can stand in a picture: XML 1.0's characters, no bidi controls, single spaces."""
    return " ".join("".join(filter(_is_drawn, text)).split())


def _is_drawn(character: str) -> bool:
    if character in BIDI_CONTROLS:
        return False
    # XML 1.0, section 2.2, less the C1 controls that it allows but nobody can see.
    return character in "\t\n\r" or any(
        first <= character <= last
        for first, last in (("\x20", "\x7e"), ("\xa0", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff"))
    )


def _box_width(text: str) -> int:
    return _pixel_width(text) + 2 * PADDING


def _pixel_width(text: str) -> int:
    """Whole pixels, always odd: shields' way of keeping glyphs on the pixel grid."""
    return text_width(text) // 100 | 1


def _text(text: str, x: int) -> str:
    shown, length = escape(text), 10 * _pixel_width(text)
    return (
        '<g transform="scale(.1)"><g aria-hidden="true" fill="#010101">'
        f'<text x="{x}" y="150" fill-opacity=".8" filter="url(#b)" textLength="{length}">{shown}</text>'
        f'<text x="{x}" y="150" fill-opacity=".3" textLength="{length}">{shown}</text></g>'
        f'<text x="{x}" y="140" textLength="{length}">{shown}</text></g>'
    )
