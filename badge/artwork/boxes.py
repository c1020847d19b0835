"""The two-box styles flat, flat-square and plastic, in the geometry of badge-maker 6.0.0.

Text coordinates are in tenths of a pixel: text is drawn at 110 px and scaled down, so that browsers don't round the
font size. `textLength` makes the reader's font as wide as Verdana.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    logo_of,
    number,
    rect,
    text,
    text_colours,
)
from badge.artwork.text_width import VERDANA_11
from badge.model import Badge

PADDING = 5
LOGO_GAP = 3

_BLUR = '<filter id="b"><feGaussianBlur stdDeviation="16"/></filter>'


@dataclass(frozen=True, slots=True)
class BoxStyle:
    """The differences between the three styles."""

    height: int
    radius: int | None
    """None for square corners without text shadow."""
    gradient: str
    text_shift: int = 0
    """How much higher the text is placed, in tenths of a pixel."""


FLAT = BoxStyle(20, 3, '<stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/>')
FLAT_SQUARE = BoxStyle(20, None, "")
PLASTIC = BoxStyle(
    18,
    4,
    '<stop offset="0" stop-color="#fff" stop-opacity=".7"/><stop offset=".1" stop-color="#aaa" stop-opacity=".1"/>'
    '<stop offset=".9" stop-color="#000" stop-opacity=".3"/><stop offset="1" stop-color="#000" stop-opacity=".5"/>',
    text_shift=10,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions and widths in pixels; text is placed by its centre."""

    left: int
    right: int
    label_centre: float
    label_width: int
    message_centre: float
    message_width: int
    icon_left: int

    @classmethod
    def of(cls, label: str, message: str, *, has_logo: bool, has_icon: bool) -> Layout:
        """Return the layout for a label and a message; without a label, the logo goes into the message's box."""
        label_width, message_width = pixel_width(label) if label else 0, pixel_width(message)
        logo = LOGO_SIZE + (LOGO_GAP if label else 0) if has_logo else 0
        icon = ICON_SIZE + ICON_GAP if has_icon else 0
        left = label_width + 2 * PADDING + logo if label else 0
        alone = logo if not label else 0
        indent = alone + PADDING if alone else 0
        # As in shields, the message is a pixel further left if there is a label.
        margin = left + indent + icon - (1 if label or alone else 0)
        return cls(
            left=left,
            right=message_width + 2 * PADDING + icon + (alone + PADDING - 1 if alone else 0),
            label_centre=logo + 1 + label_width / 2 + PADDING,
            label_width=label_width,
            message_centre=margin + message_width / 2 + PADDING,
            message_width=message_width,
            icon_left=left + indent + PADDING - (1 if label or alone else 0),
        )

    @property
    def width(self) -> int:
        """Width of both boxes."""
        return self.left + self.right


def draw_boxes(badge: Badge, label: str, message: str, style: BoxStyle) -> tuple[int, int, str]:
    """Return width, height and body of the picture."""
    logo, icon = logo_of(badge), icon_of(badge)
    layout = Layout.of(label, message, has_logo=logo is not None, has_icon=icon is not None)
    logo_ground = LABEL_GROUND[0] if label else badge.colour
    content = [
        glyph(logo, PADDING, (style.height - LOGO_SIZE) / 2, LOGO_SIZE, {"fill": text_colours(logo_ground)[0]}),
        glyph(
            icon, layout.icon_left, (style.height - ICON_SIZE) / 2, ICON_SIZE, {"fill": text_colours(badge.colour)[0]}
        ),
        _text(label, layout.label_centre, layout.label_width, LABEL_GROUND[0], style) if label else "",
        _text(message, layout.message_centre, layout.message_width, badge.colour, style),
    ]
    texts = group(
        content,
        fill="#fff",
        text_anchor="middle",
        font_family=VERDANA,
        text_rendering="geometricPrecision",
        font_size="110",
    )
    paint = Paint(badge.theme)
    grounds = _grounds(badge, layout, style, paint)
    return layout.width, style.height, paint.style_sheet + grounds + texts


def pixel_width(shown: str) -> int:
    """Width in whole pixels, always odd, which is how shields keeps glyphs on the pixel grid."""
    return VERDANA_11.width(shown) // 100 | 1


def _grounds(badge: Badge, layout: Layout, style: BoxStyle, paint: Paint) -> str:
    label_ground = paint.fill("l", *LABEL_GROUND) if layout.left else {"fill": LABEL_GROUND[0]}
    left = rect(width=layout.left, height=style.height, **label_ground)
    right = rect(x=layout.left, width=layout.right, height=style.height, fill=badge.colour)
    if style.radius is None:
        return group([left, right], shape_rendering="crispEdges")
    corners = rect(width=layout.width, height=style.height, rx=style.radius)
    shine = rect(width=layout.width, height=style.height, fill="url(#s)")
    return (
        f'{_BLUR}<linearGradient id="s" x2="0" y2="100%">{style.gradient}</linearGradient>'
        f'<clipPath id="r">{corners}</clipPath>{group([left, right, shine], clip_path="url(#r)")}'
    )


def _text(shown: str, centre: float, width: int, ground: str, style: BoxStyle) -> str:
    colour, shadow = text_colours(ground)
    x, y, length = 10 * centre, 140 - style.text_shift, number(10 * width)
    fill = {} if colour == "#fff" else {"fill": colour}
    if style.radius is None:
        return text(shown, x=x, y=y, textLength=length, transform="scale(.1)", **fill)
    blurred = text(shown, x=x, y=y + 10, fill_opacity=".8", filter="url(#b)", textLength=length)
    sharp = text(shown, x=x, y=y + 10, fill_opacity=".3", textLength=length)
    shadows = group([blurred, sharp], aria_hidden="true", fill=shadow)
    return group([shadows, text(shown, x=x, y=y, textLength=length, **fill)], transform="scale(.1)")
