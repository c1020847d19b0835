"""Text widths, as whole hundredths of a pixel, so that sums are exact and always rounded the same way.

`font_metrics.json` has the fonts' advance widths at the sizes that badges use, from npm's anafanafo 2, as in shields.
The fonts themselves are not needed: like shields' badges, ours are laid out for them, and any other font is stretched
to the same width.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Advances = Mapping[str, Sequence[int]]
"""First code point of a run (hexadecimal) → the widths of its characters, in hundredths of a pixel."""

_METRICS: Mapping[str, Advances] = json.loads(Path(__file__).with_name("font_metrics.json").read_text("ascii"))


@dataclass(frozen=True, slots=True)
class Font:
    """A font at a given size, with its table of widths."""

    size: int
    advances: Advances = field(repr=False, compare=False)
    _widths: dict[int, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _ascii: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for first, run in self.advances.items():
            self._widths.update({int(first, 16) + index: width for index, width in enumerate(run)})
        self._ascii.extend(self._character_width(chr(code)) for code in range(128))

    def width(self, text: str) -> int:
        """Return the advance width of a string, in hundredths of a pixel."""
        if text.isascii():
            return sum(map(self._ascii.__getitem__, text.encode("ascii")))
        return sum(map(self._character_width, text))

    def _character_width(self, character: str) -> int:
        known = self._widths.get(ord(character))
        return known if known is not None else self.size * _share_of_size(character)


def _share_of_size(character: str) -> int:
    """Estimated width of a character in a fallback font, in hundredths of the font size.

    East Asian characters fill a square, emoji are a little wider, combining marks have no width, and the rest is about
    as wide as a Latin letter.
    """
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if _is_emoji(character):
        return 136
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 100
    return 55 if unicodedata.bidirectional(character) in ("R", "AL") else 64


def _is_emoji(character: str) -> bool:
    """Whether a character is in the pictograph blocks (U+1F300 to U+1FAFF), or an older one drawn as emoji."""
    return "\U0001f300" <= character <= "\U0001faff" or character in "✅❌⭐⚡❗⏳"


VERDANA_11 = Font(11, _METRICS["verdana-11"])
VERDANA_10 = Font(10, _METRICS["verdana-10"])
VERDANA_10_BOLD = Font(10, _METRICS["verdana-10-bold"])
HELVETICA_11_BOLD = Font(11, _METRICS["helvetica-11-bold"])
