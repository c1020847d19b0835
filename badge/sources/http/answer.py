"""What the status and headers of an HTTP answer mean, for any API. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from badge.events import FailureKind
from badge.ports import LONGEST_PAUSE, SourceUnavailable

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_VALIDATOR = 256

_KINDS = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORISED,
    403: FailureKind.FORBIDDEN,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
}


def unavailable(status: int, headers: Mapping[str, str], now: datetime) -> SourceUnavailable:
    """Return the failure that this HTTP status means, with the pause that the upstream asks for."""
    return SourceUnavailable(_kind(status, headers), _pause(headers, now), is_about_subject=status == 400)


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether the body is declared as JSON; if not, it is usually a login page."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return the ETag if it can safely be sent back in a header."""
    etag = headers.get("ETag", "")
    is_sane = 0 < len(etag) <= LONGEST_VALIDATOR and etag.isascii() and etag.isprintable() and " " not in etag
    return etag if is_sane else None


def _kind(status: int, headers: Mapping[str, str]) -> FailureKind:
    if status == 403 and ("Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"):
        # GitHub answers 403 where others answer 429.
        return FailureKind.RATE_LIMITED
    return _KINDS.get(status) or FailureKind.of_http_status(status)


def _pause(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long to pause, within limits: by Retry-After (RFC 9110, 10.2.3), else by GitHub's rate limit.

    Retry-After is a number of seconds or a date. Dates are compared with the answer's own Date header, since the clocks
    may differ.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        # Nine digits are more than enough; `int` raises an error for thousands of them.
        pause = timedelta(seconds=min(int(value[:9]), LONGEST_PAUSE.total_seconds()))
    elif (until := _http_date(value) or _rate_limit_reset(headers)) is not None:
        pause = until - (_http_date(headers.get("Date", "")) or now)
    else:
        return None
    return min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)


def _rate_limit_reset(headers: Mapping[str, str]) -> datetime | None:
    """Return when GitHub's quota is renewed, if it is used up.

    Source: docs.github.com, "Rate limits for the REST API".
    """
    value = headers.get("X-RateLimit-Reset", "")
    is_used_up = headers.get("X-RateLimit-Remaining") == "0"
    is_readable = value.isascii() and value.isdigit() and len(value) < 12
    return datetime.fromtimestamp(int(value), UTC) if is_used_up and is_readable else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
