"""What a badge's URL asks for: subject, format and looks, read from the raw request target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from badge.model import BackupStatus, InvalidSubject, Subject, decode_segment
from badge.settings import parse_duration

BADGE_ROOT = "/badge/"
LONGEST_LABEL = 64
SHORTEST_MAX_AGE = timedelta(hours=1)


class Format(StrEnum):
    """The formats a badge comes in, by suffix and by `format=`."""

    SVG = "svg"
    PNG = "png"
    JSON = "json"
    TXT = "txt"


@dataclass(frozen=True, slots=True)
class BadgeRequest:
    """One badge as asked for; `subject` is None where the path can't name one, for `fault`."""

    subject: Subject | None
    format: Format
    label: str
    is_strict: bool
    fault: str = ""
    expects_success: bool = False
    """A monitor asks: an error unless the last finished backup succeeded."""
    max_age: timedelta | None = None
    """And is not older than this."""

    @property
    def shows_true_code(self) -> bool:
        """Whether the HTTP status tells the truth; plain images are always 200, or proxies drop them."""
        return self.is_strict or self.format in (Format.JSON, Format.TXT)


def read_badge_request(environ: Mapping[str, Any], query: Mapping[str, str], default_label: str) -> BadgeRequest:
    """The request as it was sent. Bad values of parameters fall back to their defaults."""
    wanted = _format_named(query.get("format", "").lower())
    try:
        segments = [decode_segment(segment) for segment in badge_path(environ).removesuffix("/").split("/")]
        if wanted is None:
            wanted = _take_suffix(segments)
        subject, fault = Subject.from_segments(segments), ""
    except InvalidSubject as invalid:
        subject, fault = None, str(invalid)
    return BadgeRequest(
        subject=subject,
        format=wanted or Format.SVG,
        label=_label(query.get("label"), default_label),
        is_strict=query.get("strict", "").lower() in ("1", "true", "on", "yes"),
        fault=fault,
        expects_success=query.get("expect") == BackupStatus.SUCCEEDED,
        max_age=_max_age(query.get("max_age")),
    )


def raw_path(environ: Mapping[str, Any]) -> str:
    """The request's path as it was sent, percent-encoded, without query and host.

    Only `RAW_URI` (gunicorn, Werkzeug) keeps `%2F` apart from `/`; WSGI's PATH_INFO is decoded
    (PEP 3333). Without it, what is left of the path is encoded again.
    """
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if target.startswith("/"):
        # Not urlsplit: it would take the first segment of "//badge/…" for a host.
        return _percent_encoded(target.partition("?")[0].partition("#")[0])
    try:
        path = urlsplit(target).path
    except ValueError:
        path = ""
    return _percent_encoded(path) or quote(_wsgi_bytes(environ, "SCRIPT_NAME") + _wsgi_bytes(environ, "PATH_INFO"))


def _wsgi_bytes(environ: Mapping[str, Any], name: str) -> bytes:
    return str(environ.get(name, "")).encode("latin-1", "replace")


def _percent_encoded(target: str) -> str:
    """Raw bytes above ASCII, which WSGI shows as Latin-1, in percent-encoding like the rest."""
    if target.isascii():
        return target
    return "".join(char if char.isascii() else quote(char.encode("latin-1", "replace")) for char in target)


def is_badge_path(environ: Mapping[str, Any]) -> bool:
    """Whether the request is for a badge, so that whatever goes wrong has to end in an image."""
    return ("/" + raw_path(environ).lstrip("/")).startswith(BADGE_ROOT)


def badge_path(environ: Mapping[str, Any]) -> str:
    """What follows `/badge/` in the request's raw path."""
    return raw_path(environ).lstrip("/").removeprefix(BADGE_ROOT.lstrip("/"))


def _format_named(word: str) -> Format | None:
    return Format(word) if word in tuple(Format) else None


def _take_suffix(segments: list[str]) -> Format | None:
    """The format by the last segment's suffix, which is taken off; a bare ".svg" is a name."""
    stem, dot, suffix = segments[-1].rpartition(".")
    if not (dot and stem and not stem.endswith("/")) or (format := _format_named(suffix)) is None:
        return None
    segments[-1] = stem
    return format


def _max_age(given: str | None) -> timedelta | None:
    try:
        age = parse_duration(given)
    except ValueError:
        return None
    return age if isinstance(age, timedelta) and age >= SHORTEST_MAX_AGE else None


def _label(given: str | None, default: str) -> str:
    return default if given is None or len(given) > LONGEST_LABEL else given
