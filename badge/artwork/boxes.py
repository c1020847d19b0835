"""The two-box styles flat, flat-square and plastic, in the geometry of badge-maker 6.0.0.

Text is drawn at 110 px and scaled down, so that browsers don't round the font size; its coordinates are therefore in
tenths of a pixel. `textLength` makes the reader's font as wide as Verdana.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

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
    text_colours,
    unless_white,
)
from badge.artwork.text_width import VERDANA_11
from badge.model import Badge

# Labels and messages repeat, so their widths are cached; limited, because URLs can set any label.
REMEMBERED_WIDTHS = 1024

PADDING = 5
LOGO_GAP = 3


class Gradient(NamedTuple):
    """The corner radius and the gradient that make a box look round and shiny."""

    radius: int
    stops: str


class BoxStyle(NamedTuple):
    """The differences between the three styles."""

    height: int
    text_y: int
    """Baseline of the text, in tenths of a pixel."""
    gradient: Gradient | None
    """None for square corners and text without a shadow."""


FLAT = BoxStyle(
    height=20,
    text_y=140,
    gradient=Gradient(3, '<stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/>'),
)
FLAT_SQUARE = BoxStyle(height=20, text_y=140, gradient=None)
PLASTIC = BoxStyle(
    height=18,
    text_y=130,
    gradient=Gradient(
        4,
        '<stop offset="0" stop-color="#fff" stop-opacity=".7"/><stop offset=".1" stop-color="#aaa" stop-opacity=".1"/>'
        '<stop offset=".9" stop-color="#000" stop-opacity=".3"/><stop offset="1" stop-color="#000" stop-opacity=".5"/>',
    ),
)


class Layout(NamedTuple):
    """Positions and widths in pixels; the centres of label and message are in tenths of a pixel."""

    left: int
    right: int
    label_centre: int
    label_width: int
    message_centre: int
    message_width: int
    icon_left: int

    @classmethod
    def of(cls, label: str, message: str, *, has_logo: bool, has_icon: bool) -> Layout:
        """Return the layout for a label and a message; without a label, the logo goes into the message's box."""
        label_width, message_width = pixel_width(label) if label else 0, pixel_width(message)
        icon = ICON_SIZE + ICON_GAP if has_icon else 0
        if label:
            logo = LOGO_SIZE + LOGO_GAP if has_logo else 0
            left, right = label_width + 2 * PADDING + logo, message_width + 2 * PADDING + icon
            content_left = left + PADDING - 1  # as in shields, a pixel further left if there is a label
        else:
            logo = LOGO_SIZE if has_logo else 0
            indent = logo + PADDING - 1 if has_logo else 0
            left, right = 0, message_width + 2 * PADDING + icon + indent
            content_left = PADDING + indent
        return cls(
            left,
            right,
            10 * (logo + 1 + PADDING) + 5 * label_width,
            label_width,
            10 * (content_left + icon) + 5 * message_width,
            message_width,
            content_left,
        )


@functools.lru_cache(maxsize=REMEMBERED_WIDTHS)
def pixel_width(shown: str) -> int:
    """Return the width in whole pixels, always odd: that is how shields keeps glyphs on the pixel grid."""
    return VERDANA_11.width(shown) // 100 | 1


def draw_boxes(style: BoxStyle, badge: Badge, label: Words, message: Words) -> Picture:
    """Draw a badge in one of the three styles."""
    logo, icon = logo_of(badge), icon_of(badge)
    spot = Layout.of(label.plain, message.plain, has_logo=logo is not None, has_icon=icon is not None)
    chart = chart_of(badge, spot.left + spot.right, PADDING, style.height)
    width, height = spot.left + spot.right + chart.width, style.height
    style_sheet, paint = LABEL_PAINT[badge.theme]
    label_ground = paint["l"] if label.plain else f' fill="{LABEL_GROUND[0]}"'
    grounds = (
        f'<rect width="{spot.left}" height="{height}"{label_ground}/>'
        f'<rect x="{spot.left}" width="{spot.right}" height="{height}" fill="{badge.colour}"/>{chart.ground}'
    )
    label_colours, message_colours = text_colours(LABEL_GROUND[0]), text_colours(badge.colour)
    drawn_logo = drawn_icon = ""
    if logo:
        colour = (label_colours if label.plain else message_colours)[0]
        drawn_logo = logo_at(PADDING, (height - LOGO_SIZE) // 2, logo, f' fill="{colour}"')
    if icon:
        drawn_icon = icon_at(spot.icon_left, (height - ICON_SIZE) // 2, icon, f' fill="{message_colours[0]}"')
    label_text = _text(label, spot.label_centre, spot.label_width, label_colours, style) if label.plain else ""
    message_text = _text(message, spot.message_centre, spot.message_width, message_colours, style)
    body = (
        f"{style_sheet if label.plain or badge.bars else ''}{_shaped(grounds, width, style)}"
        f'<g fill="#fff" text-anchor="middle" font-family="{VERDANA}" text-rendering="geometricPrecision"'
        f' font-size="110">{drawn_logo}{drawn_icon}{label_text}{message_text}</g>{chart.bars}'
    )
    return Picture(width, height, body)


def _shaped(grounds: str, width: int, style: BoxStyle) -> str:
    """Return the backgrounds with the style's corners and shine."""
    if style.gradient is None:
        return f'<g shape-rendering="crispEdges">{grounds}</g>'
    radius, stops = style.gradient
    return (
        f'<filter id="b"><feGaussianBlur stdDeviation="16"/></filter>'
        f'<linearGradient id="s" x2="0" y2="100%">{stops}</linearGradient>'
        f'<clipPath id="r"><rect width="{width}" height="{style.height}" rx="{radius}"/></clipPath>'
        f'<g clip-path="url(#r)">{grounds}<rect width="{width}" height="{style.height}" fill="url(#s)"/></g>'
    )


def _text(words: Words, centre: int, width: int, colours: tuple[str, str], style: BoxStyle) -> str:
    colour, shadow = colours
    _, markup, direction = words
    y, length = style.text_y, 10 * width
    if style.gradient is None:
        return (
            f'<text x="{centre}" y="{y}" textLength="{length}" transform="scale(.1)"'
            f"{unless_white(colour)}{direction}>{markup}</text>"
        )
    return (
        f'<g transform="scale(.1)"><g aria-hidden="true" fill="{shadow}">'
        f'<text x="{centre}" y="{y + 10}" fill-opacity=".8" filter="url(#b)" textLength="{length}"{direction}>'
        f"{markup}</text>"
        f'<text x="{centre}" y="{y + 10}" fill-opacity=".3" textLength="{length}"{direction}>{markup}</text></g>'
        f'<text x="{centre}" y="{y}" textLength="{length}"{unless_white(colour)}{direction}>{markup}</text></g>'
    )
