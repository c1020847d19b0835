"""The width of text, in whole hundredths of a pixel, so that no locale or rounding plays a part."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from badge.artwork import font_metrics
from badge.artwork.font_metrics import Advances


@dataclass(frozen=True, slots=True)
class Font:
    """A font at a size, by its table of widths."""

    size: int
    advances: Advances = field(repr=False, compare=False)
    _widths: dict[int, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for first, run in self.advances.items():
            self._widths.update({first + index: width for index, width in enumerate(run)})

    def width(self, text: str) -> int:
        """The advance width of a text, in hundredths of a pixel."""
        return sum(map(self._character_width, text))

    def _character_width(self, character: str) -> int:
        known = self._widths.get(ord(character))
        return known if known is not None else self.size * _share_of_size(character)


def _share_of_size(character: str) -> int:
    """The width of a character of a fallback font, in hundredths of the font's size.

    East Asian ones are drawn on a square; emoji fonts draw a little wider than that; marks that
    combine take no room; the rest is about as wide as a Latin letter.
    """
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if _is_emoji(character):
        return 136
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 100
    return 55 if unicodedata.bidirectional(character) in ("R", "AL") else 64


def _is_emoji(character: str) -> bool:
    """Whether it lies in the blocks of pictographs (U+1F300 to U+1FAFF), or is an older one drawn as such."""
    return "\U0001f300" <= character <= "\U0001faff" or character in "✅❌⭐⚡❗⏳"


VERDANA_11 = Font(11, font_metrics.VERDANA_11)
VERDANA_10 = Font(10, font_metrics.VERDANA_10)
VERDANA_10_BOLD = Font(10, font_metrics.VERDANA_10_BOLD)
HELVETICA_11_BOLD = Font(11, font_metrics.HELVETICA_11_BOLD)
