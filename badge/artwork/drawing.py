"""What all styles draw with: text that can be printed, numbers without a locale, elements."""

from __future__ import annotations

import functools
import unicodedata
from html import escape

from badge.artwork.glyphs import LOGOS, STATUS_GLYPHS, Glyph
from badge.model import BIDI_CONTROLS, Badge, Theme

VERDANA = "Verdana,Geneva,DejaVu Sans,sans-serif"
LABEL_GROUND = ("#555555", "#444c56")
"""Behind the label: by day as all of shields' badges have it, by night a slate unlike the statuses' grey."""
LOGO_SIZE = 14
ICON_SIZE = 10
ICON_GAP = 3

_PRINTABLE = (("\x20", "\x7e"), ("\xa0", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff"))


def printable(text: str) -> str:
    """What of a text can stand in a picture: XML 1.0's characters, no bidi controls, single spaces."""
    kept = text if text.isascii() and text.isprintable() else "".join(filter(_is_drawn, text))
    return " ".join(kept.split())


def _is_drawn(character: str) -> bool:
    if character in BIDI_CONTROLS:
        return False
    # XML 1.0, section 2.2, less the C1 controls that it allows but nobody can see.
    return character in "\t\n\r" or any(first <= character <= last for first, last in _PRINTABLE)


def number(value: float) -> str:
    """A coordinate: at most three decimals, a point whatever the locale, no zeros behind it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def attributes(**given: str | float) -> str:
    """Attributes in the order given; `_` stands for `-`."""
    return "".join(
        f' {_name(keyword)}="{value if isinstance(value, str) else number(value)}"' for keyword, value in given.items()
    )


@functools.cache
def _name(keyword: str) -> str:
    return keyword.rstrip("_").replace("_", "-")


def rect(**given: str | float) -> str:
    """A rectangle."""
    return f"<rect{attributes(**given)}/>"


def text(shown: str, **given: str | float) -> str:
    """A text, escaped, in the direction of its first letter that has one (UAX #9, rules P2 and P3)."""
    if is_right_to_left(shown):
        # Joined letters are stretched with their joints, not torn apart.
        given |= {"direction": "rtl", "lengthAdjust": "spacingAndGlyphs"}
    return f"<text{attributes(**given)}>{escape(shown)}</text>"


def is_right_to_left(shown: str) -> bool:
    """Whether a text begins on the right."""
    if shown.isascii():
        return False
    strong = (kind for kind in map(unicodedata.bidirectional, shown) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def group(body: list[str], **given: str | float) -> str:
    """Elements with something in common."""
    return f"<g{attributes(**given)}>{''.join(body)}</g>"


def glyph(drawing: Glyph | None, x: float, y: float, size: float, fill: dict[str, str]) -> str:
    """A drawing with its upper left corner there, or nothing for None."""
    if drawing is None:
        return ""
    place = f"translate({number(x)} {number(y)})" + ("" if size == LOGO_SIZE else f" scale({number(size / LOGO_SIZE)})")
    return f"<path{attributes(transform=place, d=drawing.path, **fill)}/>"


def logo_of(badge: Badge) -> Glyph | None:
    """The drawing before the label; a name that is none of ours draws nothing."""
    return LOGOS.get(badge.logo or "")


def icon_of(badge: Badge) -> Glyph | None:
    """The status' glyph before the message."""
    return STATUS_GLYPHS.get(badge.icon or "")


def text_colours(background: str) -> tuple[str, str]:
    """The colours of text and of its shadow on a background, by shields' rule of perceived brightness."""
    red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    brightness = round((red * 299 + green * 587 + blue * 114) / 255_000, 2)
    return ("#fff", "#010101") if brightness <= 0.69 else ("#333", "#ccc")


class Paint:
    """The colours of one picture that differ by day and by night.

    Where the reader's own setting decides, a style sheet, made of all that was asked for, overrides
    the daylight colours that stand in the attributes.
    """

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._rules: dict[str, str] = {}

    def fill(self, name: str, light: str, dark: str) -> dict[str, str]:
        """The attributes of an area; `name` is the class of all that are painted alike."""
        return self._paint("fill", name, light, dark)

    def stroke(self, name: str, light: str, dark: str) -> dict[str, str]:
        """The same for a line."""
        return self._paint("stroke", name, light, dark)

    def _paint(self, what: str, name: str, light: str, dark: str) -> dict[str, str]:
        if self._theme is not Theme.AUTO:
            return {what: light if self._theme is Theme.LIGHT else dark}
        self._rules[name] = f".{name}{{{what}:{dark}}}"
        return {what: light, "class": name}

    @property
    def style_sheet(self) -> str:
        """What a picture begins with; nothing where nothing differs."""
        if not self._rules:
            return ""
        return f"<style>@media(prefers-color-scheme:dark){{{''.join(self._rules.values())}}}</style>"


def lightened(colour: str) -> str:
    """A colour as it stands out from a dark ground: half-way to white."""
    return "#" + "".join(f"{(int(colour[place : place + 2], 16) + 255) // 2:02x}" for place in (1, 3, 5))


def document(width: float, height: int, title: str, language: str, body: str) -> bytes:
    """The whole picture, with one sentence for those who do not see it."""
    said = escape(title)
    size = attributes(width=width, height=height)
    root = f'xmlns="http://www.w3.org/2000/svg"{size} role="img" lang="{escape(language)}"'
    return f'<svg {root} aria-label="{said}"><title>{said}</title>{body}</svg>'.encode()
