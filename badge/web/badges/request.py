"""Reads a badge URL: subject, format and look, from the raw request target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import unquote

from badge.appearance import Look, Palette, Show
from badge.artwork.glyphs import LOGOS
from badge.artwork.png import DEFAULT_SCALE, SCALES
from badge.language import language_named
from badge.model import BackupStatus, InvalidSubject, Style, Subject, Theme, decode_segment
from badge.raw_path import LONGEST_TARGET, badge_path, is_too_long
from badge.settings import parse_duration

TOKEN = "token"  # noqa: S105 - the parameter's name
LONGEST_LABEL = 64
SHORTEST_MAX_AGE = timedelta(hours=1)
LONGEST_MAX_AGE = timedelta(days=3650)
LONGEST_CACHE_SECONDS_DIGITS = 6
TRUE_WORDS = ("1", "true", "on", "yes")

_Word = TypeVar("_Word", bound=StrEnum)


class Format(StrEnum):
    """The formats of a badge, chosen by suffix or by `format=`."""

    SVG = "svg"
    PNG = "png"
    JSON = "json"
    TXT = "txt"
    SHIELDS = "shields"


SUFFIXES = (Format.SVG, Format.PNG, Format.JSON, Format.TXT)
"""The formats that a path's suffix can choose; the others need `format=`."""


@dataclass(frozen=True, slots=True)
class BadgeRequest:
    """A request for one badge. For an invalid path `subject` is None and `fault` says why."""

    subject: Subject | None
    format: Format
    look: Look
    is_strict: bool
    fault: str = ""
    expects_success: bool = False
    """Whether to answer with an error unless the last finished backup succeeded, within the look's `max_age`."""
    scale: int = DEFAULT_SCALE
    """Pixels per unit of a PNG."""
    has_own_label: bool = False
    """Whether the client chose the label."""
    token: str = field(default="", repr=False)
    """The private token."""
    at_least: timedelta = timedelta(0)
    """Minimum lifetime that the client wants for a good answer."""

    @property
    def shows_true_code(self) -> bool:
        """Whether to send the true HTTP status. Plain images are always 200, because proxies drop them otherwise."""
        return self.is_strict or self.format in (Format.JSON, Format.TXT)

    @property
    def is_for_program(self) -> bool:
        """Whether the answer is for a program such as a monitor, and so must never be stale."""
        return self.shows_true_code or self.expects_success or self.format is Format.SHIELDS


def read_badge_request(environ: Mapping[str, Any], query: Mapping[str, str], default_label: str) -> BadgeRequest:
    """Read a badge request. Bad parameter values fall back to their defaults."""
    wanted = _format_named(query.get("format", "").lower())
    raw = badge_path(environ).removesuffix("/").split("/")
    try:
        segments = [decode_segment(segment) for segment in raw]
        # With `format=`, the suffix is part of the name, so that a repository called site.png can have a badge.
        if wanted is None:
            wanted = _take_suffix(segments)
        if is_too_long(environ):
            raise InvalidSubject(f"the URL is longer than {LONGEST_TARGET:,} bytes")  # noqa: TRY301 - as for any other fault
        subject, fault = Subject.from_segments(segments), ""
    except InvalidSubject as invalid:
        subject, fault = None, str(invalid)
        wanted = wanted or _take_suffix([unquote(raw[-1])])  # works for segments that are not UTF-8, too
    return BadgeRequest(
        subject=subject,
        format=wanted or Format.SVG,
        look=_look(query, default_label),
        is_strict=query.get("strict", "").lower() in TRUE_WORDS,
        fault=fault,
        expects_success=query.get("expect") == BackupStatus.SUCCEEDED,
        scale=next((scale for scale in SCALES if query.get("scale") == str(scale)), DEFAULT_SCALE),
        has_own_label=query.get("label") is not None,
        token=query.get(TOKEN, ""),
        at_least=_seconds(query.get("cacheSeconds")),
    )


def _format_named(word: str) -> Format | None:
    return Format(word) if word in tuple(Format) else None


def _take_suffix(segments: list[str]) -> Format | None:
    """Remove the last segment's suffix and return its format; ".svg" alone is a name."""
    stem, dot, suffix = segments[-1].rpartition(".")
    format = _format_named(suffix)
    if format not in SUFFIXES or not (dot and stem and not stem.endswith("/")):
        return None
    segments[-1] = stem
    return format


def _look(query: Mapping[str, str], default_label: str) -> Look:
    logo, language = query.get("logo"), language_named(query.get("lang", ""))
    return Look(
        label=_label(query.get("label"), language.say(default_label)),
        language=language,
        style=_one_of(Style, query.get("style")) or Style.FLAT,
        palette=_one_of(Palette, query.get("palette")) or Palette.ACCESSIBLE,
        theme=_one_of(Theme, query.get("theme")) or Theme.AUTO,
        has_icon=query.get("icon", "").lower() in TRUE_WORDS,
        logo=logo if logo in LOGOS else None,
        show=_one_of(Show, query.get("show")),
        max_age=read_max_age(query.get("max_age")),
    )


def _one_of(words: type[_Word], given: str | None) -> _Word | None:
    return words(given) if given in tuple(words) else None


def _seconds(given: str | None) -> timedelta:
    if given is None or not given.isascii() or not given.isdigit() or len(given) > LONGEST_CACHE_SECONDS_DIGITS:
        return timedelta(0)
    return timedelta(seconds=int(given))


def read_max_age(given: str | None) -> timedelta | None:
    """Parse a duration from an hour to ten years; None for any other text."""
    try:
        age = parse_duration(given)
    except ValueError:
        return None
    return age if isinstance(age, timedelta) and SHORTEST_MAX_AGE <= age <= LONGEST_MAX_AGE else None


def _label(given: str | None, default: str) -> str:
    return default if given is None or len(given) > LONGEST_LABEL else given
