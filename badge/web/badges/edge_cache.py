"""Finished public answers, kept for a moment in front of Flask: a hit costs no Flask, no Redis and no log line.

A popular README's badge is asked for many times a second. Each answer is held for half a second at
most, so that a change shows within a second, and never past its own lifetime.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOTE = "badge.finished"
"""Where in the WSGI environment an answer that may be kept is left for us."""

# What an entry takes beside its body: the key, the headers, the objects around them.
ENTRY_BYTES = 2_048

Headers = list[tuple[str, str]]

_OK, _NOT_MODIFIED = "200 OK", "304 NOT MODIFIED"
_OF_A_BODY = frozenset({"Content-Length", "Content-Type"})


@dataclass(frozen=True, slots=True)
class EdgeCacheLimits:
    """How long an answer is held, and how many of them."""

    held_seconds: float = 0.5
    most_entries: int = 4_096
    most_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """An answer that anybody may get, as it leaves."""

    body: bytes
    etag: str
    """With its quotes."""
    fresh_seconds: float
    """What is left of its lifetime."""
    headers_for: Callable[[float], Headers]
    """Its headers when so many seconds of the lifetime are left."""
    count: Callable[[], None]
    """Notes that it was given once more."""


@dataclass(slots=True)
class _Entry:
    finished: FinishedAnswer
    made_at: float
    ends_at: float
    steps_at: float
    """When `max-age` is a second less."""
    headers: Headers
    bare_headers: Headers
    size: int


class EdgeCache:
    """WSGI layer around the application. Bounded by entries and by bytes; the oldest go first."""

    def __init__(
        self,
        application: WSGIApplication,
        limits: EdgeCacheLimits = EdgeCacheLimits(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._limits = limits
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from what is held, or pass the request on and hold what comes back."""
        entry = self._entries.get(environ.get("RAW_URI", ""))
        if entry is not None and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            now = self._monotonic()
            if now < entry.ends_at:
                return self._held(entry, now, environ, start_response)
        answer = self._application(environ, start_response)
        finished = environ.get(NOTE)
        if finished is not None and environ["REQUEST_METHOD"] == "GET":
            self._hold(environ.get("RAW_URI", ""), finished)
        return answer

    def _held(
        self, entry: _Entry, now: float, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Sequence[bytes]:
        finished = entry.finished
        finished.count()
        if now >= entry.steps_at:
            _set_headers(entry, finished.fresh_seconds - (now - entry.made_at), now)
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None and _matches(asked, finished.etag):
            start_response(_NOT_MODIFIED, entry.bare_headers)
            return ()
        start_response(_OK, entry.headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (finished.body,)

    def _hold(self, key: str, finished: FinishedAnswer) -> None:
        size = len(finished.body) + len(key) + ENTRY_BYTES
        held = min(self._limits.held_seconds, finished.fresh_seconds)
        if not key or held <= 0 or size > self._limits.most_bytes:
            return
        now = self._monotonic()
        entry = _Entry(finished, now, now + held, now, [], [], size)
        _set_headers(entry, finished.fresh_seconds, now)
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self._bytes += size
            while self._entries and self._has_to_go(now):
                self._drop(next(iter(self._entries)))

    def _has_to_go(self, now: float) -> bool:
        """Whether the oldest one makes room: they are held equally long, so it is also the first to end."""
        is_over = next(iter(self._entries.values())).ends_at <= now
        return is_over or len(self._entries) > self._limits.most_entries or self._bytes > self._limits.most_bytes

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size


def _set_headers(entry: _Entry, left: float, now: float) -> None:
    entry.headers = entry.finished.headers_for(left)
    entry.bare_headers = [header for header in entry.headers if header[0] not in _OF_A_BODY]
    entry.steps_at = now + left % 1 + 1e-6


# RFC 9110, section 8.8.3; a weak tag matches here too (section 13.1.2).
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def _matches(asked: str, etag: str) -> bool:
    """Whether If-None-Match names this tag."""
    return asked == etag or asked.strip() == "*" or etag in _TAG.findall(asked)
