"""The style for-the-badge (tall, spaced upper case), in the geometry of badge-maker 6.0.0."""

from __future__ import annotations

from badge.artwork.drawing import (
    ICON_GAP,
    ICON_SIZE,
    LABEL_GROUND,
    LOGO_SIZE,
    VERDANA,
    Paint,
    glyph,
    group,
    icon_of,
    is_right_to_left,
    logo_of,
    rect,
    text,
    text_colours,
)
from badge.artwork.text_width import VERDANA_10, VERDANA_10_BOLD, Font
from badge.model import Badge

HEIGHT = 28
MARGIN = 12
LOGO_MARGIN = 9
LOGO_GAP = 6
LETTER_SPACING = 1.25


def draw_for_the_badge(badge: Badge, label: str, message: str) -> tuple[float, int, str]:
    """Return width, height and body of the picture."""
    label, message = label.upper(), message.upper()
    logo, icon = logo_of(badge), icon_of(badge)
    label_width, message_width = _width(VERDANA_10, label), _width(VERDANA_10_BOLD, message)
    label_left = LOGO_MARGIN + LOGO_SIZE + LOGO_GAP if logo else MARGIN
    left = label_left + label_width + MARGIN if label else 0
    # Without a label, the logo goes into the message's box.
    indent = LOGO_SIZE + LOGO_GAP if logo and not label else 0
    icon_room = ICON_SIZE + ICON_GAP if icon else 0
    right = 2 * MARGIN + indent + icon_room + message_width
    message_left = left + MARGIN + indent + icon_room
    label_colour, message_colour = text_colours(LABEL_GROUND[0])[0], text_colours(badge.colour)[0]
    paint = Paint(badge.theme)
    grounds = [
        rect(width=left, height=HEIGHT, **paint.fill("l", *LABEL_GROUND)) if label else "",
        rect(x=left, width=right, height=HEIGHT, fill=badge.colour),
    ]
    logo_colour = label_colour if label else message_colour
    content = [
        glyph(logo, LOGO_MARGIN, (HEIGHT - LOGO_SIZE) / 2, LOGO_SIZE, {"fill": logo_colour}),
        glyph(icon, message_left - icon_room, (HEIGHT - ICON_SIZE) / 2, ICON_SIZE, {"fill": message_colour}),
        _text(label, label_left, label_width, label_colour) if label else "",
        _text(message, message_left, message_width, message_colour, font_weight="bold"),
    ]
    texts = group(
        content,
        fill="#fff",
        text_anchor="middle",
        font_family=VERDANA,
        text_rendering="geometricPrecision",
        font_size="100",
    )
    return left + right, HEIGHT, paint.style_sheet + group(grounds, shape_rendering="crispEdges") + texts


def _width(font: Font, shown: str) -> float:
    # Joined letters can't be spaced.
    spacing = 0 if is_right_to_left(shown) else LETTER_SPACING
    return font.width(shown) // 100 + spacing * len(shown)


def _text(shown: str, left: float, width: float, colour: str, **more: str) -> str:
    fill = {} if colour == "#fff" else {"fill": colour}
    centre = 10 * (left + width / 2)
    return text(shown, transform="scale(.1)", x=centre, y=175, textLength=10 * width, **fill, **more)
