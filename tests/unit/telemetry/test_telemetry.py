"""Events become declared log lines and metrics, without names, addresses or secrets."""

from __future__ import annotations

import io
import json
import logging
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from badge.events import (
    AnswerCrashed,
    BadgeServed,
    CacheCommandFailed,
    CacheEntryRefused,
    CallerWaited,
    CatalogueFailed,
    CircuitBreakerMoved,
    Event,
    FailureKind,
    FlightEnd,
    FlightEnded,
    LogInEnd,
    LogInTried,
    MessageDelivered,
    MessageNotDelivered,
    MessagesGivenUp,
    PingAnswered,
    RefreshBegun,
    Refusal,
    RequestRefused,
    SourceAnswered,
    SourceCallSuppressed,
    SourceFailed,
    StoredTimesAhead,
    SubjectUnmatched,
    UnknownStatusReceived,
    Wait,
)
from badge.finished import ServedBy
from badge.model import BackupStatus, Origin
from badge.telemetry import Telemetry
from badge.telemetry.logs import (
    LINES,
    LOGGER,
    MOST_REMEMBERED,
    ConsoleLines,
    JsonLines,
    LogLimit,
    formatter_for,
    request_named,
)
from badge.telemetry.metrics import _UPDATES, METRICS, Metrics, UndeclaredMetric
from tests.servers import PROJECT

SECRET = "hunter2"
SERVED = BadgeServed("svg", BackupStatus.FAILED, Origin.CACHE, 200, 0.0123)

MOVES: list[tuple[Event, str]] = [
    (SERVED, 'badge_requests_total{format="svg",origin="cache",status="failed"} 1.0'),
    (SERVED, 'badge_request_seconds_bucket{format="svg",le="0.025"} 1.0'),
    (AnswerCrashed("badge", ValueError(SECRET)), 'badge_crashes_total{where="badge"} 1.0'),
    (
        CatalogueFailed("ping", "SQLITE_FULL", "its disk is full"),
        'badge_catalogue_failures_total{error="SQLITE_FULL",operation="ping"} 1.0',
    ),
    (CacheCommandFailed("get", "TimeoutError"), 'badge_cache_failures_total{operation="get"} 1.0'),
    (CacheEntryRefused("notJson"), 'badge_cache_refused_total{reason="notJson"} 1.0'),
    (FlightEnded(FlightEnd.SHARED), 'badge_flights_total{end="shared"} 1.0'),
    (CallerWaited(Wait.GAVE_UP), 'badge_waits_total{how="gaveUp"} 1.0'),
    (RequestRefused("people"), "badge_pages_refused_total 1.0"),
    (RequestRefused("programs"), 'badge_refused_total{kind="programs"} 1.0'),
    (RefreshBegun(), "badge_refreshes_total 1.0"),
    (SourceAnswered("upstream", 0.3), 'badge_source_calls_total{outcome="answered",source="upstream"} 1.0'),
    (SourceAnswered("upstream", 0.3), 'badge_source_seconds_count{source="upstream"} 1.0'),
    (
        SourceFailed("upstream", FailureKind.TIMEOUT),
        'badge_source_calls_total{outcome="timeout",source="upstream"} 1.0',
    ),
    (SourceCallSuppressed("upstream", Refusal.RATE), 'badge_source_spared_total{source="upstream",why="rate"} 1.0'),
    (UnknownStatusReceived("upstream"), 'badge_source_unknown_words_total{source="upstream"} 1.0'),
    (SubjectUnmatched(), "badge_subjects_unrouted_total 1.0"),
    (CircuitBreakerMoved("redis", is_open=True), 'badge_breaker_moves_total{name="redis",to="open"} 1.0'),
    (CircuitBreakerMoved("redis", is_open=True), 'badge_breaker_open{name="redis"} 1.0'),
    (PingAnswered("fail", 200), 'badge_pings_total{http_status="200",signal="fail"} 1.0'),
    (LogInTried(LogInEnd.REFUSED), 'badge_log_ins_total{end="refused"} 1.0'),
    (StoredTimesAhead(), "badge_times_ahead_total 1.0"),
    (MessageDelivered("ops"), 'badge_messages_total{channel="ops",outcome="delivered"} 1.0'),
    (MessageNotDelivered("ops", "timeout"), 'badge_messages_total{channel="ops",outcome="failed"} 1.0'),
    (MessagesGivenUp(3), "badge_messages_given_up_total 3.0"),
]


def test_every_event_has_a_log_line() -> None:
    assert set(LINES) == set(get_args(Event))


def test_no_metric_of_an_event_is_untested() -> None:
    assert {type(event) for event, _ in MOVES} == set(_UPDATES)


@pytest.mark.parametrize(("event", "line"), MOVES)
def test_each_event_updates_its_metric(event: Event, line: str) -> None:
    telemetry = Telemetry()
    telemetry.emit(event)
    assert line in telemetry.metrics.exposition().decode().splitlines()


def test_an_undeclared_metric_cannot_be_updated() -> None:
    with pytest.raises(UndeclaredMetric):
        Metrics().add("badge_surprises_total")
    with pytest.raises(UndeclaredMetric):
        Metrics().add("badge_pings_total", "success")  # which has two labels


def test_exactly_the_declared_metrics_are_exposed_and_documented() -> None:
    metrics = Metrics()
    for event, _ in MOVES:
        metrics.count(event)
    metrics.edge_counter("svg", "failed", "cache")(ServedBy.CACHE)
    declared = {metric.name.removesuffix("_total") for metric in METRICS}
    families = {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}
    assert families - {name + "_created" for name in declared} == declared
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text()
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"  # noqa: RUF001 - a dash for an empty cell
        assert f"| `{metric.name}` | {labels} | {metric.help} |" in page


@pytest.mark.parametrize(
    ("served_by", "metric"),
    [
        (ServedBy.CACHE, "badge_hot_path_hits_total"),
        (ServedBy.FLIGHT, "badge_collapsed_total"),
        (ServedBy.OVERLOAD, "badge_overloaded_total"),
    ],
)
def test_answers_of_the_edge_count_as_requests_too(served_by: ServedBy, metric: str) -> None:
    metrics = Metrics()
    count = metrics.edge_counter("svg", "failed", "cache")
    count(served_by)
    count(served_by)
    lines = metrics.exposition().decode().splitlines()
    assert 'badge_requests_total{format="svg",origin="cache",status="failed"} 2.0' in lines
    assert f"{metric} 2.0" in lines


def lines_of(formatter: logging.Formatter, event: Event) -> str:
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    handler.setFormatter(formatter)
    LOGGER.addHandler(handler)
    LOGGER.setLevel("DEBUG")
    try:
        Telemetry().emit(event)
    finally:
        LOGGER.removeHandler(handler)
    return sink.getvalue()


def test_a_json_line_is_an_object_with_the_event_s_fields_and_the_request_s_id() -> None:
    with request_named("id-12345678"):
        line = json.loads(lines_of(JsonLines(), SERVED))
    fields = {"format": "svg", "status": "failed", "origin": "cache", "http_status": 200, "ms": 12.3}
    assert line.items() >= {**fields, "message": "badge served", "level": "INFO", "requestId": "id-12345678"}.items()
    assert line["time"].endswith("+0000")


def test_a_console_line_is_readable() -> None:
    line = lines_of(ConsoleLines(), SourceFailed("upstream", FailureKind.TIMEOUT, 1.5))
    assert line.endswith("source unavailable source=upstream kind=timeout ms=1500.0\n")
    assert "WARNING" in line


@pytest.mark.parametrize("formatter", [JsonLines(), ConsoleLines()])
def test_an_exception_s_location_is_logged_but_not_its_text(formatter: logging.Formatter) -> None:
    try:
        int(SECRET)
    except ValueError as error:
        line = lines_of(formatter, AnswerCrashed("badge", error))
    assert SECRET not in line
    assert "ValueError" in line
    assert "test_telemetry.py" in line


def test_an_outage_of_the_catalogue_is_logged_once_a_minute_and_counted_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seconds = iter([0.0, 1.0, 59.0, 60.0, 61.0])
    telemetry = Telemetry(limit=LogLimit(lambda: next(seconds)))
    locked, full = CatalogueFailed("ping", "SQLITE_BUSY", "locked"), CatalogueFailed("ping", "SQLITE_FULL", "full")
    LOGGER.setLevel("DEBUG")
    with caplog.at_level("DEBUG", LOGGER.name):
        for event in (full, locked, full, full, full):
            telemetry.emit(event)
    assert [record.__dict__["event_fields"]["reason"] for record in caplog.records] == ["full", "locked", "full"]
    lines = telemetry.metrics.exposition().decode().splitlines()
    assert 'badge_catalogue_failures_total{error="SQLITE_FULL",operation="ping"} 4.0' in lines


def test_the_log_limit_remembers_a_bounded_number_of_events() -> None:
    limit = LogLimit(lambda: 0.0)
    for number in range(2 * MOST_REMEMBERED):
        assert limit.admits(CatalogueFailed("ping", f"Error{number}", "x"))
    assert len(limit._logged) <= MOST_REMEMBERED


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_automatic_log_format_is_readable_on_a_terminal() -> None:
    assert isinstance(formatter_for("auto", Terminal()), ConsoleLines)
    assert isinstance(formatter_for("auto", io.StringIO()), JsonLines)
    assert isinstance(formatter_for("json", Terminal()), JsonLines)
    assert isinstance(formatter_for("console", io.StringIO()), ConsoleLines)


def test_a_failure_of_one_subject_does_not_mark_the_source_as_down() -> None:
    """Otherwise, requests for made-up names could change what /readyz reports."""
    telemetry = Telemetry(Metrics())
    telemetry.emit(SourceFailed("upstream", FailureKind.BAD_REQUEST, is_about_subject=True))
    assert telemetry.watch.is_up("upstream")
    telemetry.emit(SourceFailed("upstream", FailureKind.TIMEOUT))
    assert not telemetry.watch.is_up("upstream")
    telemetry.emit(SourceFailed("upstream", FailureKind.BAD_REQUEST, is_about_subject=True))
    assert not telemetry.watch.is_up("upstream")
    telemetry.emit(SourceAnswered("upstream", 0.1))
    assert telemetry.watch.is_up("upstream")
