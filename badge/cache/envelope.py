"""A kept report as JSON bytes, and the keys under which it lies.

Never pickle: who can write the cache must not be able to run code here, nor to put one subject's
status on another's badge.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from badge.model import BackupStatus, Kept, Reason, Report, Visibility
from badge.ports import SubjectKey

SCHEMA = 1
LONGEST = 8 * 1024
"""A name of 3 KiB, escaped, and two URLs fit."""

# A moment of our own clocks further off than this was written by a broken one, or not by us. What a
# source tells may lie as far off as it likes: a last success in 2015, a next run in 9999.
SANE_DISTANCE = timedelta(days=3660)

T = TypeVar("T")

EPOCH = datetime.fromtimestamp(0, UTC)

_MOMENTS = ("started_at", "finished_at", "last_success_at", "next_run_at", "stale_after", "deleted_at")


class EnvelopeRefused(ValueError):
    """These bytes are not what this version keeps for this key; `str()` says which rule they break."""


def key_names(key: SubjectKey) -> tuple[str, str]:
    """The names of a subject's value and of its fence.

    The part in braces is the same in both, so that a cluster keeps them in one slot; a hash, so
    that private names stay out of the server's logs and no name is too long.
    """
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    stem = f"bdg:{{v{SCHEMA}:{digest}}}"
    return f"{stem}:v", f"{stem}:f"


def seal(key: SubjectKey, kept: Kept) -> bytes:
    """The bytes to keep."""
    report = kept.report
    envelope = {
        "v": SCHEMA,
        "k": key,
        "t0": _micros(kept.fetched_at),
        "at": _micros(kept.confirmed_at),
        "f": _micros(kept.fresh_until),
        "st": report.status,
        "ob": _micros(report.observed_at),
        "ex": report.exists,
        "lf": report.last_finished,
        "sz": report.size_bytes,
        "url": report.url,
        "vis": report.visibility,
        "en": report.enabled,
        "why": report.reason,
        "rev": report.revision,
        "et": report.validator,
        **{name: _micros(moment) for name in _MOMENTS if (moment := getattr(report, name)) is not None},
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def unseal(key: SubjectKey, raw: bytes, now: datetime) -> Kept:
    """The kept report in these bytes; raises `EnvelopeRefused` for anything but our own for this key."""
    if len(raw) > LONGEST:
        raise EnvelopeRefused("tooLong")
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError):
        raise EnvelopeRefused("notJson") from None
    if not isinstance(envelope, dict) or envelope.get("v") != SCHEMA:
        raise EnvelopeRefused("otherSchema")
    if envelope.get("k") != list(key):
        raise EnvelopeRefused("otherKey")
    try:
        return _kept(envelope, now)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise EnvelopeRefused("badField") from None


def _kept(envelope: dict[str, Any], now: datetime) -> Kept:
    report = Report(
        status=BackupStatus(envelope["st"]),
        observed_at=_told(envelope["ob"]),
        exists=_typed(envelope["ex"], bool),
        last_finished=BackupStatus(envelope["lf"]) if envelope["lf"] is not None else None,
        size_bytes=_optional(envelope["sz"], int),
        url=_optional(envelope["url"], str),
        visibility=Visibility(envelope["vis"]),
        enabled=_optional(envelope["en"], bool),
        reason=Reason(envelope["why"]) if envelope["why"] is not None else None,
        revision=_typed(envelope["rev"], int),
        validator=_optional(envelope["et"], str),
        **{name: _told(envelope[name]) for name in _MOMENTS if name in envelope},
    )
    return Kept(
        report=report,
        fetched_at=_ours(envelope["t0"], now),
        confirmed_at=_told(envelope["at"]),
        fresh_until=_ours(envelope["f"], now),
    )


def _micros(moment: datetime) -> int:
    """Microseconds since 1970: exact in JSON, and comparable in Lua's doubles until 2255."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def _told(value: object) -> datetime:
    return EPOCH + timedelta(microseconds=_typed(value, int))


def _ours(value: object, now: datetime) -> datetime:
    moment = _told(value)
    if abs(moment - now) > SANE_DISTANCE:
        raise ValueError("insane time")
    return moment


def _typed(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(kind.__name__)
    return value


def _optional(value: object, kind: type[T]) -> T | None:
    return None if value is None else _typed(value, kind)
