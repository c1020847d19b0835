"""Parses times in all notations that backup systems use.

ISO 8601 with and without a zone, with any number of fraction digits, and in basic form; seconds, milliseconds or
microseconds since 1970, as numbers or as text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from badge.contract import unless_never

LONGEST = 40

_NUMBER = re.compile(r"\d{1,16}(\.\d{1,12})?(e\+?\d{1,2})?")
_COMPACT = re.compile(r"(\d{8})(\d{6})")
# Zero values of databases, Go, .NET and Unix; the maximum of .NET and of databases.
_NEVER = re.compile(
    r"[-0]?|(0000|0001|1970)-0[01]-0[01][T ]00:00:00(\.0+)?(Z|\+00:?00)?"
    r"|9999-12-31[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:?00)?",
    re.IGNORECASE,
)
# As seconds, these would be in the years 5138 and 3.2 million, so larger numbers are in smaller units.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14


def read_time(value: object, zone: tzinfo | None = None) -> datetime | None:
    """Return the time in UTC; None if it can't be read or means "never".

    Text without a zone can be read only if `zone` is given.
    """
    if isinstance(value, bool):
        return None
    moment = None
    if isinstance(value, int | float):
        moment = _from_number(value)
    elif isinstance(value, str) and len(value) <= LONGEST:
        moment = _from_text(value.strip(), zone)
    return unless_never(moment)


def is_never(value: object) -> bool:
    """Whether the value is a notation of "never", as opposed to an unreadable time."""
    return value is None or value == 0 or (isinstance(value, str) and _NEVER.fullmatch(value.strip()) is not None)


def _from_text(text: str, zone: tzinfo | None) -> datetime | None:
    if compact := _COMPACT.fullmatch(text):
        text = f"{compact[1]}T{compact[2]}"
    elif _NUMBER.fullmatch(text):
        return _from_number(float(text))
    if "T" not in text.upper() and " " not in text:
        return None  # a date alone
    try:
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is None and zone is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_number(number: float) -> datetime | None:
    try:
        if number >= _MICROSECONDS_FROM:
            number /= 1e6
        elif number >= _MILLISECONDS_FROM:
            number /= 1e3
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):  # including NaN and infinity
        return None
