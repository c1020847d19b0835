"""Recipes over real HTTP: every failure ends in time, has the right kind, and is counted under one label."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badge.app import build_app, build_parts, utc_now
from badge.cache.memory import MemoryStatusCache
from badge.deadline import Deadline
from badge.events import UnknownStatusReceived
from badge.model import (
    BackupStatus,
    Report,
    Subject,
    Visibility,
)
from badge.ports import SourceUnavailable, StatusSource
from badge.settings import load as settings_of
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load
from tests.doubles import RecordedEvents
from tests.fault_server import FAILURE_KINDS, MODES, SECRET, FaultServer, running_fault_server

WEB = Subject.parse("GitLab", "group/sub", "Repository", "démo")
KEY = "canary-of-the-key"
SECONDS = 0.5

DECLARATIVE = """
[[source]]
name = "own"
kind = "http"
url = "URL/base"
state = "status"
map = { succeeded = "succeeded", failed = "failed", inProgress = "inProgress" }
rules = [{ when = "subjectName && subjectName != 'démo'", status = "unknown" }]
[source.request]
path = "/jobs/{account}"
query = { platform = "{platform}", subjectType = "{subjectType}", subjectName = "{subjectName}" }
[source.fields]
finishedAt = "finishedAt"
[source.auth]
kind = "header"
header = "X-Key"
value = "env:KEY"
"""
TWICE = DECLARATIVE.replace("[source.request]", '[source.then]\npath = "/more"\n[source.request]')

PROMETHEUS = """
[[source]]
name = "own"
preset = "prometheus"
url = "URL"
promql = 'backup_ok{platform="{platform}",owner="{account}",type="{subjectType}",name="{subjectName}"}'
auth = { kind = "bearer", token = "env:KEY" }
"""

NUMBERS = {"succeeded": "1", "failed": "0", "quantum": "1.5"}


def as_prometheus(fields: dict[str, object]) -> object:
    """Return the fields of the fault server's document in the form of a Prometheus answer."""
    word = fields["status"]
    number = NUMBERS[word] if isinstance(word, str) else word
    moment = 4_000_000_000 if str(fields["observedAt"]).startswith("2099") else time.time()
    result = [{"metric": {}, "value": [moment, number]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, "revision": fields["revision"]}


def source_of(folder: Path, text: str, url: str, events: RecordedEvents | None = None) -> StatusSource:
    file = folder / "sources.toml"
    file.write_text(text.replace("URL", url))
    configured = load(file, {"KEY": KEY})
    return build_routing(configured, None, lambda: datetime.now(UTC), events or RecordedEvents()).sources[0]


@pytest.fixture
def upstream() -> Iterator[FaultServer]:
    with running_fault_server() as server:
        yield server


@pytest.fixture(params=["declarative", "prometheus"])
def source(request: pytest.FixtureRequest, upstream: FaultServer, tmp_path: Path) -> StatusSource:
    if request.param == "declarative":
        return source_of(tmp_path, DECLARATIVE, upstream.url)
    upstream.shape = as_prometheus
    return source_of(tmp_path, PROMETHEUS, upstream.url)


def fetch(source: StatusSource, known: Report | None = None, seconds: float = SECONDS) -> Report:
    return source.fetch(WEB, known, Deadline.after(seconds))


ANSWERS = {
    "ok": BackupStatus.SUCCEEDED,
    "404-html": BackupStatus.UNKNOWN,
    "410": BackupStatus.DELETED,
    "new-enum": BackupStatus.UNKNOWN,
    "future-time": BackupStatus.SUCCEEDED,
    "wrong-type": BackupStatus.UNKNOWN,
    "moved": BackupStatus.SUCCEEDED,
}
# Modes that need a document with the subject's name, or with a duplicate field.
DECLARATIVE_ONLY = {"twice": "duplicateName", "other-subject": None}


def test_every_mode_of_the_fault_server_is_tried() -> None:
    assert ANSWERS.keys() | FAILURE_KINDS.keys() | DECLARATIVE_ONLY.keys() == MODES.keys()


@pytest.mark.parametrize(("mode", "status"), ANSWERS.items())
def test_each_answer_gives_its_status(
    source: StatusSource, upstream: FaultServer, mode: str, status: BackupStatus
) -> None:
    upstream.mode = mode
    assert fetch(source).status is status


@pytest.mark.parametrize(("mode", "kind"), FAILURE_KINDS.items())
def test_each_failure_is_raised_in_time_under_its_name(
    source: StatusSource, upstream: FaultServer, mode: str, kind: str
) -> None:
    upstream.mode = mode
    began = time.monotonic()
    with pytest.raises(SourceUnavailable) as raised:
        fetch(source)
    assert raised.value.kind == kind
    assert SECRET not in str(raised.value)
    assert time.monotonic() - began < 3 * SECONDS


@pytest.mark.parametrize(("mode", "kind"), DECLARATIVE_ONLY.items())
def test_modes_that_need_the_subject_s_name_in_the_document_have_their_own_results(
    upstream: FaultServer, tmp_path: Path, mode: str, kind: str | None
) -> None:
    upstream.mode = mode
    source = source_of(tmp_path, DECLARATIVE, upstream.url)
    if kind is None:
        assert fetch(source).status is BackupStatus.UNKNOWN
        return
    with pytest.raises(SourceUnavailable, match=kind):
        fetch(source)


def test_the_request_has_the_subject_and_the_api_key(upstream: FaultServer, tmp_path: Path) -> None:
    fetch(source_of(tmp_path, DECLARATIVE, upstream.url))
    request = upstream.asked[0]
    assert request.target.startswith("/base/jobs/group%2Fsub?")
    assert request.subject == {"platform": "GitLab", "subjectType": "Repository", "subjectName": "démo"}
    assert request.headers["x-key"] == KEY
    assert request.headers["accept"] == "application/json"


def test_a_name_cannot_escape_from_its_promql_string(upstream: FaultServer, tmp_path: Path) -> None:
    upstream.shape = as_prometheus
    source = source_of(tmp_path, PROMETHEUS, upstream.url)
    evil = Subject.parse("GitHub", "acme", "Repository", 'x"} or vector(1) or up{a="\\')
    source.fetch(evil, None, Deadline.after(SECONDS))
    assert upstream.asked[0].subject["query"] == (
        'backup_ok{platform="GitHub",owner="acme",type="Repository",name="x\\"} or vector(1) or up{a=\\"\\\\"}'
    )


def test_an_unchanged_answer_is_a_304(upstream: FaultServer, tmp_path: Path) -> None:
    source = source_of(tmp_path, DECLARATIVE, upstream.url)
    first = fetch(source)
    assert first.status is BackupStatus.SUCCEEDED
    assert fetch(source, first).finished_at == first.finished_at
    assert upstream.asked[1].headers["if-none-match"] == '"7"'


def test_a_report_confirmed_by_a_304_becomes_outdated_too(upstream: FaultServer, tmp_path: Path) -> None:
    text = DECLARATIVE.replace('state = "status"', 'state = "status"\nstale_after = "4m"')
    source = source_of(tmp_path, text, upstream.url)
    first = fetch(source)
    assert first.finished_at is not None
    long_ago = first.finished_at.replace(year=2020)
    known = Report(status=BackupStatus.SUCCEEDED, observed_at=long_ago, finished_at=long_ago, validator=first.validator)
    assert fetch(source, known).status is BackupStatus.FAILED


def test_a_report_read_with_another_configuration_is_not_confirmed(upstream: FaultServer, tmp_path: Path) -> None:
    first = fetch(source_of(tmp_path, DECLARATIVE, upstream.url))
    changed = DECLARATIVE.replace('succeeded = "succeeded"', 'succeeded = "failed"')
    assert fetch(source_of(tmp_path, changed, upstream.url), first).status is BackupStatus.FAILED
    assert "if-none-match" not in upstream.asked[1].headers


def test_a_report_read_from_another_item_of_the_answer_is_not_confirmed(upstream: FaultServer, tmp_path: Path) -> None:
    one = DECLARATIVE.replace("[source.request]", 'values = { job = "succeeded" }\n[source.request]')
    one = one.replace("rules = [", 'where = [{ expr = "status", equals = "{job}" }]\nrules = [')
    first = fetch(source_of(tmp_path, one, upstream.url))
    assert first.status is BackupStatus.SUCCEEDED
    another = one.replace('job = "succeeded"', 'job = "nightly"')
    assert not fetch(source_of(tmp_path, another, upstream.url), first).exists
    assert "if-none-match" not in upstream.asked[1].headers


def test_the_first_of_two_requests_is_never_conditional(upstream: FaultServer, tmp_path: Path) -> None:
    source = source_of(tmp_path, TWICE, upstream.url)
    fetch(source, fetch(source))
    assert [request.target for request in upstream.asked[1::2]] == ["/base/more"] * 2
    assert "if-none-match" not in upstream.asked[2].headers


def test_the_answer_to_another_request_is_not_confirmed(upstream: FaultServer, tmp_path: Path) -> None:
    source = source_of(tmp_path, DECLARATIVE, upstream.url)
    other = Subject.parse("GitLab", "group", "Repository", "démo")
    source.fetch(other, fetch(source), Deadline.after(SECONDS))
    assert "if-none-match" not in upstream.asked[1].headers


def test_the_answer_to_another_request_body_is_not_confirmed(upstream: FaultServer, tmp_path: Path) -> None:
    query = next(line for line in DECLARATIVE.splitlines() if line.startswith("query"))
    source = source_of(tmp_path, DECLARATIVE.replace(query, query.replace("query", "json")), upstream.url)
    other = Subject.parse("GitLab", "group/sub", "Repository", "other")
    source.fetch(other, fetch(source), Deadline.after(SECONDS))
    assert [request.method for request in upstream.asked] == ["GET", "GET"]
    assert upstream.asked[0].target == upstream.asked[1].target
    assert "if-none-match" not in upstream.asked[1].headers


def test_a_state_that_is_not_in_the_map_is_reported(upstream: FaultServer, tmp_path: Path) -> None:
    events = RecordedEvents()
    upstream.mode = "new-enum"
    fetch(source_of(tmp_path, DECLARATIVE, upstream.url, events))
    assert events.seen == [UnknownStatusReceived("own")]


def test_a_source_can_be_private(upstream: FaultServer, tmp_path: Path) -> None:
    text = DECLARATIVE.replace('kind = "http"', 'kind = "http"\nvisibility = "private"')
    assert fetch(source_of(tmp_path, text, upstream.url)).visibility is Visibility.PRIVATE


def test_a_private_subject_stays_private_after_its_deletion(upstream: FaultServer, tmp_path: Path) -> None:
    text = DECLARATIVE.replace('finishedAt = "finishedAt"', 'finishedAt = "finishedAt"\nprivate = "visibility"')
    source = source_of(tmp_path, text, upstream.url)
    known = fetch(source)
    assert known.visibility is Visibility.PRIVATE
    upstream.mode = "410"
    gone = fetch(source, known)
    assert (gone.status, gone.visibility) == (BackupStatus.DELETED, Visibility.PRIVATE)


def test_the_api_key_is_never_sent_to_another_origin(upstream: FaultServer, tmp_path: Path) -> None:
    source = source_of(tmp_path, DECLARATIVE, upstream.url)
    with running_fault_server() as other:
        upstream.mode, upstream.elsewhere = "redirect-other-host", other.url
        with pytest.raises(SourceUnavailable, match="redirect"):
            fetch(source)
        assert other.connections == 0


def test_a_value_of_the_wrong_type_affects_only_its_subject(upstream: FaultServer, tmp_path: Path) -> None:
    text = DECLARATIVE.replace("subjectName && subjectName != 'démo'", "starts_with(revision, 'x')")
    with pytest.raises(SourceUnavailable, match="badExpression") as raised:
        fetch(source_of(tmp_path, text, upstream.url))
    assert raised.value.is_about_subject


@dataclass(frozen=True, slots=True)
class Shown:
    """The badge and the metrics in one mode of the fault server."""

    text_status: int
    """The HTTP status of the badge in text format."""
    calls: list[str]
    """The outcomes that were counted, each exactly once."""


def shown(folder: Path, text: str, mode: str) -> Shown:
    """Request a badge as text and as an image, both of which have to arrive in time."""
    (folder / "key").write_text(KEY)
    file = folder / "sources.toml"
    with running_fault_server() as upstream:
        upstream.mode = mode
        if text is PROMETHEUS:
            upstream.shape = as_prometheus
        file.write_text(text.replace("URL", upstream.url).replace("env:KEY", f"file:{folder / 'key'}"))
        times = {"BADGE_UPSTREAM_TIMEOUT": "400ms", "BADGE_WAIT": "600ms"}
        parts = build_parts(settings_of({"BADGE_SOURCES": str(file), **times}), cache=MemoryStatusCache(utc_now))
        client = build_app(parts).test_client()
        began = time.monotonic()
        text_status = client.get(f"/badge/{WEB.path}.txt").status_code
        image = client.get(f"/badge/{WEB.path}")
        assert (image.status_code, image.mimetype) == (200, "image/svg+xml")
        assert time.monotonic() - began < 2
    metrics = parts.events.metrics.exposition().decode()
    # Any value but 1 means that a call was counted twice.
    calls = re.findall(r'^badge_source_calls_total\{outcome="(\w+)",source="own"\} (\S+)', metrics, re.MULTILINE)
    return Shown(text_status, [outcome if number == "1.0" else f"{outcome} {number}" for outcome, number in calls])


BOTH = pytest.mark.parametrize("text", [DECLARATIVE, PROMETHEUS], ids=["declarative", "prometheus"])


@BOTH
@pytest.mark.parametrize(("mode", "kind"), FAILURE_KINDS.items())
def test_each_failure_gives_an_image_in_time_and_counts_once(tmp_path: Path, text: str, mode: str, kind: str) -> None:
    assert shown(tmp_path, text, mode) == Shown(503, [kind])


# The text format answers 404 if there is no such subject, and 410 if it is deleted.
TEXT_STATUSES = {"404-html": 404, "410": 410}


@BOTH
@pytest.mark.parametrize("mode", ANSWERS)
def test_each_answer_gives_an_image_in_time_and_counts_once(tmp_path: Path, text: str, mode: str) -> None:
    assert shown(tmp_path, text, mode) == Shown(TEXT_STATUSES.get(mode, 200), ["answered"])
