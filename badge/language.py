"""Translations of the text on badges: gettext catalogues in `translations/`, falling back to English.

A message is translated as a whole pattern (`{status} {duration} ago`), because word order differs between
languages. `make translations` extracts the patterns passed to `marked` and compiles the catalogues.
"""

from __future__ import annotations

import functools
import gettext
from enum import StrEnum
from pathlib import Path

DOMAIN = "badge"
FOLDER = Path(__file__).with_name("translations")


class Language(StrEnum):
    """The languages of badges, by their tags (RFC 5646)."""

    ENGLISH = "en"
    GERMAN = "de"
    FRENCH = "fr"
    SPANISH = "es"
    BRAZILIAN_PORTUGUESE = "pt-BR"
    JAPANESE = "ja"
    SIMPLIFIED_CHINESE = "zh-CN"
    ARABIC = "ar"

    def say(self, pattern: str) -> str:
        """Return the pattern in this language, with its placeholders unfilled."""
        # gettext would translate the empty string to the catalogue's header.
        return _catalogue(self).gettext(pattern) if pattern else ""


def marked(pattern: str) -> str:
    """Return the pattern unchanged; marks it for extraction by `make translations`."""
    return pattern


def language_named(tag: str) -> Language:
    """Return the best match for a language tag such as `de`, `pt-br`, `de-AT` or `pt`, ignoring case; else English."""
    if not tag:
        return Language.ENGLISH
    wanted = tag.lower().replace("_", "-")
    primary = wanted.partition("-")[0]
    exact = [language for language in Language if language.lower() == wanted]
    # `de-AT` falls back to `de`; `pt` means the only regional variant there is, `pt-BR`.
    near = [language for language in Language if language == primary or language.lower().startswith(f"{wanted}-")]
    return next(iter(exact + near), Language.ENGLISH)


@functools.cache
def _catalogue(language: Language) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [language.replace("-", "_")], fallback=True)
