"""Badge → SVG, in the styles and geometry of shields' generation 6 (npm badge-maker 6.0.0)."""

from __future__ import annotations

import functools

from badge.artwork import boxes, for_the_badge, social
from badge.artwork.boxes import draw_boxes
from badge.artwork.drawing import document, printable
from badge.artwork.for_the_badge import draw_for_the_badge
from badge.artwork.social import draw_social
from badge.model import Badge, Style

HEIGHTS = {
    Style.FLAT: boxes.FLAT.height,
    Style.FLAT_SQUARE: boxes.FLAT_SQUARE.height,
    Style.PLASTIC: boxes.PLASTIC.height,
    Style.FOR_THE_BADGE: for_the_badge.HEIGHT,
    Style.SOCIAL: social.HEIGHT,
}

# Enough for six statuses in a few labels, looks and ages; limited because URLs choose labels freely.
REMEMBERED_PICTURES = 1024


@functools.lru_cache(maxsize=REMEMBERED_PICTURES)
def draw(badge: Badge) -> bytes:
    """Draw a badge, as UTF-8. The same badge always gives the same bytes."""
    label, message = printable(badge.label), printable(badge.message)
    width, height, body = _body(badge, label, message)
    return document(width, height, f"{label}: {message}" if label else message, badge.language, body)


def _body(badge: Badge, label: str, message: str) -> tuple[float, int, str]:
    match badge.style:
        case Style.FLAT:
            return draw_boxes(badge, label, message, boxes.FLAT)
        case Style.FLAT_SQUARE:
            return draw_boxes(badge, label, message, boxes.FLAT_SQUARE)
        case Style.PLASTIC:
            return draw_boxes(badge, label, message, boxes.PLASTIC)
        case Style.FOR_THE_BADGE:
            return draw_for_the_badge(badge, label, message)
        case Style.SOCIAL:
            return draw_social(badge, label, message)
