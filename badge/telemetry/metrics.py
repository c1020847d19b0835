"""The service's own metrics, declared in one table, and the events that change them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from badge.events import (
    AnswerCrashed,
    BadgeServed,
    CacheCommandFailed,
    CacheEntryRefused,
    CallerWaited,
    CatalogueFailed,
    CircuitBreakerMoved,
    Event,
    FlightEnded,
    LogInTried,
    MessageDelivered,
    MessageNotDelivered,
    MessagesGivenUp,
    PingAnswered,
    RefreshBegun,
    RequestRefused,
    SourceAnswered,
    SourceCallSuppressed,
    SourceFailed,
    StoredTimesAhead,
    SubjectUnmatched,
    UnknownStatusReceived,
)
from badge.finished import ServedBy
from badge.raw_path import Audience
from badge.telemetry.shared_counts import Labels, SharedCounts, counts_of_this_service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# In seconds. Answers from memory fall into the lowest buckets, those that waited for a source into the highest. A badge
# must be answered within 2 s.
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


class Kind(Enum):
    """The kinds of metrics (prometheus.io/docs/concepts/metric_types)."""

    COUNTER = auto()
    GAUGE = auto()
    """The highest value of all workers is reported."""
    HISTOGRAM = auto()


@dataclass(frozen=True, slots=True)
class Declared:
    """Declaration of one metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


# No label may contain a path, a subject or any other text that a request can choose freely.
METRICS = (
    Declared("badge_requests_total", Kind.COUNTER, "Badge requests answered.", ("format", "status", "origin")),
    Declared("badge_hot_path_hits_total", Kind.COUNTER, "Badge requests answered from the edge cache.", ()),
    Declared("badge_collapsed_total", Kind.COUNTER, "Badge requests that shared another request's answer."),
    Declared(
        "badge_overloaded_total",
        Kind.COUNTER,
        "Badge requests that got no thread or no answer in time, or failed in the edge itself.",
    ),
    Declared("badge_request_seconds", Kind.HISTOGRAM, "Time to answer a badge request in Flask.", ("format",)),
    Declared("badge_refused_total", Kind.COUNTER, "Requests refused under overload, except badge requests.", ("kind",)),
    Declared(
        "badge_pages_refused_total",
        Kind.COUNTER,
        "Pages refused under overload; also counted in badge_refused_total.",
    ),
    Declared("badge_pings_total", Kind.COUNTER, "Pings accepted or refused.", ("signal", "http_status")),
    Declared("badge_crashes_total", Kind.COUNTER, "Unexpected exceptions (bugs).", ("where",)),
    Declared("badge_catalogue_failures_total", Kind.COUNTER, "Failed catalogue operations.", ("operation", "error")),
    Declared("badge_cache_failures_total", Kind.COUNTER, "Failed cache commands.", ("operation",)),
    Declared(
        "badge_cache_refused_total",
        Kind.COUNTER,
        "Cached values rejected: invalid, for another subject or schema, or from the future.",
        ("reason",),
    ),
    Declared("badge_flights_total", Kind.COUNTER, "Shared fetches, by outcome.", ("end",)),
    Declared("badge_waits_total", Kind.COUNTER, "Requests for statuses that had to be fetched, by outcome.", ("how",)),
    Declared("badge_refreshes_total", Kind.COUNTER, "Background refreshes of expired statuses."),
    Declared("badge_source_calls_total", Kind.COUNTER, "Calls to sources.", ("source", "outcome")),
    Declared("badge_source_seconds", Kind.HISTOGRAM, "Time that sources took to answer.", ("source",)),
    Declared("badge_source_spared_total", Kind.COUNTER, "Source calls suppressed.", ("source", "why")),
    Declared(
        "badge_source_unknown_words_total",
        Kind.COUNTER,
        "Responses with an unrecognised status: not one of the six or, with a recipe, not in its map.",
        ("source",),
    ),
    Declared("badge_subjects_unrouted_total", Kind.COUNTER, "Requests for subjects that no source matches."),
    Declared("badge_breaker_moves_total", Kind.COUNTER, "Circuit breakers opened or closed.", ("name", "to")),
    Declared("badge_log_ins_total", Kind.COUNTER, "Dashboard login attempts.", ("end",)),
    Declared(
        "badge_times_ahead_total",
        Kind.COUNTER,
        "Reports, pings and fetches for subjects that had stored times in the future.",
    ),
    Declared("badge_messages_total", Kind.COUNTER, "Attempts to send a message, by outcome.", ("channel", "outcome")),
    Declared("badge_messages_given_up_total", Kind.COUNTER, "Undelivered messages that will not be sent again."),
    Declared("badge_breaker_open", Kind.GAUGE, "1 while the circuit breaker is open in any worker.", ("name",)),
    Declared(
        "badge_configuration_current",
        Kind.GAUGE,
        "1 if the service uses the configuration on disk, 0 if the last reload failed or a restart is needed.",
    ),
)


_EDGE_METRICS = {
    ServedBy.CACHE: "badge_hot_path_hits_total",
    ServedBy.FLIGHT: "badge_collapsed_total",
    ServedBy.OVERLOAD: "badge_overloaded_total",
}


class UndeclaredMetric(KeyError):
    """The metric is not in the table, is of a different kind, or has a different number of labels."""


class Metrics(Collector):
    """The metrics of this process and of all processes it shares counts with."""

    def __init__(self, counts: SharedCounts | None = None) -> None:
        self._counts = counts or counts_of_this_service()
        self._declared = {declared.name: declared for declared in METRICS}
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def add(self, name: str, *labels: str, amount: float = 1) -> None:
        """Increase a counter; raises `UndeclaredMetric`."""
        self._check(name, Kind.COUNTER, labels)
        self._counts.add(name, labels, amount)

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Record a duration in a histogram; raises `UndeclaredMetric`."""
        self._check(name, Kind.HISTOGRAM, labels)
        self._counts.add(name, (*labels, _BUCKETS[bisect_left(LATENCY_BUCKETS, seconds)]))
        self._counts.add(name, (*labels, _SUM), seconds)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge; raises `UndeclaredMetric`."""
        self._check(name, Kind.GAUGE, labels)
        self._counts.set(name, labels, value)

    def value(self, name: str, *labels: str) -> float:
        """Return a metric's value as /metrics shows it, or 0 if it was never set."""
        return self._counts.totals().get((name, labels), 0.0)

    def count(self, event: Event) -> None:
        """Update the metrics that an event changes."""
        update = _UPDATES.get(type(event))
        if update is not None:
            update(self, event)

    def edge_counter(self, format: str, status: str, origin: str) -> Callable[[ServedBy], None]:
        """Return a function that counts one more answer of this kind, served by the edge."""
        counts, labels = self._counts, (format, status, origin)

        def count(served_by: ServedBy) -> None:
            counts.add("badge_requests_total", labels)
            counts.add(_EDGE_METRICS[served_by])

        return count

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, for the registry."""
        by_name: dict[str, dict[Labels, float]] = {declared.name: {} for declared in METRICS}
        for (name, labels), value in self._counts.totals().items():
            by_name[name][labels] = value
        for declared in METRICS:
            yield _FAMILIES[declared.kind](declared, by_name[declared.name])

    def _check(self, name: str, kind: Kind, labels: Labels) -> None:
        declared = self._declared.get(name)
        if declared is None or declared.kind is not kind or len(labels) != len(declared.labels):
            raise UndeclaredMetric(name)


# A histogram's counts carry one more label: the bucket's upper bound, or this name for the sum.
_BUCKETS = (*map(str, LATENCY_BUCKETS), "+Inf")
_SUM = "sum"


def _counter(declared: Declared, values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(declared.name, declared.help, labels=declared.labels)
    # Without labels, the only time series is known in advance, so it is exported as 0 even before the first event.
    if not declared.labels:
        values = {(): 0.0, **values}
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _gauge(declared: Declared, values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _histogram(declared: Declared, values: Mapping[Labels, float]) -> Metric:
    family = HistogramMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels in dict.fromkeys(labels[:-1] for labels in values):
        counted = accumulate(values.get((*labels, bucket), 0.0) for bucket in _BUCKETS)
        family.add_metric(labels, list(zip(_BUCKETS, counted, strict=True)), values.get((*labels, _SUM), 0.0))
    return family


_FAMILIES = {Kind.COUNTER: _counter, Kind.GAUGE: _gauge, Kind.HISTOGRAM: _histogram}


def _served(metrics: Metrics, event: BadgeServed) -> None:
    metrics.add("badge_requests_total", event.format, event.status, event.origin)
    metrics.observe("badge_request_seconds", event.seconds, event.format)


def _refused(metrics: Metrics, event: RequestRefused) -> None:
    metrics.add("badge_refused_total", event.kind)
    if event.kind == Audience.PEOPLE:
        metrics.add("badge_pages_refused_total")


def _answered(metrics: Metrics, event: SourceAnswered) -> None:
    metrics.add("badge_source_calls_total", event.source, "answered")
    metrics.observe("badge_source_seconds", event.seconds, event.source)


def _breaker(metrics: Metrics, event: CircuitBreakerMoved) -> None:
    metrics.add("badge_breaker_moves_total", event.name, "open" if event.is_open else "closed")
    metrics.set("badge_breaker_open", int(event.is_open), event.name)


_UPDATES: Mapping[type[Event], Callable[[Metrics, Any], None]] = {
    BadgeServed: _served,
    SourceAnswered: _answered,
    CircuitBreakerMoved: _breaker,
    RequestRefused: _refused,
    PingAnswered: lambda metrics, event: metrics.add("badge_pings_total", event.signal, str(event.http_status)),
    AnswerCrashed: lambda metrics, event: metrics.add("badge_crashes_total", event.where),
    CatalogueFailed: lambda metrics, event: metrics.add("badge_catalogue_failures_total", event.operation, event.error),
    CacheCommandFailed: lambda metrics, event: metrics.add("badge_cache_failures_total", event.operation),
    CacheEntryRefused: lambda metrics, event: metrics.add("badge_cache_refused_total", event.reason),
    FlightEnded: lambda metrics, event: metrics.add("badge_flights_total", event.end),
    CallerWaited: lambda metrics, event: metrics.add("badge_waits_total", event.how),
    RefreshBegun: lambda metrics, _: metrics.add("badge_refreshes_total"),
    SourceFailed: lambda metrics, event: metrics.add("badge_source_calls_total", event.source, event.kind),
    SourceCallSuppressed: lambda metrics, event: metrics.add("badge_source_spared_total", event.source, event.why),
    UnknownStatusReceived: lambda metrics, event: metrics.add("badge_source_unknown_words_total", event.source),
    LogInTried: lambda metrics, event: metrics.add("badge_log_ins_total", event.end),
    StoredTimesAhead: lambda metrics, _: metrics.add("badge_times_ahead_total"),
    SubjectUnmatched: lambda metrics, _: metrics.add("badge_subjects_unrouted_total"),
    MessageDelivered: lambda metrics, event: metrics.add("badge_messages_total", event.channel, "delivered"),
    MessageNotDelivered: lambda metrics, event: metrics.add("badge_messages_total", event.channel, "failed"),
    MessagesGivenUp: lambda metrics, event: metrics.add("badge_messages_given_up_total", amount=event.number),
}
