"""What an HTTP answer's frame says, whatever the API behind it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from badge.ports import LONGEST_PAUSE, SourceUnavailable

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_VALIDATOR = 256

_KINDS = {400: "badRequest", 401: "unauthorised", 403: "forbidden", 429: "rateLimited", 503: "overloaded"}


def unavailable(status: int, headers: Mapping[str, str], now: datetime) -> SourceUnavailable:
    """The lack of an answer that this HTTP status stands for, with the pause that was asked for."""
    return SourceUnavailable(_kind(status, headers), _pause(headers, now), is_about_subject=status == 400)


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether the body claims to be JSON; most often it is a log-in page where it does not."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def validator_of(headers: Mapping[str, str]) -> str | None:
    """The ETag, if it can safely be sent back as a header."""
    etag = headers.get("ETag", "")
    is_sane = 0 < len(etag) <= LONGEST_VALIDATOR and etag.isascii() and etag.isprintable() and " " not in etag
    return etag if is_sane else None


def _kind(status: int, headers: Mapping[str, str]) -> str:
    if status == 403 and ("Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"):
        # GitHub's way of saying 429.
        return _KINDS[429]
    return _KINDS.get(status, f"http{status // 100}xx")


def _pause(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long not to ask again: Retry-After in seconds or as a date (RFC 9110, 10.2.3), within limits.

    A date is reckoned from the answer's own Date, for clocks differ.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        pause = timedelta(seconds=min(int(said[:9]), LONGEST_PAUSE.total_seconds()))
    elif (until := _http_date(said) or _rate_limit_reset(headers)) is not None:
        pause = until - (_http_date(headers.get("Date", "")) or now)
    else:
        return None
    return min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)


def _rate_limit_reset(headers: Mapping[str, str]) -> datetime | None:
    """When GitHub's quota is filled up again, where it is empty and nothing better is said."""
    said = headers.get("X-RateLimit-Reset", "")
    is_told = headers.get("X-RateLimit-Remaining") == "0" and said.isascii() and said.isdigit() and len(said) < 12
    return datetime.fromtimestamp(int(said), UTC) if is_told else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
