"""Text for CairoSVG, which draws each string letter by letter, from left to right, in one font.

Therefore right-to-left text is shaped and put into visual order here, and letters that the first font lacks are split
off into runs in another font.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from badge.artwork.drawing import is_right_to_left

FONTS = ("DejaVu Sans", "Droid Sans Fallback", "Symbola")
"""In order of preference: the second has Chinese, Japanese and Korean, the third pictographs."""

MEASURED_SIZE = 100


@dataclass(frozen=True, slots=True)
class Run:
    """Letters in visual order, all drawn with one font."""

    font: str
    letters: str
    width: float
    """In hundredths of the font size."""


def runs(shown: str, *, is_bold: bool) -> Sequence[Run]:
    """Split a string into runs, in drawing order from left to right."""
    # Ordinary spaces at the end of a run would be dropped, like other XML white space.
    unbroken = visual_order(shown).replace(" ", "\u00a0")
    letters = [(_font_for(letter, is_bold=is_bold), letter) for letter in unbroken]
    joined = [(font, "".join(letter for _, letter in run)) for font, run in groupby(letters, key=lambda one: one[0])]
    return [Run(font, text, sum(_advance(font, letter, is_bold=is_bold) for letter in text)) for font, text in joined]


def visual_order(shown: str) -> str:
    """Return the letters in visual order, Arabic ones in their joined forms."""
    if shown.isascii():
        return shown
    import arabic_reshaper  # noqa: PLC0415 - 1 MB, needed only for PNGs with text that is not ASCII
    from bidi.algorithm import get_display  # noqa: PLC0415 - likewise; `bidi.get_display` does not mirror brackets

    # The bidi algorithm fails on unassigned characters; they are drawn as boxes anyway.
    assigned = "".join(letter if unicodedata.bidirectional(letter) else "\ufffd" for letter in shown)
    ordered: str = get_display(arabic_reshaper.reshape(assigned), base_dir="R" if is_right_to_left(shown) else "L")
    return ordered


def advance(font: str, shown: str, *, is_bold: bool = False) -> float:
    """Return the width of a string in a font, in hundredths of the font size."""
    return sum(_advance(font, letter, is_bold=is_bold) for letter in shown)


def _font_for(letter: str, *, is_bold: bool) -> str:
    """Return the first font that has the letter; if none has it, the first font, which draws an empty box."""
    having_it = (font for font in FONTS if _glyph(font, letter, is_bold=is_bold) != 0)
    return next(having_it, FONTS[0])


@functools.lru_cache(maxsize=4096)
def _glyph(font: str, letter: str, *, is_bold: bool) -> int:
    glyphs = _scaled(font, is_bold=is_bold).text_to_glyphs(0, 0, letter, with_clusters=False)
    return int(glyphs[0][0]) if glyphs else 0


@functools.lru_cache(maxsize=4096)
def _advance(font: str, letter: str, *, is_bold: bool) -> float:
    return float(_scaled(font, is_bold=is_bold).text_extents(letter)[4])


@functools.cache
def _scaled(font: str, *, is_bold: bool) -> Any:
    """Return the font at `MEASURED_SIZE`, unhinted, so that its widths scale to any size."""
    import cairocffi  # noqa: PLC0415 - 20 MB and 0.2 s; most processes never need it

    weight = cairocffi.FONT_WEIGHT_BOLD if is_bold else cairocffi.FONT_WEIGHT_NORMAL
    face = cairocffi.ToyFontFace(font, weight=weight)
    size = cairocffi.Matrix(xx=MEASURED_SIZE, yy=MEASURED_SIZE)
    unhinted = cairocffi.FontOptions(hint_style=cairocffi.HINT_STYLE_NONE, hint_metrics=cairocffi.HINT_METRICS_OFF)
    return cairocffi.ScaledFont(face, size, cairocffi.Matrix(), unhinted)
