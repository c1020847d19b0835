"""The width of text in 11 px Verdana, in whole hundredths of a pixel, so that no locale or rounding plays a part."""

from __future__ import annotations

import unicodedata

from badge.artwork.verdana import ADVANCES

_WIDTHS = {first + index: width for first, run in ADVANCES.items() for index, width in enumerate(run)}

# Characters outside Verdana come from a fallback font. East Asian ones are drawn on a square of the
# font's size; emoji fonts draw a little wider than that; the rest is about as wide as a Latin letter.
_FULL_WIDTH = 1100
_EMOJI_WIDTH = 1500
_OTHER_WIDTH = 700


def text_width(text: str) -> int:
    """The advance width of a text, in hundredths of a pixel."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    known = _WIDTHS.get(ord(character))
    if known is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if _is_emoji(character):
        return _EMOJI_WIDTH
    return _FULL_WIDTH if unicodedata.east_asian_width(character) in ("W", "F") else _OTHER_WIDTH


def _is_emoji(character: str) -> bool:
    """Whether it lies in the blocks of pictographs (U+1F300 to U+1FAFF), or is an older one drawn as such."""
    return "\U0001f300" <= character <= "\U0001faff" or character in "✅❌⭐⚡❗⏳"
