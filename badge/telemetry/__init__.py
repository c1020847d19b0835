"""Turns events into log lines, metrics, and the source states that /readyz reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from badge.events import Event, SourceAnswered, SourceFailed
from badge.telemetry.logs import LogLimit, log
from badge.telemetry.metrics import Metrics


@dataclass(slots=True)
class SourceWatch:
    """The sources whose most recent call failed, not counting failures that affect one subject only."""

    failing: set[str] = field(default_factory=set)

    def note(self, event: Event) -> None:
        """Update a source's state from an event."""
        match event:
            case SourceFailed(is_about_subject=False):
                self.failing.add(event.source)
            case SourceAnswered():
                self.failing.discard(event.source)
            case _:
                pass

    def is_up(self, source: str) -> bool:
        """Whether the source is not failing; a source that was never called counts as up."""
        return source not in self.failing


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The `Events` port: logs and counts each event, and tracks the sources' state."""

    metrics: Metrics = field(default_factory=Metrics)
    watch: SourceWatch = field(default_factory=SourceWatch)
    limit: LogLimit = field(default_factory=LogLimit)

    def emit(self, event: Event) -> None:
        """Log and count an event."""
        self.watch.note(event)
        self.metrics.count(event)
        if self.limit.admits(event):
            log(event)
