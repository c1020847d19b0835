"""Badge → SVG, in Shields' styles and the geometry of badge-maker 6.0.0 (npm)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from functools import partial

from badge.artwork import boxes, for_the_badge, social
from badge.artwork.boxes import draw_boxes
from badge.artwork.drawing import Picture, Words, document
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

_STYLES: Mapping[Style, Callable[[Badge, Words, Words], Picture]] = {
    Style.FLAT: partial(draw_boxes, boxes.FLAT),
    Style.FLAT_SQUARE: partial(draw_boxes, boxes.FLAT_SQUARE),
    Style.PLASTIC: partial(draw_boxes, boxes.PLASTIC),
    Style.FOR_THE_BADGE: draw_for_the_badge,
    Style.SOCIAL: draw_social,
}

# Enough for six statuses with a few labels, looks and ages; limited, because URLs can set any label.
REMEMBERED_PICTURES = 1024


@functools.lru_cache(maxsize=REMEMBERED_PICTURES)
def draw(badge: Badge) -> bytes:
    """Draw a badge, as UTF-8. The same badge always gives the same bytes, so its ETag stays the same."""
    label, message = Words.of(badge.label), Words.of(badge.message)
    title = f"{label.markup}: {message.markup}" if label.plain else message.markup
    if badge.details:
        title = f"{title} ({Words.of(badge.details).markup})"
    return document(_STYLES[badge.style](badge, label, message), title, badge.language)


def size(badge: Badge) -> tuple[float, int]:
    """Return a badge's width and height in pixels."""
    picture = _STYLES[badge.style](badge, Words.of(badge.label), Words.of(badge.message))
    return picture.width, picture.height
