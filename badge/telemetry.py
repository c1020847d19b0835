"""Events → log lines, and what of them /readyz wants to know.

A line is one event: a sentence's first words, then `key=value` pairs. Nothing in it names a
subject, an address or a secret.
"""

from __future__ import annotations

import logging
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from badge.model import (
    AnswerCrashed,
    BadgeServed,
    CacheEntryRefused,
    CacheLost,
    CacheRegained,
    Event,
    SourceAnswered,
    SourceFailed,
    SourceWordUnknown,
)

LOGGER = logging.getLogger("badge")


@dataclass(slots=True)
class SourceWatch:
    """Which sources failed when they were last asked."""

    failing: set[str] = field(default_factory=set)

    def note(self, event: Event) -> None:
        """Keep what the event tells of a source."""
        match event:
            case SourceFailed():
                self.failing.add(event.source)
            case SourceAnswered():
                self.failing.discard(event.source)
            case _:
                pass

    def is_up(self, source: str) -> bool:
        """Whether the source answered when it was last asked; one never asked counts as up."""
        return source not in self.failing


@dataclass(frozen=True, slots=True)
class LoggedEvents:
    """The Events port: a log line for each event, and the sources' state."""

    watch: SourceWatch = field(default_factory=SourceWatch)

    def emit(self, event: Event) -> None:
        """Log it."""
        self.watch.note(event)
        LOGGER.log(*_line(event))


def _line(event: Event) -> tuple[int, str]:  # noqa: C901, PLR0911 - one case for each event, and nothing else
    match event:
        case BadgeServed(format, status, origin, http_status, seconds):
            told = f"status={status} format={format} origin={origin} code={http_status} ms={seconds * 1000:.1f}"
            return logging.INFO, f"badge served {told}"
        case SourceAnswered(source, seconds):
            return logging.DEBUG, f"source answered source={source} ms={seconds * 1000:.1f}"
        case SourceFailed(source, kind):
            return logging.WARNING, f"source unavailable source={source} kind={kind}"
        case SourceWordUnknown(source):
            return logging.WARNING, f"source used an unknown status word source={source}"
        case CacheLost(operation, error):
            return logging.WARNING, f"cache lost operation={operation} error={error}; sources are asked directly"
        case CacheRegained(failures):
            return logging.INFO, f"cache regained failures={failures}"
        case CacheEntryRefused(reason):
            return logging.WARNING, f"cache entry refused reason={reason}"
        case AnswerCrashed(where, error):
            return logging.ERROR, f"answer crashed where={where} error={type(error).__name__} at={_innermost(error)}"


def _innermost(error: BaseException, frames: int = 5) -> str:
    """Where it was raised, innermost first. Never the exception's text: it may hold an address or a secret."""
    stack = traceback.extract_tb(error.__traceback__)[-frames:]
    return "<".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(stack))


def log_to_stderr(level: str) -> None:
    """Send this service's log lines to standard error, from the given level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(process)d %(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
