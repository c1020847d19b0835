"""Drawing primitives that all styles share: printable text, locale-independent numbers, SVG elements."""

from __future__ import annotations

import functools
import unicodedata
from html import escape

from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS, Glyph
from badge.model import BIDI_CONTROLS, Badge, Theme

VERDANA = "Verdana,Geneva,DejaVu Sans,sans-serif"
LABEL_GROUND = ("#555555", "#444c56")
"""Background of the label: shields' grey in the light theme, a slate in the dark one, unlike the statuses' grey."""
LOGO_SIZE = 14
ICON_SIZE = 10
ICON_GAP = 3

_PRINTABLE = (("\x20", "\x7e"), ("\xa0", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff"))


def printable(text: str) -> str:
    """Return the part of a text that can be drawn: XML 1.0 characters, no bidi controls, single spaces."""
    drawn = text if text.isascii() and text.isprintable() else "".join(filter(_is_drawn, text))
    return " ".join(drawn.split())


def _is_drawn(character: str) -> bool:
    if character in BIDI_CONTROLS:
        return False
    # XML 1.0, section 2.2, without the C1 controls, which it allows but which are invisible.
    return character in "\t\n\r" or any(first <= character <= last for first, last in _PRINTABLE)


def number(value: float) -> str:
    """Format a coordinate with at most three decimals and no trailing zeros, in any locale."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def attributes(**given: str | float) -> str:
    """Format attributes in the order given; `_` becomes `-`."""
    return "".join(
        f' {_name(keyword)}="{value if isinstance(value, str) else number(value)}"' for keyword, value in given.items()
    )


@functools.cache
def _name(keyword: str) -> str:
    return keyword.rstrip("_").replace("_", "-")


def rect(**given: str | float) -> str:
    """Return a rectangle."""
    return f"<rect{attributes(**given)}/>"


def text(shown: str, **given: str | float) -> str:
    """Return an escaped text, in the direction of its first strong character (UAX #9, rules P2 and P3)."""
    if is_right_to_left(shown):
        # Joined letters must be stretched, not spaced: spacing would tear them apart.
        given |= {"direction": "rtl", "lengthAdjust": "spacingAndGlyphs"}
    return f"<text{attributes(**given)}>{escape(shown)}</text>"


def is_right_to_left(shown: str) -> bool:
    """Whether the first strong character of a text is right-to-left."""
    if shown.isascii():
        return False
    strong = (kind for kind in map(unicodedata.bidirectional, shown) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def group(body: list[str], **given: str | float) -> str:
    """Return a group of elements with common attributes."""
    return f"<g{attributes(**given)}>{''.join(body)}</g>"


def glyph(drawing: Glyph | None, x: float, y: float, size: float, fill: dict[str, str]) -> str:
    """Return a glyph with its upper left corner at (x, y); an empty string for None."""
    if drawing is None:
        return ""
    place = f"translate({number(x)} {number(y)})" + ("" if size == LOGO_SIZE else f" scale({number(size / LOGO_SIZE)})")
    return f"<path{attributes(transform=place, d=drawing.path, **fill)}/>"


def logo_of(badge: Badge) -> Glyph | None:
    """Return the logo before the label, or None if there is none or its name is unknown."""
    return LOGOS.get(badge.logo or "")


def icon_of(badge: Badge) -> Glyph | None:
    """Return the status glyph before the message, or None."""
    return STATUS_GLYPHS.get(badge.icon or "")


def text_colours(background: str) -> tuple[str, str]:
    """Return the colours of text and text shadow on a background, by shields' brightness rule."""
    red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    brightness = round((red * 299 + green * 587 + blue * 114) / 255_000, 2)
    return ("#fff", "#010101") if brightness <= 0.69 else ("#333", "#ccc")


class Paint:
    """The colours of one picture that differ between the light and the dark theme.

    With `Theme.AUTO` the attributes hold the light colours, and a style sheet, collected from all calls, overrides
    them if the reader prefers dark.
    """

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._rules: dict[str, str] = {}

    def fill(self, name: str, light: str, dark: str) -> dict[str, str]:
        """Return the attributes for an area; elements with the same colours share the class `name`."""
        return self._paint("fill", name, light, dark)

    def stroke(self, name: str, light: str, dark: str) -> dict[str, str]:
        """Return the same for a line."""
        return self._paint("stroke", name, light, dark)

    def _paint(self, what: str, name: str, light: str, dark: str) -> dict[str, str]:
        if self._theme is not Theme.AUTO:
            return {what: light if self._theme is Theme.LIGHT else dark}
        self._rules[name] = f".{name}{{{what}:{dark}}}"
        return {what: light, "class": name}

    @property
    def style_sheet(self) -> str:
        """The style element for the start of the picture; empty if no colour differs."""
        if not self._rules:
            return ""
        return f"<style>@media(prefers-color-scheme:dark){{{''.join(self._rules.values())}}}</style>"


def lightened(colour: str) -> str:
    """Return a colour halfway to white, which stands out on a dark background."""
    return "#" + "".join(f"{(int(colour[place : place + 2], 16) + 255) // 2:02x}" for place in (1, 3, 5))


def document(width: float, height: int, title: str, language: str, body: str) -> bytes:
    """Return the complete SVG; `title` is also its text alternative."""
    title = escape(title)
    size = attributes(width=width, height=height)
    root = f'xmlns="http://www.w3.org/2000/svg"{size} role="img" lang="{escape(language)}"'
    return f'<svg {root} aria-label="{title}"><title>{title}</title>{body}</svg>'.encode()
