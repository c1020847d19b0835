"""Cache entries as JSON bytes, and the names of their Redis keys.

Not pickle, because someone who can write to the cache must not be able to run code here. Each entry contains its key,
so that it can't be copied to another subject's badge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from badge.model import (
    CLOCK_TOLERANCE,
    BackupStatus,
    CacheEntry,
    Outcomes,
    Reason,
    Report,
    Verification,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
)
from badge.ports import CacheKey

SCHEMA = 4
"""Version of the entries; raised by at most one between two releases, see `values_of_neighbours`."""

LONGEST = 16 * 1024
"""Maximum size of an entry in bytes: enough for the longest subject, with JSON escapes, and the longest URL."""

T = TypeVar("T")

EPOCH = datetime.fromtimestamp(0, UTC)


class EnvelopeRefused(ValueError):
    """These bytes are not an entry of this version for this key; `str()` names the broken rule."""


class EnvelopeAhead(EnvelopeRefused):
    """An entry for this key with times too far ahead of this machine's clock, which may be the one that is wrong."""


class KeyNames(NamedTuple):
    """The Redis keys of a subject's entry, its fence and its lease.

    The fence is the time of the last invalidation: results of fetches that began earlier are rejected.
    """

    value: str
    fence: str
    lease: str


def key_names(key: CacheKey, schema: int = SCHEMA) -> KeyNames:
    """Return the Redis keys of everything that is stored for a cache key.

    The part in braces is the same in all of them, so that a Cluster keeps them in one slot. It is a hash, so that
    private names stay out of the server's logs and no name is too long. Each schema has values of its own, but all
    versions of the service share the fence and the lease.
    """
    stem = f"bdg:{{{_digest(json.dumps(key))}}}"
    return KeyNames(f"{stem}:v{schema}", f"{stem}:f", f"{stem}:l")


def values_of_neighbours(key: CacheKey) -> list[str]:
    """Return the Redis keys of this entry's values in the previous and the next schema.

    During a rolling upgrade, instances with these schemas may use the same server, and must not go on showing a status
    that a run event sent to this instance has replaced.
    """
    return [key_names(key, schema).value for schema in (SCHEMA - 1, SCHEMA + 1)]


def pause_name(place: str) -> str:
    """Return the Redis key of a source's pause; `place` identifies the source."""
    return f"bdg:{{v{SCHEMA}:source:{_digest(place)}}}:p"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def seal(key: CacheKey, entry: CacheEntry) -> bytes:
    """Return the entry as bytes to store."""
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


def unseal(key: CacheKey, raw: bytes, now: datetime, longest_wait: timedelta) -> CacheEntry:
    """Return the entry in these bytes; raises `EnvelopeRefused` for anything but one of our entries for this key.

    Raises `EnvelopeAhead` for an entry confirmed in the future, or fresh for more than `longest_wait`, which would
    keep an old status on the badge. `fetched_at` is not checked: it is from the server's clock, and only ever compared
    with other times from that clock.
    """
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
        entry = _entry(envelope)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise EnvelopeRefused("badField") from None
    if max(entry.confirmed_at, entry.fresh_until - longest_wait) > now + CLOCK_TOLERANCE:
        raise EnvelopeAhead("aheadOfClock")
    return entry


def _entry(envelope: dict[str, Any]) -> CacheEntry:
    fields = envelope["r"]
    return CacheEntry(
        report=None if fields is None else _report(_typed(fields, dict)),
        fetched_at=_moment(envelope["t0"]),
        confirmed_at=_moment(envelope["at"]),
        fresh_until=_moment(envelope["f"]),
        failures=_typed(envelope["n"], int),
    )


def to_micros(moment: datetime) -> int:
    """Return the microseconds since 1970: exact in JSON, and comparable in Lua's doubles until 2255."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the time this many microseconds after the start of 1970; raises `OverflowError` after the year 9999."""
    return EPOCH + timedelta(microseconds=micros)


def _moment(value: object) -> datetime:
    return from_micros(_typed(value, int))


def _typed(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(kind.__name__)
    return value


def _kind(kind: type) -> Callable[[object], Any]:
    return lambda value: _typed(value, kind)


def _or_null(read: Callable[[Any], object]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


# Fields of a report that are written unchanged, each with its name in the JSON and the function that reads it back.
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

# Written under their own names, and left out if they are None. `unseal` doesn't compare them with the clock: unlike our
# own times, a source's may be far in the future, such as a next run in 9999.
_MOMENTS = ("started_at", "finished_at", "last_success_at", "next_run_at", "stale_after", "deleted_at")


# Written in forms of their own.
_VERIFICATION, _OUTCOMES = "ver", "hi"


def _fields(report: Report) -> dict[str, Any]:
    return {
        "ob": to_micros(report.observed_at),
        _OUTCOMES: None if report.outcomes is None else report.outcomes.letters,
        _VERIFICATION: report.verification and _verification_fields(report.verification),
        **{key: getattr(report, name) for name, key, _ in _VALUES},
        **{name: to_micros(moment) for name in _MOMENTS if (moment := getattr(report, name)) is not None},
    }


def _report(fields: dict[str, Any]) -> Report:
    values = {name: read(fields[key]) for name, key, read in _VALUES}
    moments = {name: _moment(fields[name]) for name in _MOMENTS if name in fields}
    verification, letters = _or_null(_verification)(fields[_VERIFICATION]), fields[_OUTCOMES]
    outcomes = None if letters is None else Outcomes.parse(_typed(letters, str))
    return Report(observed_at=_moment(fields["ob"]), verification=verification, outcomes=outcomes, **values | moments)


def _verification_fields(verification: Verification) -> list[object]:
    at, how = verification.at, verification.how
    return [verification.outcome, None if at is None else to_micros(at), how]


def _verification(fields: object) -> Verification:
    outcome, at, how = _typed(fields, list)
    return Verification(VerificationOutcome(outcome), _or_null(_moment)(at), _or_null(VerificationMethod)(how))
