"""Reads the URL of a badge or a summary: subjects, format and look, from the raw request target."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import unquote

from badge.appearance import Look, Palette, Show
from badge.artwork.glyphs import LOGOS
from badge.artwork.png import DEFAULT_SCALE, SCALES
from badge.language import language_named
from badge.model import BackupStatus, InvalidSubject, Style, Subject, SubjectScope, Theme, decode_segment
from badge.raw_path import LONGEST_TARGET, badge_path, is_too_long, summary_path
from badge.settings import parse_duration
from badge.subject_pattern import NamePattern

TOKEN = "token"  # noqa: S105 - the parameter's name
LONGEST_LABEL = 64
LONGEST_NAME_PATTERN = 128
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
    """A request for a badge or a summary. For an invalid path `subject` is None and `fault` says why."""

    subject: Subject | None
    """None for a summary, too."""
    format: Format
    look: Look
    is_strict: bool
    fault: str = ""
    is_summary: bool = False
    scope: SubjectScope | None = None
    """The subjects of a summary; None for all of them."""
    name: NamePattern | None = None
    """Which of a summary's subjects count."""
    expects_success: bool = False
    """Whether to answer with an error unless the last finished backup succeeded.

    The success and the verification must be as recent as the look requires; a failed verification is always an error.
    For a summary: unless all of its subjects are protected.
    """
    scale: int = DEFAULT_SCALE
    """Pixels of a PNG per unit of the SVG."""
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
    named = _format_named(query.get("format", "").lower())
    path = _summary_coordinates(environ, named) or _badge_coordinates(environ, named)
    return BadgeRequest(
        subject=path.subject,
        scope=path.scope,
        is_summary=path.is_summary,
        name=_name_pattern(query.get("name")) if path.is_summary else None,
        format=path.format or Format.SVG,
        look=_look(query, default_label),
        is_strict=query.get("strict", "").lower() in TRUE_WORDS,
        fault=path.fault,
        expects_success=query.get("expect") == BackupStatus.SUCCEEDED,
        scale=next((scale for scale in SCALES if query.get("scale") == str(scale)), DEFAULT_SCALE),
        has_own_label=query.get("label") is not None,
        token=query.get(TOKEN, ""),
        at_least=_seconds(query.get("cacheSeconds")),
    )


@dataclass(frozen=True, slots=True)
class _Path:
    """What a request's path says."""

    format: Format | None
    fault: str = ""
    subject: Subject | None = None
    scope: SubjectScope | None = None
    is_summary: bool = False


def _badge_coordinates(environ: Mapping[str, Any], named: Format | None) -> _Path:
    segments = _Segments(badge_path(environ).removesuffix("/").split("/"), named)
    try:
        return _Path(subject=Subject.from_segments(segments.read(environ)), format=segments.format)
    except InvalidSubject as invalid:
        return _Path(fault=str(invalid), format=segments.format)


def _summary_coordinates(environ: Mapping[str, Any], named: Format | None) -> _Path | None:
    """Return the scope of a summary's path; None if it is not the path of a summary."""
    path = summary_path(environ)
    if path is None:
        return None
    segments = _Segments(path.removesuffix("/").split("/")[1:], named)
    try:
        decoded = segments.read(environ)
        scope = SubjectScope.from_segments(decoded) if decoded else None
        return _Path(scope=scope, format=segments.format, is_summary=True)
    except InvalidSubject as invalid:
        return _Path(fault=str(invalid), format=segments.format, is_summary=True)


@dataclass(slots=True)
class _Segments:
    """A path's segments; the last one may have a suffix."""

    raw: Sequence[str]
    format: Format | None
    """The one that the query names; otherwise that of the suffix, known once the segments have been read."""

    def read(self, environ: Mapping[str, Any]) -> list[str]:
        """Return the segments, decoded and without the suffix; raises `InvalidSubject`."""
        try:
            segments = [decode_segment(segment) for segment in self.raw]
        except InvalidSubject:
            # Unlike `decode_segment`, `unquote` accepts segments that are not UTF-8.
            self.format = self.format or _take_suffix([unquote(self.raw[-1])])
            raise
        # With `format=`, the suffix is part of the name, so that a repository called site.png can have a badge.
        if self.format is None and segments:
            self.format = _take_suffix(segments)
        if is_too_long(environ):
            raise InvalidSubject(f"the URL is longer than {LONGEST_TARGET:,} bytes")
        return segments


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
        verified_within=read_max_age(query.get("verified_within")),
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


def _name_pattern(given: str | None) -> NamePattern | None:
    if not given or len(given) > LONGEST_NAME_PATTERN or not given.isprintable():
        return None
    return NamePattern(unicodedata.normalize("NFC", given))


def _label(given: str | None, default: str) -> str:
    return default if given is None or len(given) > LONGEST_LABEL else given
