"""The native contract's JSON, written and read (docs/reference/native-contract.md). No I/O.

Reading is strict where a wrong reading would be a lie (status, revision, visibility, whose status
it is) and forgiving where it would not: an optional field of the wrong kind counts as not given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from badge.events import FailureKind
from badge.model import BackupStatus, InvalidSubject, Reason, Report, Subject, Visibility

LONGEST_URL = 2048
LARGEST_SIZE = 2**63
# What systems write for "never": the zero of Go (0001-01-01) and .NET, Unix' 0, and the last day that there is.
ZERO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC)
SUBJECT_FIELDS = ("platform", "account", "subjectType", "subjectName")

# RFC 3339, section 5.6, with any number of fraction digits (Azure sends seven).
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")

_Word = TypeVar("_Word", bound=StrEnum)


class ContractBroken(ValueError):
    """A document that breaks the contract."""

    def __init__(self, kind: FailureKind) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ParsedStatus:
    """A report, and whether it used a status word that is none of ours."""

    report: Report
    unknown_word: bool


def coordinates_of(subject: Subject) -> dict[str, str]:
    """The contract's four names of a subject."""
    return dict(zip(SUBJECT_FIELDS, (subject.platform, subject.account, subject.type, subject.name), strict=True))


def status_document(subject: Subject, report: Report) -> dict[str, object]:
    """The contract's BackupStatus object."""
    return {
        **coordinates_of(subject),
        "status": report.status.value,
        **{field.wire: field.written(report) for field in _OPTIONAL_FIELDS},
        "visibility": report.visibility.value,
        "observedAt": format_time(report.observed_at),
        "revision": report.revision,
    }


def report_from(document: object, *, asked_for: Subject, now: datetime) -> ParsedStatus:
    """The report in a BackupStatus object; raises `ContractBroken`.

    Moments in the future that can't be count as `now`: clocks differ.
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
        revision=revision,
        **{field.name: field.read(document, now) for field in _OPTIONAL_FIELDS},
    )
    return ParsedStatus(report, unknown_word=status is None)


def parse_json(raw: bytes) -> object:
    """The JSON in these bytes; raises `ContractBroken` for all that RFC 8259 does not allow, and more.

    NaN and Infinity are no JSON; a name given twice leaves open which one counts; nesting deeper
    than Python's recursion limit can't be read.
    """
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except ContractBroken:
        raise
    except (ValueError, RecursionError):
        raise ContractBroken(FailureKind.BAD_JSON) from None


def parse_time(value: object) -> datetime | None:
    """The moment in an RFC 3339 text, in UTC; None for anything else, also for one without a zone."""
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
    """RFC 3339 in UTC with `Z`; a fraction only where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def https_url(value: object) -> str | None:
    """The URL, if it is one that may be linked to: https, of sane length, no user, nothing invisible."""
    if not isinstance(value, str) or len(value) > LONGEST_URL or not re.fullmatch(r"[!-~]+", value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc else None


def unless_never(moment: datetime | None) -> datetime | None:
    """The moment; None for those that stand for "never", and that no zone's clock could show."""
    return moment if moment is not None and ZERO_TIME < moment < LAST_TIME else None


def moment_in(document: Mapping[str, object], name: str) -> datetime | None:
    """The moment in a field, in UTC; None where none is given, zero times included."""
    return unless_never(parse_time(document.get(name)))


def past_moment_in(document: Mapping[str, object], name: str, now: datetime) -> datetime | None:
    """The same for what can't lie ahead: a future moment counts as `now`, for clocks differ."""
    moment = moment_in(document, name)
    return None if moment is None else min(moment, now)


def check_subject(document: Mapping[str, object], asked_for: Subject) -> None:
    """Raise `ContractBroken` for another subject's document.

    A proxy that mixes answers up must not put one repository's status on another's badge.
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
    # bool is an int to Python, and to nobody else.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ContractBroken(FailureKind.BAD_FIELD)
    return value


def _word(words: type[_Word], value: object) -> _Word | None:
    return words(value) if isinstance(value, str) and value in tuple(words) else None


def _finished(value: object) -> BackupStatus | None:
    status = _word(BackupStatus, value)
    return status if status in (BackupStatus.SUCCEEDED, BackupStatus.FAILED) else None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_SIZE else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    return unless_never(parse_time(value))


@dataclass(frozen=True, slots=True)
class _OptionalField:
    """A field of a report that may be null, with its writer beside its reader."""

    name: str
    """Of `Report`'s attribute."""
    wire: str
    """Of the JSON member."""
    read_value: Callable[[object], Any]
    """Gives None for what is no such value."""
    write_value: Callable[[Any], object]
    is_past: bool = False
    """Whether it can't lie ahead: a future moment counts as `now`, for clocks differ."""

    def written(self, report: Report) -> object:
        value = getattr(report, self.name)
        return None if value is None else self.write_value(value)

    def read(self, document: Mapping[str, object], now: datetime) -> Any:
        value = self.read_value(document.get(self.wire))
        return min(value, now) if self.is_past and value is not None else value


_OPTIONAL_FIELDS = (
    _OptionalField("started_at", "startedAt", _moment, format_time, is_past=True),
    _OptionalField("finished_at", "finishedAt", _moment, format_time, is_past=True),
    _OptionalField("last_success_at", "lastSuccessAt", _moment, format_time, is_past=True),
    _OptionalField("last_finished", "lastFinished", _finished, str),
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
