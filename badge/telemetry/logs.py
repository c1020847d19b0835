"""Events → log lines: JSON for programs, or words and `key=value` pairs for people.

Nothing in a line names a subject, an address or a secret.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
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

LOGGER = logging.getLogger("badge")

# Each kind of event, how severe it is, and its words.
LINES: dict[type[Event], tuple[int, str]] = {
    BadgeServed: (logging.INFO, "badge served"),
    PingAnswered: (logging.INFO, "ping answered"),
    SourceAnswered: (logging.DEBUG, "source answered"),
    SourceFailed: (logging.WARNING, "source unavailable"),
    UnknownStatusReceived: (logging.WARNING, "source used an unknown status word"),
    SourceCallSuppressed: (logging.DEBUG, "source spared"),
    SubjectUnmatched: (logging.DEBUG, "subject of no source"),
    CircuitBreakerMoved: (logging.WARNING, "breaker moved"),
    FlightEnded: (logging.DEBUG, "flight ended"),
    CallerWaited: (logging.DEBUG, "caller waited"),
    RefreshBegun: (logging.DEBUG, "refresh begun"),
    CacheCommandFailed: (logging.DEBUG, "cache command failed"),
    CacheLost: (logging.WARNING, "cache lost"),
    CacheRegained: (logging.INFO, "cache regained"),
    CacheEntryRefused: (logging.WARNING, "cache entry refused"),
    AnswerCrashed: (logging.ERROR, "answer crashed"),
    LogInTried: (logging.WARNING, "log-in tried"),
}

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@contextmanager
def request_named(request_id: str) -> Iterator[None]:
    """Lines written in the block carry this request id."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def log(event: Event) -> None:
    """Write its line, if lines of its severity are wanted."""
    level, words = LINES[type(event)]
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, words, extra={"event_fields": _fields_of(event)})


def _fields_of(event: Event) -> dict[str, object]:
    """The event's fields, in the units and words of log lines."""
    shown: dict[str, object] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        match field.name, value:
            case _, False if field.default is False:
                pass  # as usual
            case "seconds", float():
                shown["ms"] = round(value * 1000, 1)
            case _, BaseException():
                shown["error"], shown["at"] = type(value).__name__, _innermost(value)
            case _:
                shown[field.name] = value
    return shown


def _innermost(error: BaseException, frames: int = 5) -> str:
    """Where it was raised, innermost first. Never the exception's text: it may hold an address or a secret."""
    stack = traceback.extract_tb(error.__traceback__)[-frames:]
    return "<".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(stack))


class JsonLines(JsonFormatter):
    """A JSON object a line; the fields of an event stand beside its words."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{process}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Beside the usual fields, those of the event and the request's id."""
        super().add_fields(log_data, record, message_dict)
        log_data.pop("event_fields", None)
        log_data.update(getattr(record, "event_fields", {}))
        if (request_id := _request_id.get()) is not None:
            log_data["requestId"] = request_id


class ConsoleLines(logging.Formatter):
    """The same for eyes."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(process)d %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the event's fields as pairs."""
        shown = {**getattr(record, "event_fields", {})}
        if (request_id := _request_id.get()) is not None:
            shown["requestId"] = request_id
        return " ".join([super().format(record), *(f"{name}={value}" for name, value in shown.items())])


def formatter_for(form: str, stream: TextIO) -> logging.Formatter:
    """By BADGE_LOG_FORMAT: `json`, `console`, or `auto`: for eyes where somebody looks."""
    is_for_eyes = form == "console" or (form == "auto" and stream.isatty())
    return ConsoleLines() if is_for_eyes else JsonLines()


def log_to_stderr(level: str, form: str) -> None:
    """Send this service's log lines to standard error, from the given level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter_for(form, sys.stderr))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
