"""The style social (a light button and a bubble), in the geometry of badge-maker 6.0.0."""

from __future__ import annotations

from badge.artwork.drawing import (
    ICON_GAP,
    ICON_SIZE,
    LOGO_SIZE,
    Paint,
    attributes,
    glyph,
    group,
    icon_of,
    lightened,
    logo_of,
    number,
    rect,
    text,
)
from badge.artwork.text_width import HELVETICA_11_BOLD
from badge.model import Badge

HEIGHT = 20
INNER_HEIGHT = 19
LABEL_PADDING = 5
MESSAGE_PADDING = 4
GUTTER = 6
LOGO_GAP = 3
FONT_FAMILY = "Helvetica Neue,Helvetica,Arial,sans-serif"
# Light theme: shields' colours. Dark theme: those of GitHub's dark buttons.
BUTTON, BUBBLE = ("#fcfcfc", "#21262d"), ("#fafafa", "#21262d")
LINE = ("#d5d5d5", "#3d444d")
TEXT, TEXT_SHADOW = ("#333", "#d1d7e0"), ("#fff", "#010409")

_GRADIENT = (
    '<linearGradient id="a" x2="0" y2="100%"><stop offset="0" stop-color="#fcfcfc" stop-opacity="0"/>'
    '<stop offset="1" stop-opacity=".1"/></linearGradient>'
)


def draw_social(badge: Badge, label: str, message: str) -> tuple[float, int, str]:
    """Return width, height and body of the picture. Only the icon has the status's colour."""
    label = label[:1].upper() + label[1:]
    logo, icon = logo_of(badge), icon_of(badge)
    logo_room = (LOGO_SIZE + (LOGO_GAP if label else 0)) if logo else 0
    icon_room = ICON_SIZE + ICON_GAP if icon else 0
    label_width, message_width = _pixel_width(label), _pixel_width(message)
    left = label_width + logo_room + 2 * LABEL_PADDING
    right = message_width + icon_room + 2 * MESSAGE_PADDING
    bubble = left + GUTTER
    paint = Paint(badge.theme)
    grounds = [
        rect(stroke="none", x=0.5, y=0.5, width=left, height=INNER_HEIGHT, rx=2, **paint.fill("b", *BUTTON)),
        rect(x=bubble + 0.5, y=0.5, width=right, height=INNER_HEIGHT, rx=2, **paint.fill("u", *BUBBLE)),
        rect(x=bubble, y=7.5, width=0.5, height=5, **paint.stroke("g", *BUBBLE)),
        f'<path d="M{number(bubble + 0.5)} 6.5 l-3 3v1 l3 3"{attributes(**paint.fill("u", *BUBBLE))}/>',
    ]
    drawings = [
        glyph(logo, LABEL_PADDING, (HEIGHT - LOGO_SIZE) / 2, LOGO_SIZE, paint.fill("t", *TEXT)),
        glyph(
            icon,
            bubble + MESSAGE_PADDING,
            (HEIGHT - ICON_SIZE) / 2,
            ICON_SIZE,
            paint.fill("i", badge.colour, lightened(badge.colour)) if icon else {},
        ),
    ]
    shadow = paint.fill("w", *TEXT_SHADOW)
    line = paint.stroke("d", *LINE)
    content = [
        rect(fill="url(#a)", x=0.5, y=0.5, width=left, height=INNER_HEIGHT, rx=2, **line),
        _text(label, logo_room + label_width / 2 + LABEL_PADDING, label_width, shadow),
        _text(message, bubble + icon_room + (right - icon_room) / 2, message_width, shadow),
    ]
    texts = group(
        content,
        aria_hidden="true",
        text_anchor="middle",
        font_family=FONT_FAMILY,
        text_rendering="geometricPrecision",
        font_weight="700",
        font_size="110px",
        **paint.fill("t", *TEXT),
    )
    body = _GRADIENT + group(grounds, **line) + "".join(drawings) + texts
    return left + 1 + GUTTER + right, HEIGHT, paint.style_sheet + body


def _pixel_width(shown: str) -> int:
    return HELVETICA_11_BOLD.width(shown) // 100 | 1


def _text(shown: str, centre: float, width: int, shadow_fill: dict[str, str]) -> str:
    if not shown:
        return ""
    x, length, scale = 10 * centre, 10 * width, "scale(.1)"
    shadow = text(shown, aria_hidden="true", x=x, y=150, transform=scale, textLength=length, **shadow_fill)
    return shadow + text(shown, x=x, y=140, transform=scale, textLength=length)
