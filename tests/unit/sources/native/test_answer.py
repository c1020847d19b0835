"""Malformed answers from a folder, and the contract's rules; without a server or waiting."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from badge.contract import ContractBroken, format_time, parse_json, parse_time, report_from, status_document
from badge.model import BackupStatus, Reason, Report, Subject, Visibility
from badge.ports import LONGEST_PAUSE, SourceUnavailable
from badge.sources.http.messages import HttpAnswer
from badge.sources.native.answer import interpret
from tests.doubles import START

SAMPLES = sorted((Path(__file__).parents[3] / "samples" / "native").glob("*.json"))
WEB = Subject.legacy("acme", "web")


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, CaseInsensitiveDict({"Content-Type": "application/json", **named}), body)


def sample_answer(sample: dict[str, Any]) -> HttpAnswer:
    body = base64.b64decode(sample["bodyBase64"]) if "bodyBase64" in sample else sample["body"].encode()
    return HttpAnswer(sample["status"], CaseInsensitiveDict(sample["headers"]), body)


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_each_sample_gives_what_it_expects(file: Path) -> None:
    sample = json.loads(file.read_text())
    if "fails" in sample:
        with pytest.raises(SourceUnavailable) as raised:
            interpret(sample_answer(sample), WEB, None, START)
        assert raised.value.kind == sample["fails"]
        return
    parsed = interpret(sample_answer(sample), WEB, None, START)
    assert parsed.has_unknown_status is sample["expect"].pop("has_unknown_status", False)
    found = {name: getattr(parsed.report, name) for name in sample["expect"]}
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
    assert shown == sample["expect"]


def test_a_304_confirms_only_a_report_with_a_validator() -> None:
    known = Report(status=BackupStatus.FAILED, observed_at=START - timedelta(hours=1), validator='"7"')
    assert interpret(answer(304), WEB, known, START).report == replace(known, observed_at=START)
    with pytest.raises(SourceUnavailable):
        interpret(answer(304), WEB, replace(known, validator=None), START)


def test_a_private_subject_stays_private_after_its_deletion() -> None:
    known = Report(status=BackupStatus.FAILED, observed_at=START, visibility=Visibility.PRIVATE)
    assert interpret(answer(410), WEB, known, START).report.visibility is Visibility.PRIVATE


@pytest.mark.parametrize("value", ["internal", "", ["public"], 1, {}])
def test_an_unreadable_visibility_counts_as_private(value: object) -> None:
    gone = answer(410, json.dumps({"visibility": value}).encode())
    assert interpret(gone, WEB, None, START).report.visibility is Visibility.PRIVATE


def test_the_deletion_of_another_subject_is_refused() -> None:
    other = status_document(Subject.legacy("acme", "other"), Report(status=BackupStatus.DELETED, observed_at=START))
    with pytest.raises(SourceUnavailable, match=r"^otherSubject$"):
        interpret(answer(410, json.dumps(other).encode()), WEB, None, START)
    own = {**other, "subjectName": "WEB", "deletedAt": "2026-11-23T11:00:00Z"}
    report = interpret(answer(410, json.dumps(own).encode()), WEB, None, START).report
    assert report.deleted_at == START - timedelta(hours=1)


def test_a_deletion_at_a_zero_time_has_no_time() -> None:
    gone = answer(410, b'{"deletedAt": "0001-01-01T00:00:00Z"}')
    assert interpret(gone, WEB, None, START).report.deleted_at is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("999999999999", LONGEST_PAUSE.total_seconds()),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 30),
        ("Mon, 23 Nov 2020 12:00:00 GMT", 1),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_limited_and_computed_by_the_upstream_s_clock(value: str, seconds: float | None) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        interpret(answer(429, Retry_After=value, Date="Mon, 23 Nov 2026 12:01:00 GMT"), WEB, None, START)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert raised.value.retry_after == expected


def test_github_s_own_headers_say_when_its_quota_is_renewed() -> None:
    at = int((START + timedelta(minutes=10)).timestamp())
    with pytest.raises(SourceUnavailable) as raised:
        interpret(answer(403, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(at)), WEB, None, START)
    assert (raised.value.kind, raised.value.retry_after) == ("rateLimited", timedelta(minutes=10))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = list(status_document(WEB, Report(status=BackupStatus.FAILED, observed_at=START)))


# On a fresh checkout, the first string takes seconds, because hypothesis has to build its Unicode table.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.integers(100, 599))
def test_no_answer_raises_anything_but_source_unavailable(changes: dict[str, object], status: int) -> None:
    document = {**status_document(WEB, Report(status=BackupStatus.FAILED, observed_at=START)), **changes}
    try:
        parsed = interpret(answer(status, json.dumps(document).encode()), WEB, None, START)
    except SourceUnavailable as unavailable:
        assert unavailable.kind.isalnum()  # noqa: PT017 - either outcome is right
    else:
        assert parsed.report.status in BackupStatus


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    try:
        parse_json(raw)
    except ContractBroken as broken:
        assert str(broken) in ("badJson", "duplicateName")  # noqa: PT017 - either outcome is right


MOMENTS = st.none() | st.datetimes(datetime(2001, 1, 1), datetime(2026, 11, 23), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive limits


@given(
    st.builds(
        Report,
        status=st.sampled_from(BackupStatus),
        observed_at=MOMENTS.filter(bool),
        started_at=MOMENTS,
        finished_at=MOMENTS,
        next_run_at=MOMENTS,
        last_finished=st.sampled_from([None, BackupStatus.SUCCEEDED, BackupStatus.FAILED]),
        size_bytes=st.none() | st.integers(0, 2**62),
        visibility=st.sampled_from(Visibility),
        enabled=st.none() | st.booleans(),
        reason=st.none() | st.sampled_from(Reason),
        revision=st.integers(0, 2**53),
    )
)
def test_what_is_written_is_read_back(report: Report) -> None:
    document = json.loads(json.dumps(status_document(WEB, report)))
    assert report_from(document, asked_for=WEB, now=START).report == report


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T12:00:00Z", START),
        ("2026-11-23t12:00:00z", START),
        ("2026-11-23 12:00:00Z", START),
        ("2026-11-23T13:00:00+01:00", START),
        ("2026-11-23T12:00:00.0000000Z", START),
        ("2026-11-23T12:00:00", None),
        ("2026-11-23", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("2026-11-23T12:00:00Zjunk", None),
        (1763899200, None),
    ],
)
def test_times_are_rfc_3339_with_a_zone(text: object, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_times_are_written_in_utc() -> None:
    assert format_time(START.replace(microsecond=1000)) == "2026-11-23T12:00:00.001000Z"
