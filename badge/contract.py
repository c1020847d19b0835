"""Reads and writes the native contract's JSON (docs/reference/native-contract.md). No I/O.

Reading is strict about the required fields (subject, status, visibility, revision, `observedAt`) and lenient about the
rest: an optional field of the wrong type counts as missing. A status that is not one of the six counts as unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from badge.events import FailureKind
from badge.model import (
    FINISHED,
    MOST_OUTCOMES,
    BackupStatus,
    InvalidSubject,
    Outcomes,
    Reason,
    Report,
    Subject,
    Verification,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
    is_ahead,
)

LONGEST_URL = 2048
LARGEST_SIZE = 2**63
# Systems write "never" as Go's and .NET's zero time (0001-01-01), as Unix time 0, or as the last day of 9999.
ZERO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC)
SUBJECT_FIELDS = ("platform", "account", "subjectType", "subjectName")

# RFC 3339, section 5.6, with any number of fraction digits (Azure sends seven).
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")

_Word = TypeVar("_Word", bound=StrEnum)


class ContractBroken(ValueError):
    """The document breaks the contract."""

    def __init__(self, kind: FailureKind) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ParsedStatus:
    """A report, and whether it counts as unknown because the document's status is not one of the six."""

    report: Report
    has_unknown_status: bool


def coordinates_of(subject: Subject) -> dict[str, str]:
    """Return the subject's four fields in the contract."""
    return dict(zip(SUBJECT_FIELDS, (subject.platform, subject.account, subject.type, subject.name), strict=True))


def status_document(subject: Subject, report: Report) -> dict[str, object]:
    """Return the contract's BackupStatus object."""
    return {
        **coordinates_of(subject),
        "status": report.status.value,
        **{field.wire: field.written(report) for field in _OPTIONAL_FIELDS},
        **verification_fields(report.verification),
        "visibility": report.visibility.value,
        "observedAt": format_time(report.observed_at),
        "revision": report.revision,
    }


def report_from(document: object, *, asked_for: Subject, now: datetime) -> ParsedStatus:
    """Return the report in a BackupStatus object; raises `ContractBroken`.

    Because clocks differ, the time of a past event that is slightly ahead of `now` counts as `now`. A time further
    ahead is returned unchanged; callers treat it as unknown, which is not the same as missing. `observedAt` is capped
    at `now`.
    """
    if not isinstance(document, dict):
        raise ContractBroken(FailureKind.NOT_AN_OBJECT)
    check_subject(document, asked_for)
    word = _required(document, "status", str)
    status = _word(BackupStatus, word)
    revision = _required(document, "revision", int)
    visibility = _word(Visibility, _required(document, "visibility", str))
    observed_at = moment_in(document, "observedAt")
    if visibility is None or observed_at is None or not 0 <= revision < LARGEST_SIZE:
        raise ContractBroken(FailureKind.BAD_FIELD)
    report = Report(
        status=status or BackupStatus.UNKNOWN,
        observed_at=min(observed_at, now),
        visibility=visibility,
        verification=_verification_in(document, now),
        revision=revision,
        **{field.name: field.read(document, now) for field in _OPTIONAL_FIELDS},
    )
    return ParsedStatus(report, has_unknown_status=status is None)


def verification_fields(verification: Verification | None) -> dict[str, object]:
    """Return the three fields of a verification; null if there is none."""
    at, how = (verification.at, verification.how) if verification else (None, None)
    return {
        "verification": verification and verification.outcome.value,
        "verifiedAt": None if at is None else format_time(at),
        "verifiedHow": how and how.value,
    }


def _verification_in(document: Mapping[str, object], now: datetime) -> Verification | None:
    found = verification_in(document)
    if found is None or found.at is None or is_ahead(found.at, now):
        return found
    return replace(found, at=min(found.at, now))


def verification_in(document: Mapping[str, object]) -> Verification | None:
    """Return the verification; None without an outcome, which must not be inferred."""
    outcome = _word(VerificationOutcome, document.get("verification"))
    if outcome is None:
        return None
    at, how = moment_in(document, "verifiedAt"), _word(VerificationMethod, document.get("verifiedHow"))
    return Verification(outcome, at, how)


def parse_json(raw: bytes) -> object:
    """Parse JSON more strictly than `json.loads`; raises `ContractBroken`.

    Refuses NaN and Infinity (not in RFC 8259), duplicate names, and nesting beyond Python's recursion limit.
    """
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except ContractBroken:
        raise
    except (ValueError, RecursionError):
        raise ContractBroken(FailureKind.BAD_JSON) from None


def parse_time(value: object) -> datetime | None:
    """Parse an RFC 3339 time and return it in UTC; None for anything else, including a time without a zone."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, time, fraction, zone = match.groups()
    text = f"{day}T{time}.{(fraction or '0')[:6]:0<6}{zone.upper().replace('Z', '+00:00')}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_time(moment: datetime) -> str:
    """Return the time in UTC as RFC 3339 with `Z`, with a fraction only if it has one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def https_url(value: object) -> str | None:
    """Return the URL if it is safe to link to, else None.

    It must use https, consist of at most 2,048 printable ASCII characters, and contain no user name.
    """
    if not isinstance(value, str) or len(value) > LONGEST_URL or not re.fullmatch(r"[!-~]+", value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc else None


def unless_never(moment: datetime | None) -> datetime | None:
    """Return the time, or None if it stands for "never"."""
    return moment if moment is not None and ZERO_TIME < moment < LAST_TIME else None


def moment_in(document: Mapping[str, object], name: str) -> datetime | None:
    """Return the time in this field, in UTC; None if there is none or it stands for "never"."""
    return unless_never(parse_time(document.get(name)))


def past_moment_in(document: Mapping[str, object], name: str, now: datetime) -> datetime | None:
    """Return the time of a past event in this field; because clocks differ, any time ahead of `now` counts as `now`."""
    moment = moment_in(document, name)
    return None if moment is None else min(moment, now)


def check_subject(document: Mapping[str, object], asked_for: Subject) -> None:
    """Raise `ContractBroken` for another subject's document.

    If a proxy mixes up answers, one repository's status must not appear on another's badge.
    """
    parts = [_required(document, name, str) for name in SUBJECT_FIELDS]
    try:
        answered = Subject.parse(*parts)
    except InvalidSubject:
        raise ContractBroken(FailureKind.OTHER_SUBJECT) from None
    if answered.key(fold_case=True) != asked_for.key(fold_case=True):
        raise ContractBroken(FailureKind.OTHER_SUBJECT)


_Kind = TypeVar("_Kind", str, int)


def _required(document: Mapping[str, object], name: str, kind: type[_Kind]) -> _Kind:
    value = document.get(name)
    # In Python, but not in JSON, a bool is an int.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ContractBroken(FailureKind.BAD_FIELD)
    return value


def _word(words: type[_Word], value: object) -> _Word | None:
    return words(value) if isinstance(value, str) and value in tuple(words) else None


def _finished(value: object) -> BackupStatus | None:
    status = _word(BackupStatus, value)
    return status if status in FINISHED else None


def _outcomes(value: object) -> Outcomes | None:
    """Return the outcomes in a JSON list; None if any item is not one, because skipping it would change the rate."""
    if not isinstance(value, list):
        return None
    found = [_finished(item) for item in value[-MOST_OUTCOMES:]]
    return None if None in found else Outcomes.of(status for status in found if status)


def outcomes_document(outcomes: Outcomes) -> Sequence[str]:
    """Return the outcomes as they are listed in JSON, oldest first."""
    return [status.value for status in outcomes.statuses]


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_SIZE else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    return unless_never(parse_time(value))


@dataclass(frozen=True, slots=True)
class _OptionalField:
    """How to read and write one field that may be null."""

    name: str
    """The attribute of `Report`."""
    wire: str
    """The JSON name."""
    read_value: Callable[[object], Any]
    """Returns None for an invalid value."""
    write_value: Callable[[Any], object]
    is_past: bool = False
    """Whether it is the time of a past event: a time slightly ahead of `now` counts as `now`."""

    def written(self, report: Report) -> object:
        value = getattr(report, self.name)
        return None if value is None else self.write_value(value)

    def read(self, document: Mapping[str, object], now: datetime) -> Any:
        value = self.read_value(document.get(self.wire))
        return min(value, now) if self.is_past and value and not is_ahead(value, now) else value


_OPTIONAL_FIELDS = (
    _OptionalField("started_at", "startedAt", _moment, format_time, is_past=True),
    _OptionalField("finished_at", "finishedAt", _moment, format_time, is_past=True),
    _OptionalField("last_success_at", "lastSuccessAt", _moment, format_time, is_past=True),
    _OptionalField("last_finished", "lastFinished", _finished, str),
    _OptionalField("outcomes", "history", _outcomes, outcomes_document),
    _OptionalField("next_run_at", "nextRunAt", _moment, format_time),
    _OptionalField("stale_after", "staleAfter", _moment, format_time),
    _OptionalField("deleted_at", "deletedAt", _moment, format_time, is_past=True),
    _OptionalField("size_bytes", "sizeBytes", _size, int),
    _OptionalField("url", "url", https_url, str),
    _OptionalField("enabled", "enabled", _flag, bool),
    _OptionalField("reason", "reason", partial(_word, Reason), str),
)


def _no_constant(_: str) -> NoReturn:
    raise ContractBroken(FailureKind.BAD_JSON)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ContractBroken(FailureKind.DUPLICATE_NAME)
    return document
