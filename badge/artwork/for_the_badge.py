"""The for-the-badge style (tall, spaced upper case), in the geometry of badge-maker 6.0.0."""

from __future__ import annotations

from badge.artwork.chart import chart_of
from badge.artwork.drawing import (
    ICON_GAP,
    ICON_SIZE,
    LABEL_GROUND,
    LABEL_PAINT,
    LOGO_SIZE,
    VERDANA,
    Picture,
    Words,
    icon_at,
    icon_of,
    logo_at,
    logo_of,
    number,
    text_colours,
    unless_white,
)
from badge.artwork.text_width import VERDANA_10, VERDANA_10_BOLD, Font
from badge.model import Badge

HEIGHT = 28
MARGIN = 12
LOGO_MARGIN = 9
LOGO_GAP = 6
LETTER_SPACING = 1.25


def draw_for_the_badge(badge: Badge, label: Words, message: Words) -> Picture:
    """Draw a badge in this style."""
    label, message = Words.of(label.plain.upper()), Words.of(message.plain.upper())
    logo, icon = logo_of(badge), icon_of(badge)
    label_width, message_width = _width(VERDANA_10, label), _width(VERDANA_10_BOLD, message)
    label_left = LOGO_MARGIN + LOGO_SIZE + LOGO_GAP if logo else MARGIN
    left = label_left + label_width + MARGIN if label.plain else 0
    # Without a label, the logo goes into the message's box.
    indent = LOGO_SIZE + LOGO_GAP if logo and not label.plain else 0
    icon_room = ICON_SIZE + ICON_GAP if icon else 0
    right = 2 * MARGIN + indent + icon_room + message_width
    icon_left = left + MARGIN + indent
    chart = chart_of(badge, left + right, MARGIN, HEIGHT)

    style_sheet, paint = LABEL_PAINT[badge.theme] if label.plain or badge.bars else ("", {})
    label_ground = label_text = ""
    label_colour, message_colour = text_colours(LABEL_GROUND[0])[0], text_colours(badge.colour)[0]
    if label.plain:
        label_ground = f'<rect width="{number(left)}" height="{HEIGHT}"{paint["l"]}/>'
        label_text = _text(label, label_left, label_width, unless_white(label_colour))
    drawn_logo = drawn_icon = ""
    if logo:
        colour = label_colour if label.plain else message_colour
        drawn_logo = logo_at(LOGO_MARGIN, (HEIGHT - LOGO_SIZE) // 2, logo, f' fill="{colour}"')
    if icon:
        drawn_icon = icon_at(icon_left, (HEIGHT - ICON_SIZE) // 2, icon, f' fill="{message_colour}"')
    bold = f'{unless_white(message_colour)} font-weight="bold"'
    body = (
        f'{style_sheet}<g shape-rendering="crispEdges">{label_ground}'
        f'<rect x="{number(left)}" width="{number(right)}" height="{HEIGHT}" fill="{badge.colour}"/>{chart.ground}</g>'
        f'<g fill="#fff" text-anchor="middle" font-family="{VERDANA}" text-rendering="geometricPrecision"'
        f' font-size="100">{drawn_logo}{drawn_icon}{label_text}'
        f"{_text(message, icon_left + icon_room, message_width, bold)}</g>{chart.bars}"
    )
    return Picture(left + right + chart.width, HEIGHT, body)


def _width(font: Font, words: Words) -> float:
    # Joined letters can't be spaced.
    spacing = 0 if words.direction else LETTER_SPACING
    return font.width(words.plain) // 100 + spacing * len(words.plain)


def _text(words: Words, left: float, width: float, attributes: str) -> str:
    centre = number(10 * (left + width / 2))
    return (
        f'<text transform="scale(.1)" x="{centre}" y="175" textLength="{number(10 * width)}"'
        f"{attributes}{words.direction}>{words.markup}</text>"
    )
