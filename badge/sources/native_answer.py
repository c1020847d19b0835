"""An upstream's HTTP answer → what it says of a subject, by the native contract. No I/O.

The two kinds of no: 404 and 410 are answers; 400, 401, 403, 429, 5xx, a log-in page and anything
that is not of the contract are the lack of one, and never make a badge red or grey by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from badge.contract import (
    SUBJECT_FIELDS,
    ContractBroken,
    ParsedStatus,
    check_subject,
    parse_json,
    past_moment_in,
    report_from,
)
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.sources.http_transport import HttpAnswer

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_VALIDATOR = 256

_KINDS = {400: "badRequest", 401: "unauthorised", 403: "forbidden", 429: "rateLimited", 503: "overloaded"}


def interpret(answer: HttpAnswer, subject: Subject, known: Report | None, now: datetime) -> ParsedStatus:
    """What the answer says; raises `SourceUnavailable` where it says nothing."""
    match answer.status:
        case 200:
            return _status(answer, subject, now)
        case 304 if known is not None and known.validator is not None:  # else nobody asked conditionally
            return ParsedStatus(replace(known, observed_at=now), unknown_word=False)
        case 404:
            return ParsedStatus(Report.absent(now), unknown_word=False)
        case 410:
            return ParsedStatus(_deleted(answer, subject, known, now), unknown_word=False)
        case status:
            kind, pause = _kind(status, answer.headers), _pause(answer.headers, now)
            raise SourceUnavailable(kind, pause, is_about_subject=status == 400)


def _status(answer: HttpAnswer, subject: Subject, now: datetime) -> ParsedStatus:
    if not _is_json(answer.headers):
        # Most often the log-in page of a proxy in front, with status 200.
        raise SourceUnavailable("notJson")
    try:
        parsed = report_from(parse_json(answer.body), asked_for=subject, now=now)
    except ContractBroken as broken:
        raise SourceUnavailable(str(broken), is_about_subject=True) from None
    return replace(parsed, report=replace(parsed.report, validator=_validator(answer.headers)))


def _deleted(answer: HttpAnswer, subject: Subject, known: Report | None, now: datetime) -> Report:
    """The subject's definition is gone. A body that says whose it was must mean this subject."""
    document = _object_in(answer)
    if document.keys() >= set(SUBJECT_FIELDS):
        try:
            check_subject(document, subject)
        except ContractBroken as broken:
            raise SourceUnavailable(str(broken), is_about_subject=True) from None
    return Report(
        status=BackupStatus.DELETED,
        observed_at=now,
        deleted_at=past_moment_in(document, "deletedAt", now),
        visibility=_visibility(document.get("visibility"), known),
        last_success_at=known.last_success_at if known is not None else None,
    )


def _visibility(said: object, known: Report | None) -> Visibility:
    """As the body says, else as it was, else public; a word that can't be read must not tell of a private subject."""
    if said is None:
        return known.visibility if known is not None else Visibility.PUBLIC
    return Visibility.PUBLIC if said == Visibility.PUBLIC else Visibility.PRIVATE


def _object_in(answer: HttpAnswer) -> dict[str, object]:
    """The JSON object in the body; that of a 410 is a welcome extra, so anything else is an empty one."""
    if not _is_json(answer.headers):
        return {}
    try:
        document = parse_json(answer.body)
    except ContractBroken:
        return {}
    return document if isinstance(document, dict) else {}


def _is_json(headers: Mapping[str, str]) -> bool:
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _validator(headers: Mapping[str, str]) -> str | None:
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
    elif (until := _http_date(said)) is not None:
        pause = until - (_http_date(headers.get("Date", "")) or now)
    else:
        return None
    return min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
