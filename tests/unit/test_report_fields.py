"""Everything that transports or stores reports preserves each of their fields."""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, fields, replace
from datetime import timedelta
from pathlib import Path

from badge.cache.envelope import seal, unseal
from badge.catalogue.events import ReportedVerification, RunDetails, RunEvent, VerificationEvent
from badge.catalogue.migration import migrate
from badge.contract import LONGEST_URL, report_from, status_document
from badge.model import (
    MAX_NAME,
    MAX_PATH,
    BackupStatus,
    CacheEntry,
    Outcomes,
    Reason,
    Report,
    Subject,
    Verification,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
)
from badge.sources.http.answer import LONGEST_VALIDATOR
from badge.web.intake.ops_body import event_document, read_event
from tests.doubles import START
from tests.store import Store

WEB = Subject.legacy("acme", "web")
KEY = ("github", "acme", "repository", "web")
FULL = Report(
    status=BackupStatus.FAILED,
    observed_at=START,
    exists=False,
    started_at=START - timedelta(minutes=2),
    finished_at=START - timedelta(minutes=1),
    last_success_at=START - timedelta(days=1),
    last_finished=BackupStatus.FAILED,
    outcomes=Outcomes.parse("sf"),
    next_run_at=START + timedelta(days=1),
    stale_after=START + timedelta(days=2),
    deleted_at=START - timedelta(days=9),
    size_bytes=5,
    url="https://ci.example.org/runs/7",
    visibility=Visibility.PRIVATE,
    enabled=False,
    reason=Reason.STORAGE,
    verification=Verification(VerificationOutcome.FAILED, START - timedelta(hours=5), VerificationMethod.RESTORED),
    revision=7,
    validator='"7"',
)
EVENT = RunEvent(
    subject=WEB,
    status=BackupStatus.FAILED,
    at=START,
    started_at=FULL.started_at,
    finished_at=FULL.finished_at,
    size_bytes=5,
    next_run_at=FULL.next_run_at,
    stale_after=FULL.stale_after,
    url=FULL.url,
    reason=Reason.STORAGE,
    visibility=Visibility.PRIVATE,
    enabled=False,
    verification=ReportedVerification(
        VerificationOutcome.FAILED, START - timedelta(hours=5), VerificationMethod.RESTORED
    ),
)


def is_default(value: object, field: Field[object]) -> bool:
    return field.default is not MISSING and getattr(value, field.name) == field.default


def test_the_examples_give_every_field() -> None:
    assert [field.name for field in fields(Report) if is_default(FULL, field)] == []
    assert [field.name for field in fields(RunEvent) if is_default(EVENT, field)] == ["run_id"]


def test_the_contract_carries_every_field_except_existence_and_validator() -> None:
    document = json.loads(json.dumps(status_document(WEB, FULL)))
    read = report_from(document, asked_for=WEB, now=START).report
    assert read == replace(FULL, exists=True, validator=None)


def test_the_cache_carries_every_field() -> None:
    entry = CacheEntry(report=FULL, fetched_at=START, confirmed_at=START, fresh_until=START)
    assert unseal(KEY, seal(KEY, entry), START, timedelta(0)) == entry


def test_the_cache_holds_the_longest_names_and_urls() -> None:
    # JSON escapes make these letters three times as long as in UTF-8.
    subject = Subject.parse("GitHub", "д" * 200, "Repository", "д" * MAX_NAME)
    assert len(subject.path) > 0.95 * MAX_PATH
    report = replace(FULL, url="https://ci.example.org/".ljust(LONGEST_URL, "x"), validator="x" * LONGEST_VALIDATOR)
    entry = CacheEntry(report=report, fetched_at=START, confirmed_at=START, fresh_until=START)
    key = subject.key(fold_case=True)
    assert unseal(key, seal(key, entry), START, timedelta(0)) == entry


def test_a_report_over_http_carries_the_whole_event() -> None:
    assert read_event(json.dumps(event_document(EVENT)).encode()) == EVENT


def test_a_verification_over_http_needs_no_run() -> None:
    assert EVENT.verification is not None
    event = VerificationEvent(WEB, EVENT.verification, Visibility.PRIVATE)
    assert read_event(json.dumps(event_document(event)).encode()) == event


def test_the_catalogue_shows_every_reported_field_of_the_newest_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    migrate(url)
    store = Store.on(url)
    report = store.catalogue.record(EVENT).report
    (run,) = store.catalogue.runs(WEB)
    store.close()
    shown = {field.name for field in fields(RunDetails)} | {"started_at", "finished_at"}
    for name in shown:
        assert getattr(report, name) == getattr(run, name) == getattr(EVENT, name)
    assert (report.visibility, report.enabled) == (EVENT.visibility, EVENT.enabled)
    assert report.verification == FULL.verification
