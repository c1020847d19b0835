"""What all styles share: drawable text, numbers, colours, glyphs and the frame of the SVG document."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS
from badge.model import BIDI_CONTROLS, Badge, Theme

VERDANA = "Verdana,Geneva,DejaVu Sans,sans-serif"
LABEL_GROUND = ("#555555", "#444c56")
"""Label background: shields' grey in the light theme; bluish in the dark one, to differ from the grey of statuses."""
LOGO_SIZE = 14
ICON_SIZE = 10
ICON_GAP = 3

_PRINTABLE = (("\x20", "\x7e"), ("\xa0", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff"))
# Most strings are plain words, in which nothing has to be dropped or escaped.
_is_plain = re.compile(r"[a-zA-Z0-9]+(?: [a-zA-Z0-9]+)*").fullmatch


class Words(NamedTuple):
    """A string as it is drawn."""

    plain: str
    markup: str
    """The text, escaped for XML."""
    direction: str
    """SVG attributes for right-to-left text; empty for any other."""

    @classmethod
    def of(cls, text: str) -> Words:
        """Return the printable part of a string, with its markup."""
        if _is_plain(text):
            return cls(text, text, "")
        text = printable(text)
        # Joined letters must be stretched, not spaced: spacing would tear them apart.
        direction = ' direction="rtl" lengthAdjust="spacingAndGlyphs"' if is_right_to_left(text) else ""
        return cls(text, escape(text), direction)


class Picture(NamedTuple):
    """A drawn badge: its size in pixels, and the content of the SVG element."""

    width: float
    height: int
    body: str


def printable(text: str) -> str:
    """Return the part of a string that can be drawn: XML 1.0 characters, no bidi controls, single spaces."""
    drawn = text if text.isascii() and text.isprintable() else "".join(filter(_is_drawn, text))
    return " ".join(drawn.split())


def _is_drawn(character: str) -> bool:
    if character in BIDI_CONTROLS:
        return False
    # XML 1.0, section 2.2, without the C1 controls, which it allows but which are invisible.
    return character in "\t\n\r" or any(first <= character <= last for first, last in _PRINTABLE)


def is_right_to_left(shown: str) -> bool:
    """Whether the first strong character of a string is right-to-left (UAX #9, rules P2 and P3)."""
    if shown.isascii():
        return False
    strong = (kind for kind in map(unicodedata.bidirectional, shown) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def number(value: float) -> str:
    """Format a coordinate with at most three decimals and no trailing zeros, in any locale."""
    return str(value) if isinstance(value, int) else f"{value:.3f}".rstrip("0").rstrip(".")


def logo_of(badge: Badge) -> str | None:
    """Return the path of the logo before the label, or None if there is none or its name is unknown."""
    return LOGOS.get(badge.logo or "")


def icon_of(badge: Badge) -> str | None:
    """Return the path of the status glyph before the message, or None."""
    return STATUS_GLYPHS.get(badge.icon or "")


def logo_at(x: float, y: int, path: str, paint: str) -> str:
    """Return a logo with its upper left corner at (x, y)."""
    return f'<path transform="translate({number(x)} {y})" d="{path}"{paint}/>'


def icon_at(x: float, y: int, path: str, paint: str) -> str:
    """Return a status glyph with its upper left corner at (x, y)."""
    return f'<path transform="translate({number(x)} {y}) {_ICON_SCALE}" d="{path}"{paint}/>'


_ICON_SCALE = f"scale({number(ICON_SIZE / LOGO_SIZE)})"


@functools.lru_cache(maxsize=256)  # the palettes have a dozen colours
def text_colours(background: str) -> tuple[str, str]:
    """Return the colours of text and text shadow on a background, by shields' brightness rule."""
    red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    brightness = round((red * 299 + green * 587 + blue * 114) / 255_000, 2)
    return ("#fff", "#010101") if brightness <= 0.69 else ("#333", "#ccc")


def unless_white(colour: str) -> str:
    """Return the fill attribute for text; empty for white, which text inherits from its group."""
    return "" if colour == "#fff" else f' fill="{colour}"'


class Colour(NamedTuple):
    """A colour that differs between the light and the dark theme."""

    property: str
    """`fill` or `stroke`."""
    light: str
    dark: str


def paint_of(theme: Theme, colours: Mapping[str, Colour]) -> tuple[str, dict[str, str]]:
    """Return the style sheet, or an empty string, and the attributes for each named colour.

    With `Theme.AUTO`, the attributes hold the light colour and a class with the colour's name; for readers who prefer
    dark, the style sheet overrides the colour of that class.
    """
    if theme is not Theme.AUTO:
        is_light = theme is Theme.LIGHT
        return "", {name: f' {c.property}="{c.light if is_light else c.dark}"' for name, c in colours.items()}
    rules = "".join(f".{name}{{{c.property}:{c.dark}}}" for name, c in colours.items())
    attributes = {name: f' {c.property}="{c.light}" class="{name}"' for name, c in colours.items()}
    return f"<style>@media(prefers-color-scheme:dark){{{rules}}}</style>", attributes


LABEL_PAINT = {theme: paint_of(theme, {"l": Colour("fill", *LABEL_GROUND)}) for theme in Theme}
"""Style sheet and attributes of the label's background."""


def document(picture: Picture, title: str, language: str) -> bytes:
    """Return the complete SVG; `title`, which is markup, is also its text alternative."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(picture.width)}" height="{picture.height}" role="img"'
        f' lang="{escape(language)}" aria-label="{title}"><title>{title}</title>{picture.body}</svg>'
    ).encode()
