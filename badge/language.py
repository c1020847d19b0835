"""The languages of a badge's words: gettext catalogues in `translations/`, English where one lacks something.

A message is translated as a whole pattern (`{status} {duration} ago`), for languages order words
differently. `make translations` reads the patterns that are `marked`, and compiles the catalogues.
"""

from __future__ import annotations

import functools
import gettext
from enum import StrEnum
from pathlib import Path

DOMAIN = "badge"
FOLDER = Path(__file__).with_name("translations")


class Language(StrEnum):
    """A language that badges speak, by its tag (RFC 5646)."""

    ENGLISH = "en"
    GERMAN = "de"
    FRENCH = "fr"
    SPANISH = "es"
    BRAZILIAN_PORTUGUESE = "pt-BR"
    JAPANESE = "ja"
    SIMPLIFIED_CHINESE = "zh-CN"
    ARABIC = "ar"

    def say(self, pattern: str) -> str:
        """The pattern in this language, its places in braces still to be filled."""
        # gettext's catalogues keep a header under the empty pattern.
        return _catalogue(self).gettext(pattern) if pattern else ""


def marked(pattern: str) -> str:
    """The pattern itself; the name tells `make translations` that it is to be translated."""
    return pattern


def language_named(tag: str) -> Language:
    """The language of a tag, whatever its case: `de`, `pt-br`, also `de-AT` and `pt`; else English."""
    if not tag:
        return Language.ENGLISH
    wanted = tag.lower().replace("_", "-")
    primary = wanted.partition("-")[0]
    exact = [language for language in Language if language.lower() == wanted]
    # A region that has no words of its own speaks its language; a language without region means the one there is.
    near = [language for language in Language if language == primary or language.lower().startswith(f"{wanted}-")]
    return next(iter(exact + near), Language.ENGLISH)


@functools.cache
def _catalogue(language: Language) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [language.replace("-", "_")], fallback=True)
