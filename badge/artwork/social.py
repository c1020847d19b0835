"""The social style (a light button and a bubble), in the geometry of badge-maker 6.0.0."""

from __future__ import annotations

from badge.artwork.chart import chart_width, drawn_bars, kinds_of
from badge.artwork.drawing import (
    ICON_GAP,
    ICON_SIZE,
    LOGO_SIZE,
    Colour,
    Picture,
    Words,
    icon_at,
    icon_of,
    logo_at,
    logo_of,
    paint_of,
)
from badge.artwork.text_width import HELVETICA_11_BOLD
from badge.model import Badge

HEIGHT = 20
LABEL_PADDING = 5
MESSAGE_PADDING = 4
GUTTER = 6
LOGO_GAP = 3
CHART_GAP = 4
FONT_FAMILY = "Helvetica Neue,Helvetica,Arial,sans-serif"

# Light theme: shields' colours. Dark theme: those of GitHub's dark buttons.
_BUTTON = Colour("fill", "#fcfcfc", "#21262d")
_BUBBLE = Colour("fill", "#fafafa", "#21262d")
_BUBBLE_EDGE = Colour("stroke", "#fafafa", "#21262d")
_TEXT = Colour("fill", "#333", "#d1d7e0")
_TEXT_SHADOW = Colour("fill", "#fff", "#010409")
_LINE = Colour("stroke", "#d5d5d5", "#3d444d")


def draw_social(badge: Badge, label: Words, message: Words) -> Picture:
    """Draw a badge in this style. Only the icon has the status's colour."""
    label = Words.of(label.plain[:1].upper() + label.plain[1:])
    logo, icon = logo_of(badge), icon_of(badge)
    logo_room = LOGO_SIZE + (LOGO_GAP if label.plain else 0) if logo else 0
    icon_room = ICON_SIZE + ICON_GAP if icon else 0
    label_width, message_width = _pixel_width(label), _pixel_width(message)
    left = label_width + logo_room + 2 * LABEL_PADDING
    chart_room = chart_width(badge.bars) + CHART_GAP if badge.bars else 0
    right = message_width + icon_room + chart_room + 2 * MESSAGE_PADDING
    bubble = left + GUTTER
    label_centre = 10 * (logo_room + LABEL_PADDING) + 5 * label_width
    message_centre = 10 * (bubble + icon_room) + 5 * (right - icon_room - chart_room)

    status = {"i": Colour("fill", badge.colour, _lightened(badge.colour))} if icon else {}
    kinds = kinds_of(badge.bars)
    bars = {name: Colour("fill", bar.on_light, bar.on_dark) for name, bar in kinds.items()}
    style_sheet, paint = paint_of(
        badge.theme,
        {"b": _BUTTON, "u": _BUBBLE, "g": _BUBBLE_EDGE, "t": _TEXT, **status, **bars, "w": _TEXT_SHADOW, "d": _LINE},
    )
    drawn_logo = logo_at(LABEL_PADDING, (HEIGHT - LOGO_SIZE) // 2, logo, paint["t"]) if logo else ""
    drawn_icon = icon_at(bubble + MESSAGE_PADDING, (HEIGHT - ICON_SIZE) // 2, icon, paint["i"]) if icon else ""
    drawn_chart = ""
    if badge.bars:
        chart_left = bubble + right - MESSAGE_PADDING - chart_room + CHART_GAP
        drawn_chart = drawn_bars(badge.bars, chart_left, HEIGHT, {bar: paint[name] for name, bar in kinds.items()})
    body = (
        f'{style_sheet}<linearGradient id="a" x2="0" y2="100%"><stop offset="0" stop-color="#fcfcfc" stop-opacity="0"/>'
        f'<stop offset="1" stop-opacity=".1"/></linearGradient>'
        f"<g{paint['d']}>"
        f'<rect stroke="none" x="0.5" y="0.5" width="{left}" height="19" rx="2"{paint["b"]}/>'
        f'<rect x="{bubble}.5" y="0.5" width="{right}" height="19" rx="2"{paint["u"]}/>'
        f'<rect x="{bubble}" y="7.5" width="0.5" height="5"{paint["g"]}/>'
        f'<path d="M{bubble}.5 6.5 l-3 3v1 l3 3"{paint["u"]}/></g>'
        f"{drawn_logo}{drawn_icon}"
        f'<g aria-hidden="true" text-anchor="middle" font-family="{FONT_FAMILY}" text-rendering="geometricPrecision"'
        f' font-weight="700" font-size="110px"{paint["t"]}>'
        f'<rect fill="url(#a)" x="0.5" y="0.5" width="{left}" height="19" rx="2"{paint["d"]}/>'
        f"{_text(label, label_centre, label_width, paint['w'])}"
        f"{_text(message, message_centre, message_width, paint['w'])}</g>{drawn_chart}"
    )
    return Picture(left + 1 + GUTTER + right, HEIGHT, body)


def _pixel_width(words: Words) -> int:
    return HELVETICA_11_BOLD.width(words.plain) // 100 | 1


def _text(words: Words, centre: int, width: int, shadow: str) -> str:
    if not words.plain:
        return ""
    place = f'transform="scale(.1)" textLength="{10 * width}"'
    return (
        f'<text aria-hidden="true" x="{centre}" y="150" {place}{shadow}{words.direction}>{words.markup}</text>'
        f'<text x="{centre}" y="140" {place}{words.direction}>{words.markup}</text>'
    )


def _lightened(colour: str) -> str:
    """Return a colour halfway to white, which stands out on a dark background."""
    return "#" + "".join(f"{(int(colour[place : place + 2], 16) + 255) // 2:02x}" for place in (1, 3, 5))
