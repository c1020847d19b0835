"""The edge cache: finished public answers in front of Flask. A hit needs neither Flask nor Redis, and is not logged.

The badge of a popular README is requested many times a second. Each answer is stored for half a second at most,
so that a change is visible within a second, and never past its own lifetime.
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
"""Key in the WSGI environment under which the application leaves an answer that may be stored."""

# Memory of an entry besides its body: key, headers and objects.
ENTRY_BYTES = 2_048

Headers = list[tuple[str, str]]

_OK, _NOT_MODIFIED = "200 OK", "304 NOT MODIFIED"
_BODY_HEADERS = frozenset({"Content-Length", "Content-Type"})


@dataclass(frozen=True, slots=True)
class EdgeCacheLimits:
    """How long answers are stored, and how many."""

    held_seconds: float = 0.5
    most_entries: int = 4_096
    most_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """A finished public answer."""

    body: bytes
    etag: str
    """Including its quotes."""
    fresh_seconds: float
    """Remaining lifetime."""
    headers_for: Callable[[float], Headers]
    """Returns its headers, given the remaining lifetime in seconds."""
    count: Callable[[], None]
    """Counts a hit."""


@dataclass(slots=True)
class _Entry:
    finished: FinishedAnswer
    made_at: float
    ends_at: float
    steps_at: float
    """When `max-age` has to be lowered by a second."""
    headers: Headers
    bare_headers: Headers
    size: int


class EdgeCache:
    """WSGI middleware, bounded by entries and bytes; the oldest entries are dropped first."""

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
        """Answer from the cache, or pass the request on and store its answer."""
        # Without the lock, which only writers need: a single look-up is atomic.
        entry = self._entries.get(environ.get("RAW_URI", ""))
        if entry is not None and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            now = self._monotonic()
            if now < entry.ends_at:
                return self._answer_from(entry, now, environ, start_response)
        answer = self._application(environ, start_response)
        finished = environ.get(NOTE)
        if finished is not None and environ["REQUEST_METHOD"] == "GET":
            self._store(environ.get("RAW_URI", ""), finished)
        return answer

    def _answer_from(
        self, entry: _Entry, now: float, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Sequence[bytes]:
        finished = entry.finished
        finished.count()
        if now >= entry.steps_at:
            _set_headers(entry, finished.fresh_seconds - (now - entry.made_at), now)
        condition = environ.get("HTTP_IF_NONE_MATCH")
        if condition is not None and _matches(condition, finished.etag):
            start_response(_NOT_MODIFIED, entry.bare_headers)
            return ()
        start_response(_OK, entry.headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (finished.body,)

    def _store(self, key: str, finished: FinishedAnswer) -> None:
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
            while self._entries and self._must_drop_oldest(now):
                self._drop(next(iter(self._entries)))

    def _must_drop_oldest(self, now: float) -> bool:
        """Whether to drop the oldest entry, which is usually the first to expire."""
        is_expired = next(iter(self._entries.values())).ends_at <= now
        return is_expired or len(self._entries) > self._limits.most_entries or self._bytes > self._limits.most_bytes

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size


def _set_headers(entry: _Entry, left: float, now: float) -> None:
    entry.headers = entry.finished.headers_for(left)
    entry.bare_headers = [header for header in entry.headers if header[0] not in _BODY_HEADERS]
    # A microsecond late rather than early, or a rounding error could leave `max-age` as it is.
    entry.steps_at = now + left % 1 + 1e-6


# RFC 9110, section 8.8.3; weak tags match here too (section 13.1.2).
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def _matches(condition: str, etag: str) -> bool:
    """Whether an If-None-Match header matches this tag."""
    return condition == etag or condition.strip() == "*" or etag in _TAG.findall(condition)
