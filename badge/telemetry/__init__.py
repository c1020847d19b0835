"""Events become log lines, metrics, and what /readyz wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field

from badge.events import Event, SourceAnswered, SourceFailed
from badge.telemetry.logs import log
from badge.telemetry.metrics import Metrics


@dataclass(slots=True)
class SourceWatch:
    """Which sources failed when they were last asked."""

    failing: set[str] = field(default_factory=set)

    def note(self, event: Event) -> None:
        """Keep what the event says of a source."""
        match event:
            case SourceFailed(is_about_subject=False):
                self.failing.add(event.source)
            case SourceAnswered():
                self.failing.discard(event.source)
            case _:
                pass

    def is_up(self, source: str) -> bool:
        """Whether the source answered when it was last asked; one never asked counts as up."""
        return source not in self.failing


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The Events port: a log line and a count for each event, and the sources' state."""

    metrics: Metrics = field(default_factory=Metrics)
    watch: SourceWatch = field(default_factory=SourceWatch)

    def emit(self, event: Event) -> None:
        """Log and count it."""
        self.watch.note(event)
        self.metrics.count(event)
        log(event)
