"""Reads HTTP answers in the native contract. No I/O.

404 and 410 are answers. 400, 401, 403, 429, 5xx, a login page and anything outside the contract count as no answer;
on their own they never turn a badge red or grey.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from badge.contract import (
    SUBJECT_FIELDS,
    ContractBroken,
    ParsedStatus,
    check_subject,
    parse_json,
    past_moment_in,
    report_from,
)
from badge.events import FailureKind
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.sources.http.answer import is_json, unavailable, validator_of
from badge.sources.http.messages import HttpAnswer


def interpret(answer: HttpAnswer, subject: Subject, known: Report | None, now: datetime) -> ParsedStatus:
    """Return the status that the answer reports; raises `SourceUnavailable` if it reports none."""
    match answer.status:
        case 200:
            return _status(answer, subject, now)
        case 304 if known is not None and known.validator is not None:  # otherwise the request was unconditional
            return ParsedStatus(replace(known, observed_at=now), has_unknown_status=False)
        case 404:
            return ParsedStatus(Report.absent(now), has_unknown_status=False)
        case 410:
            return ParsedStatus(_deleted(answer, subject, known, now), has_unknown_status=False)
        case status:
            raise unavailable(status, answer.headers, now)


def _status(answer: HttpAnswer, subject: Subject, now: datetime) -> ParsedStatus:
    if not is_json(answer.headers):
        raise SourceUnavailable(FailureKind.NOT_JSON)
    try:
        parsed = report_from(parse_json(answer.body), asked_for=subject, now=now)
    except ContractBroken as broken:
        raise SourceUnavailable(broken.kind, is_about_subject=True) from None
    return replace(parsed, report=replace(parsed.report, validator=validator_of(answer.headers)))


def _deleted(answer: HttpAnswer, subject: Subject, known: Report | None, now: datetime) -> Report:
    """Return a report that the subject was deleted; a body that names a subject must name this one."""
    document = _object_in(answer)
    if document.keys() >= set(SUBJECT_FIELDS):
        try:
            check_subject(document, subject)
        except ContractBroken as broken:
            raise SourceUnavailable(broken.kind, is_about_subject=True) from None
    return Report(
        status=BackupStatus.DELETED,
        observed_at=now,
        deleted_at=past_moment_in(document, "deletedAt", now),
        visibility=_visibility(document.get("visibility"), known),
        last_success_at=known.last_success_at if known is not None else None,
    )


def _visibility(value: object, known: Report | None) -> Visibility:
    """Return the visibility in the body, else the known one, else public.

    Any unrecognised value counts as private, so that no private subject is disclosed.
    """
    if value is None:
        return known.visibility if known is not None else Visibility.PUBLIC
    return Visibility.PUBLIC if value == Visibility.PUBLIC else Visibility.PRIVATE


def _object_in(answer: HttpAnswer) -> dict[str, object]:
    """Return the JSON object in a 410's body, which is optional: anything else counts as an empty object."""
    if not is_json(answer.headers):
        return {}
    try:
        document = parse_json(answer.body)
    except ContractBroken:
        return {}
    return document if isinstance(document, dict) else {}
