"""Log lines for events: JSON for programs, or text with `key=value` pairs for people.

No line contains a subject, an address or a secret.
"""

from __future__ import annotations

import logging
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from badge.events import (
    AnswerCrashed,
    BadgeServed,
    CacheCommandFailed,
    CacheEntryRefused,
    CacheLost,
    CacheRegained,
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
    SubjectsUnwatched,
    SubjectUnmatched,
    UnknownStatusReceived,
    WatchBegun,
    WatchFailed,
)

LOGGER = logging.getLogger("badge")

# Level and message for each kind of event.
LINES: dict[type[Event], tuple[int, str]] = {
    BadgeServed: (logging.INFO, "badge served"),
    RequestRefused: (logging.DEBUG, "request refused"),
    PingAnswered: (logging.INFO, "ping answered"),
    SourceAnswered: (logging.DEBUG, "source answered"),
    SourceFailed: (logging.WARNING, "source unavailable"),
    UnknownStatusReceived: (logging.WARNING, "source sent an unrecognised status"),
    SourceCallSuppressed: (logging.DEBUG, "source call suppressed"),
    SubjectUnmatched: (logging.DEBUG, "no source matches subject"),
    CircuitBreakerMoved: (logging.WARNING, "circuit breaker opened or closed"),
    FlightEnded: (logging.DEBUG, "flight ended"),
    CallerWaited: (logging.DEBUG, "caller waited"),
    RefreshBegun: (logging.DEBUG, "refresh started"),
    CacheCommandFailed: (logging.DEBUG, "cache command failed"),
    CacheLost: (logging.WARNING, "cache unavailable"),
    CacheRegained: (logging.INFO, "cache available again"),
    CacheEntryRefused: (logging.WARNING, "cache entry rejected"),
    CatalogueFailed: (logging.WARNING, "catalogue failed"),
    AnswerCrashed: (logging.ERROR, "unexpected exception"),
    LogInTried: (logging.WARNING, "login attempted"),
    StoredTimesAhead: (logging.WARNING, "stored times are in the future; check the clocks"),
    WatchBegun: (logging.INFO, "watching for changes"),
    WatchFailed: (logging.WARNING, "can't watch for changes"),
    SubjectsUnwatched: (logging.WARNING, "some subjects are not watched"),
    MessageDelivered: (logging.INFO, "message delivered"),
    MessageNotDelivered: (logging.WARNING, "message not delivered"),
    MessagesGivenUp: (logging.ERROR, "gave up on undelivered messages; `badge notify list` shows them"),
}

# Events that recur with every request, or with every scan of the watcher, while a problem lasts.
LIMITED = (CatalogueFailed, WatchFailed, SubjectsUnwatched)
REPEATED_AFTER_SECONDS = 60.0
MOST_REMEMBERED = 100

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@contextmanager
def request_named(request_id: str) -> Iterator[None]:
    """Add this request ID to all lines logged in the block."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


@dataclass(slots=True)
class LogLimit:
    """Limits the log lines of an outage: one a minute for equal events of the kinds in `LIMITED`."""

    monotonic: Callable[[], float] = time.monotonic
    _logged: dict[Event, float] = field(default_factory=dict)

    def admits(self, event: Event) -> bool:
        """Whether to log an event."""
        if not isinstance(event, LIMITED):
            return True
        now = self.monotonic()
        if now - self._logged.get(event, -math.inf) < REPEATED_AFTER_SECONDS:
            return False
        if len(self._logged) >= MOST_REMEMBERED:
            self._logged.clear()
        self._logged[event] = now
        return True


def log(event: Event) -> None:
    """Log an event, if its level is enabled."""
    level, message = LINES[type(event)]
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, message, extra={"event_fields": _fields_of(event)})


def _fields_of(event: Event) -> dict[str, object]:
    """The event's fields, with the names and units used in log lines."""
    shown: dict[str, object] = {}
    for each in fields(event):
        value = getattr(event, each.name)
        match each.name, value:
            case _, False if each.default is False:
                pass  # the usual case, left out
            case "seconds", float():
                shown["ms"] = round(value * 1000, 1)
            case _, BaseException():
                shown["error"], shown["at"] = type(value).__name__, _innermost(value)
            case _:
                shown[each.name] = value
    return shown


def _innermost(error: BaseException, frames: int = 5) -> str:
    """Where an exception was raised, innermost first. Its text is left out: it may contain an address or a secret."""
    stack = traceback.extract_tb(error.__traceback__)[-frames:]
    return "<".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(stack))


class JsonLines(JsonFormatter):
    """One JSON object per line, with the event's fields beside the message."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{process}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Add the event's fields and the request ID."""
        super().add_fields(log_data, record, message_dict)
        # The base class adds each item of `extra` as it is; the event's fields go to the top level instead.
        log_data.pop("event_fields", None)
        log_data.update(getattr(record, "event_fields", {}))
        if (request_id := _request_id.get()) is not None:
            log_data["requestId"] = request_id


class ConsoleLines(logging.Formatter):
    """Text for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(process)d %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Append the event's fields and the request ID as `key=value` pairs."""
        shown = {**getattr(record, "event_fields", {})}
        if (request_id := _request_id.get()) is not None:
            shown["requestId"] = request_id
        return " ".join([super().format(record), *(f"{name}={value}" for name, value in shown.items())])


def formatter_for(form: str, stream: TextIO) -> logging.Formatter:
    """Return the formatter for BADGE_LOG_FORMAT: `json`, `console`, or `auto` (console if `stream` is a terminal)."""
    is_console = form == "console" or (form == "auto" and stream.isatty())
    return ConsoleLines() if is_console else JsonLines()


def log_to_stderr(level: str, form: str) -> None:
    """Send this service's log lines of at least this level to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter_for(form, sys.stderr))
    # Replaced, not added to: a reload builds the application again in the same process.
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
