"""The native contract over real HTTP: every failure ends in time and has the right kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from badge.deadline import Deadline
from badge.events import UnknownStatusReceived
from badge.model import BackupStatus, Report, Subject, is_ahead
from badge.ports import SourceUnavailable
from badge.sources.http.transport import HttpTransport
from badge.sources.native.source import NativeSource
from tests.doubles import RecordedEvents
from tests.fault_server import FAILURE_KINDS, MODES, SECRET, FaultServer, running_fault_server

WEB = Subject.parse("AzureDevOps", "org", "Repository", "my project/démo")
KEY = "bsb_canary"
SECONDS = 0.5


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def upstream() -> Iterator[FaultServer]:
    with running_fault_server() as server:
        yield server


@pytest.fixture
def source(upstream: FaultServer) -> NativeSource:
    return NativeSource(upstream.url, KEY, HttpTransport(), now, RecordedEvents(), "upstream")


def fetch(source: NativeSource, known: Report | None = None, seconds: float = SECONDS) -> Report:
    return source.fetch(WEB, known, Deadline.after(seconds))


def test_the_request_has_the_subject_and_the_api_key(source: NativeSource, upstream: FaultServer) -> None:
    report = fetch(source)
    assert (report.status, report.validator) == (BackupStatus.SUCCEEDED, '"7"')
    request = upstream.asked[0]
    assert request.target.startswith("/ops/status?")
    assert request.subject == {
        "platform": "AzureDevOps",
        "account": "org",
        "subjectType": "Repository",
        "subjectName": "my project/démo",
    }
    assert request.headers["x-api-key"] == KEY
    assert "cookie" not in request.headers


def test_an_unchanged_status_is_a_304(source: NativeSource, upstream: FaultServer) -> None:
    first = fetch(source)
    upstream.status = "failed"
    again = fetch(source, first)
    assert again.status is BackupStatus.SUCCEEDED
    assert again.observed_at > first.observed_at - timedelta(seconds=1)
    assert upstream.asked[1].headers["if-none-match"] == '"7"'


def test_it_can_use_post_instead(upstream: FaultServer) -> None:
    source = NativeSource(upstream.url, KEY, HttpTransport(), now, RecordedEvents(), "upstream", by_post=True)
    first = fetch(source)
    assert fetch(source, first).status is BackupStatus.SUCCEEDED
    request = upstream.asked[1]
    assert (request.method, request.target) == ("POST", "/ops/status/get")
    assert "if-none-match" not in request.headers
    assert request.subject["subjectName"] == WEB.name


def test_connections_are_reused(source: NativeSource, upstream: FaultServer) -> None:
    for _ in range(5):
        fetch(source)
    assert (len(upstream.asked), upstream.connections) == (5, 1)


ANSWERS = {
    "ok": BackupStatus.SUCCEEDED,
    "moved": BackupStatus.SUCCEEDED,
    "404-html": BackupStatus.UNKNOWN,
    "410": BackupStatus.DELETED,
    "new-enum": BackupStatus.UNKNOWN,
    "future-time": BackupStatus.SUCCEEDED,
}
FAILURES = {
    **FAILURE_KINDS,
    "twice": "duplicateName",
    "wrong-type": "badField",
    "other-subject": "otherSubject",
}


def test_every_mode_of_the_fault_server_is_tried() -> None:
    assert ANSWERS.keys() | FAILURES.keys() == MODES.keys()


@pytest.mark.parametrize(("mode", "status"), ANSWERS.items())
def test_each_answer_gives_its_status(
    source: NativeSource, upstream: FaultServer, mode: str, status: BackupStatus
) -> None:
    upstream.mode = mode
    assert fetch(source).status is status


@pytest.mark.parametrize(("mode", "kind"), FAILURES.items())
def test_each_failure_is_raised_in_time_under_its_name(
    source: NativeSource, upstream: FaultServer, mode: str, kind: str
) -> None:
    upstream.mode = mode
    began = time.monotonic()
    with pytest.raises(SourceUnavailable) as raised:
        fetch(source)
    assert raised.value.kind == kind
    assert SECRET not in str(raised.value)
    assert time.monotonic() - began < 3 * SECONDS


@pytest.mark.parametrize(
    ("mode", "seconds"), [("429-seconds", 30), ("429-date", 30), ("503", 5), ("403-ratelimit", 30)]
)
def test_a_failure_says_how_long_to_pause(source: NativeSource, upstream: FaultServer, mode: str, seconds: int) -> None:
    upstream.mode = mode
    with pytest.raises(SourceUnavailable) as raised:
        fetch(source)
    assert raised.value.retry_after is not None
    assert abs(raised.value.retry_after.total_seconds() - seconds) <= 1


def test_the_next_request_after_a_failure_works(source: NativeSource, upstream: FaultServer) -> None:
    for mode in ("reset", "cut-with-length", "drip", "huge"):
        upstream.mode = mode
        with pytest.raises(SourceUnavailable):
            fetch(source, seconds=0.3)
        upstream.mode = "ok"
        assert fetch(source).status is BackupStatus.SUCCEEDED


def test_the_api_key_is_never_sent_to_another_origin(source: NativeSource, upstream: FaultServer) -> None:
    with running_fault_server() as other:
        upstream.mode, upstream.elsewhere = "redirect-other-host", other.url
        with pytest.raises(SourceUnavailable):
            fetch(source)
        assert other.connections == 0


@pytest.mark.parametrize("form", ["http://{other}\\@{own}/", "//{other}\\@{own}/", "http://{other}\\\\@{own}/"])
def test_a_url_that_two_parsers_read_differently_is_another_origin(
    source: NativeSource, upstream: FaultServer, form: str
) -> None:
    with running_fault_server() as other:
        upstream.mode = "redirect-other-host"
        upstream.elsewhere = form.format(other=f"127.0.0.1:{other.port}", own=f"127.0.0.1:{upstream.port}")
        with pytest.raises(SourceUnavailable, match=r"^redirect$"):
            fetch(source)
        assert other.connections == 0


def test_a_redirect_within_the_origin_is_followed(upstream: FaultServer) -> None:
    upstream.mode = "moved"
    moved = NativeSource(upstream.url + "/old", KEY, HttpTransport(), now, RecordedEvents(), "upstream")
    assert fetch(moved).status is BackupStatus.SUCCEEDED
    assert [request.target.partition("?")[0] for request in upstream.asked] == ["/old/ops/status", "/ops/status"]
    assert upstream.asked[1].subject["subjectName"] == WEB.name


def test_the_number_of_redirects_is_limited(source: NativeSource, upstream: FaultServer) -> None:
    upstream.mode = "redirect-loop"
    with pytest.raises(SourceUnavailable, match="redirect"):
        fetch(source)
    assert len(upstream.asked) == 4


def test_a_refused_connection_has_its_own_kind_of_failure() -> None:
    with running_fault_server() as server:
        url = server.url
    source = NativeSource(url, None, HttpTransport(), now, RecordedEvents(), "upstream")
    with pytest.raises(SourceUnavailable, match="connect"):
        fetch(source)


def test_an_unknown_status_is_reported(upstream: FaultServer) -> None:
    events = RecordedEvents()
    upstream.mode = "new-enum"
    fetch(NativeSource(upstream.url, None, HttpTransport(), now, events, "upstream"))
    assert events.seen == [UnknownStatusReceived("upstream")]


def test_a_time_that_is_far_ahead_counts_as_unknown(source: NativeSource, upstream: FaultServer) -> None:
    upstream.mode = "future-time"
    assert is_ahead(fetch(source).finished_at, now())


def test_a_child_process_does_not_use_its_parent_s_connection(source: NativeSource, upstream: FaultServer) -> None:
    fetch(source)
    child = os.fork()
    if child == 0:
        os._exit(0 if fetch(source).status is BackupStatus.SUCCEEDED else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert upstream.connections == 2
