"""A kept report as JSON bytes, and the names under which it lies.

Never pickle: who can write the cache must not be able to run code here, nor to put one subject's
status on another's badge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from badge.model import BackupStatus, CacheEntry, Reason, Report, Visibility
from badge.ports import SubjectKey

SCHEMA = 2
LONGEST = 8 * 1024
"""A name of 2 KiB, escaped, and two URLs fit."""

# The longest lifetime is a day. A moment of our own further ahead than this was written by a broken
# clock, or not by us, and would let a status hold as if it were new. What a source tells may lie as
# far off as it likes: a next run in 9999.
MOST_AHEAD = timedelta(days=2)

T = TypeVar("T")

EPOCH = datetime.fromtimestamp(0, UTC)


class EnvelopeRefused(ValueError):
    """These bytes are not what this version keeps for this key; `str()` says which rule they break."""


class KeyNames(NamedTuple):
    """The Redis keys of a subject's entry, its fence and its lease."""

    value: str
    fence: str
    lease: str


def key_names(key: SubjectKey) -> KeyNames:
    """Return the Redis keys of all that is stored for a subject.

    The part in braces is the same in all, so that a cluster keeps them in one slot; a hash, so
    that private names stay out of the server's logs and no name is too long.
    """
    stem = f"bdg:{{v{SCHEMA}:{_digest(json.dumps(key))}}}"
    return KeyNames(f"{stem}:v", f"{stem}:f", f"{stem}:l")


def pause_name(source: str) -> str:
    """Return the Redis key of the time until which a source asked for a pause."""
    return f"bdg:{{v{SCHEMA}:source:{_digest(source)}}}:p"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def seal(key: SubjectKey, entry: CacheEntry) -> bytes:
    """Return the bytes to store for an entry."""
    envelope = {
        "v": SCHEMA,
        "k": key,
        "t0": to_micros(entry.fetched_at),
        "at": to_micros(entry.confirmed_at),
        "f": to_micros(entry.fresh_until),
        "n": entry.failures,
        "r": None if entry.report is None else _fields(entry.report),
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def unseal(key: SubjectKey, raw: bytes, now: datetime) -> CacheEntry:
    """Return the entry in these bytes; raises `EnvelopeRefused` for anything but our own for this key."""
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


def _kept(envelope: dict[str, Any], now: datetime) -> CacheEntry:
    fields = envelope["r"]
    return CacheEntry(
        report=None if fields is None else _report(_typed(fields, dict)),
        fetched_at=_ours(envelope["t0"], now),
        confirmed_at=_ours(envelope["at"], now),
        fresh_until=_ours(envelope["f"], now),
        failures=_typed(envelope["n"], int),
    )


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970: exact in JSON, and comparable in Lua's doubles until 2255."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The moment so many microseconds after 1970 began; raises `OverflowError` beyond the year 9999."""
    return EPOCH + timedelta(microseconds=micros)


def _told(value: object) -> datetime:
    return from_micros(_typed(value, int))


def _ours(value: object, now: datetime) -> datetime:
    moment = _told(value)
    if moment - now > MOST_AHEAD:
        raise ValueError("too far ahead")
    return moment


def _typed(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(kind.__name__)
    return value


def _kind(kind: type) -> Callable[[object], Any]:
    return lambda value: _typed(value, kind)


def _or_null(read: Callable[[Any], object]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


# A report's field, its name here, and what reads it back or raises; JSON writes it as it is.
_VALUES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("status", "st", BackupStatus),
    ("exists", "ex", _kind(bool)),
    ("last_finished", "lf", _or_null(BackupStatus)),
    ("size_bytes", "sz", _or_null(_kind(int))),
    ("url", "url", _or_null(_kind(str))),
    ("visibility", "vis", Visibility),
    ("enabled", "en", _or_null(_kind(bool))),
    ("reason", "why", _or_null(Reason)),
    ("revision", "rev", _kind(int)),
    ("validator", "et", _or_null(_kind(str))),
)

# Under their own names, and left out where there is none.
_MOMENTS = ("started_at", "finished_at", "last_success_at", "next_run_at", "stale_after", "deleted_at")


def _fields(report: Report) -> dict[str, Any]:
    return {
        "ob": to_micros(report.observed_at),
        **{key: getattr(report, name) for name, key, _ in _VALUES},
        **{name: to_micros(moment) for name in _MOMENTS if (moment := getattr(report, name)) is not None},
    }


def _report(fields: dict[str, Any]) -> Report:
    values = {name: read(fields[key]) for name, key, read in _VALUES}
    moments = {name: _told(fields[name]) for name in _MOMENTS if name in fields}
    return Report(observed_at=_told(fields["ob"]), **values | moments)
