"""Every metric, declared in one table, and which event moves which.

With PROMETHEUS_MULTIPROC_DIR set before this is imported, the workers' counts are summed
(prometheus_client's multiprocess mode); without it, as in tests, each process counts for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from badge.events import (
    AnswerCrashed,
    BadgeServed,
    CacheCommandFailed,
    CacheEntryRefused,
    CallerWaited,
    CircuitBreakerMoved,
    Event,
    FlightEnded,
    LogInTried,
    PingAnswered,
    RefreshBegun,
    SourceAnswered,
    SourceCallSuppressed,
    SourceFailed,
    SubjectUnmatched,
    UnknownStatusReceived,
)
from badge.metrics_folder import folder_lock, shared_folder

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Seconds: what comes from memory, from the cache, from a source; 2 s is the promise.
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric."""

    name: str
    kind: type[Counter | Gauge | Histogram]
    help: str
    labels: tuple[str, ...] = ()


# No label ever holds a path, a subject or anything else that strangers choose.
METRICS = (
    Declared("badge_requests_total", Counter, "Badges answered.", ("format", "status", "origin")),
    Declared("badge_hot_path_hits_total", Counter, "Of these, answered in front of Flask.", ()),
    Declared("badge_request_seconds", Histogram, "From Flask to the finished answer.", ("format",)),
    Declared("badge_pings_total", Counter, "Pings taken and refused.", ("signal", "http_status")),
    Declared("badge_crashes_total", Counter, "Bugs that became an image.", ("where",)),
    Declared("badge_cache_failures_total", Counter, "Commands to the cache that failed.", ("operation",)),
    Declared("badge_cache_refused_total", Counter, "Values in the cache that are none of ours.", ("reason",)),
    Declared("badge_flights_total", Counter, "Attempts to find out a status.", ("end",)),
    Declared("badge_waits_total", Counter, "Callers without a badge at hand.", ("how",)),
    Declared("badge_refreshes_total", Counter, "Statuses fetched anew behind a shown one."),
    Declared("badge_source_calls_total", Counter, "Questions to sources.", ("source", "outcome")),
    Declared("badge_source_seconds", Histogram, "How long sources took to answer.", ("source",)),
    Declared("badge_source_spared_total", Counter, "Questions not asked.", ("source", "why")),
    Declared("badge_source_unknown_words_total", Counter, "Status words that are none of ours.", ("source",)),
    Declared("badge_subjects_unrouted_total", Counter, "Questions for subjects of no source."),
    Declared("badge_breaker_moves_total", Counter, "Breakers opened and closed.", ("name", "to")),
    Declared("badge_log_ins_total", Counter, "Attempts to log in to the dashboard.", ("end",)),
    Declared("badge_breaker_open", Gauge, "1 while any worker has it open.", ("name",)),
)


class UndeclaredMetric(KeyError):
    """A metric that is not in the table."""


class Metrics:
    """The metrics of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made = {declared.name: _made(declared, self.registry) for declared in METRICS}

    def metric(self, name: str) -> Any:
        """The metric of that name; raises `UndeclaredMetric`."""
        try:
            return self._made[name]
        except KeyError:
            raise UndeclaredMetric(name) from None

    def add(self, name: str, *labels: str) -> None:
        """One more."""
        metric = self.metric(name)
        (metric.labels(*labels) if labels else metric).inc()

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """One duration."""
        self.metric(name).labels(*labels).observe(seconds)

    def count(self, event: Event) -> None:
        """Move what the event moves."""
        move = _MOVES.get(type(event))
        if move is not None:
            move(self, event)

    def edge_cache_counter(self, format: str, status: str, origin: str) -> Callable[[], None]:
        """Counts one more answer of this kind from the hot path; made once for each answer that is held there."""
        requests = self.metric("badge_requests_total").labels(format, status, origin)
        hits = self.metric("badge_hot_path_hits_total")

        def count() -> None:
            requests.inc()
            hits.inc()

        return count

    def exposition(self) -> bytes:
        """All of it as Prometheus reads it (text format 0.0.4), of all workers where they share a folder."""
        if (folder := shared_folder()) is None:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        with folder_lock(folder):
            return generate_latest(registry)


def _made(declared: Declared, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    # The library's kinds take their own further arguments.
    options: dict[str, Any] = {}
    if declared.kind is Histogram:
        options["buckets"] = LATENCY_BUCKETS
    if declared.kind is Gauge:
        options["multiprocess_mode"] = "livemax"
    return declared.kind(declared.name, declared.help, declared.labels, registry=registry, **options)


def _served(metrics: Metrics, event: BadgeServed) -> None:
    metrics.add("badge_requests_total", event.format, event.status, event.origin)
    metrics.observe("badge_request_seconds", event.seconds, event.format)


def _answered(metrics: Metrics, event: SourceAnswered) -> None:
    metrics.add("badge_source_calls_total", event.source, "answered")
    metrics.observe("badge_source_seconds", event.seconds, event.source)


def _breaker(metrics: Metrics, event: CircuitBreakerMoved) -> None:
    metrics.add("badge_breaker_moves_total", event.name, "open" if event.is_open else "closed")
    metrics.metric("badge_breaker_open").labels(event.name).set(int(event.is_open))


_MOVES: Mapping[type[Event], Callable[[Metrics, Any], None]] = {
    BadgeServed: _served,
    SourceAnswered: _answered,
    CircuitBreakerMoved: _breaker,
    PingAnswered: lambda metrics, event: metrics.add("badge_pings_total", event.signal, str(event.http_status)),
    AnswerCrashed: lambda metrics, event: metrics.add("badge_crashes_total", event.where),
    CacheCommandFailed: lambda metrics, event: metrics.add("badge_cache_failures_total", event.operation),
    CacheEntryRefused: lambda metrics, event: metrics.add("badge_cache_refused_total", event.reason),
    FlightEnded: lambda metrics, event: metrics.add("badge_flights_total", event.end),
    CallerWaited: lambda metrics, event: metrics.add("badge_waits_total", event.how),
    RefreshBegun: lambda metrics, _: metrics.add("badge_refreshes_total"),
    SourceFailed: lambda metrics, event: metrics.add("badge_source_calls_total", event.source, event.kind),
    SourceCallSuppressed: lambda metrics, event: metrics.add("badge_source_spared_total", event.source, event.why),
    UnknownStatusReceived: lambda metrics, event: metrics.add("badge_source_unknown_words_total", event.source),
    LogInTried: lambda metrics, event: metrics.add("badge_log_ins_total", event.end),
    SubjectUnmatched: lambda metrics, _: metrics.add("badge_subjects_unrouted_total"),
}


def keep_counts_of_ended(pid: int) -> None:
    """Add up what an ended worker counted with what those before it did, so that files don't grow in number."""
    folder = shared_folder()
    if folder is None:
        return
    with folder_lock(folder):
        mark_process_dead(pid, str(folder))
        for kind in ("counter", "histogram"):
            ended = folder / f"{kind}_{pid}.db"
            if ended.exists():
                _add_up(ended, folder / f"{kind}_ended.db")
                ended.unlink()


def _add_up(ended: Path, total: Path) -> None:
    sums = MmapedDict(str(total))
    for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(ended)):
        sums.write_value(key, sums.read_value(key)[0] + value, timestamp)
    sums.close()
