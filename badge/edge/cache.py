"""The edge cache: finished public badges by raw request target. A hit costs no thread, no Flask and no Redis.

The badge of a popular README is requested many times a second. Normally each answer is served again for at most half a
second, so a change is visible within a second. Only if no new answer can be made is the old one served for longer, up
to the end of its own lifetime.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from badge.finished import FinishedAnswer, Headers

# Estimated memory of an entry besides its key and body: headers and objects.
ENTRY_BYTES = 2_048

REFRESH_PART = 0.8
"""Share of `held_seconds` after which the next request triggers a refresh."""

Message = dict[str, Any]
"""An ASGI message (asgi.readthedocs.io, HTTP & WebSocket)."""

_LINES = "badge.header_lines"
"""Key in a message for the result of `header_lines`."""

_BODY_HEADERS = frozenset({b"Content-Length", b"Content-Type"})
_NO_BODY: Message = {"type": "http.response.body", "body": b""}


@dataclass(frozen=True, slots=True)
class EdgeCacheLimits:
    """How long answers are reused, and how many are stored."""

    held_seconds: float = 0.5
    most_entries: int = 4_096
    most_bytes: int = 8 * 1024 * 1024


@dataclass(slots=True)
class Servable:
    """A finished answer as ASGI messages, whose `max-age` goes down as time passes."""

    finished: FinishedAnswer
    made_at: float
    """In seconds of the monotonic clock, like all times here."""
    steps_at: float = math.inf
    """When `max-age` has to be lowered next; never for an answer that is sent only once."""
    refresh_at: float = math.inf
    """From this time on, a request triggers a refresh; infinite once a refresh has been started."""
    fresh_until: float = field(init=False)
    _whole: Message = field(init=False)
    _bare: Message = field(init=False)
    _body: Message = field(init=False)

    def __post_init__(self) -> None:
        self.fresh_until = self.made_at + self.finished.fresh_seconds
        self._body = {"type": "http.response.body", "body": self.finished.body}
        self._use(self.finished.headers)

    def _age(self, now: float) -> None:
        """Switch to the headers for sending the answer again at this time."""
        left = self.fresh_until - now
        self._use(self.finished.headers_later(left))
        self.steps_at = now + left % 1 + 1e-6

    def messages(self, now: float, method: str, condition: bytes | None) -> tuple[Message, Message]:
        """Return the response to a GET or HEAD request; `condition` is its If-None-Match header."""
        if now >= self.steps_at:
            self._age(now)
        finished = self.finished
        # Preconditions apply only to answers that would be 200 (RFC 9110, section 13.2.1).
        if condition is not None and finished.http_status == 200 and _matches(condition.decode("latin-1"), finished):
            return self._bare, _NO_BODY
        return self._whole, self._body if method == "GET" else _NO_BODY

    def _use(self, headers: Headers) -> None:
        self._whole = response_start(self.finished.http_status, map(_shared, headers))
        self._bare = response_start(304, [one for one in self._whole["headers"] if one[0] not in _BODY_HEADERS])


class EdgeCache:
    """Bounded by entries and bytes; the oldest entries are dropped first. Not thread-safe: for the event loop only."""

    def __init__(self, limits: EdgeCacheLimits) -> None:
        self._limits = limits
        self._entries: OrderedDict[bytes, Servable] = OrderedDict()
        self._bytes = 0

    def get(self, target: bytes, now: float) -> Servable | None:
        """Return the entry if it was stored less than `held_seconds` ago and is still fresh."""
        entry = self.get_fresh(target, now)
        return entry if entry is not None and now < entry.made_at + self._limits.held_seconds else None

    def get_fresh(self, target: bytes, now: float) -> Servable | None:
        """Return the entry if it is within its own lifetime, however long ago it was stored."""
        entry = self._entries.get(target)
        return entry if entry is not None and now < entry.fresh_until else None

    def store(self, target: bytes, finished: FinishedAnswer, now: float) -> None:
        """Store an answer to a GET request, unless it is too large or the cache is turned off."""
        refresh_at = now + self._limits.held_seconds * REFRESH_PART
        servable = Servable(finished, now, steps_at=now, refresh_at=refresh_at)
        size = _size(target, servable)
        if self._limits.held_seconds <= 0 or finished.fresh_seconds <= 0 or size > self._limits.most_bytes:
            return
        self._drop(target)
        self._entries[target] = servable
        self._bytes += size
        while self._entries and self._must_drop_oldest(now):
            self._drop(next(iter(self._entries)))

    def _must_drop_oldest(self, now: float) -> bool:
        """Whether to drop the oldest entry; with similar lifetimes it tends to be the first to expire."""
        is_expired = next(iter(self._entries.values())).fresh_until <= now
        return is_expired or len(self._entries) > self._limits.most_entries or self._bytes > self._limits.most_bytes

    def _drop(self, target: bytes) -> None:
        entry = self._entries.pop(target, None)
        if entry is not None:
            self._bytes -= _size(target, entry)


def response_start(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Message:
    """Return the ASGI message that starts a response."""
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def header_lines(start: Message) -> bytes:
    """Return the headers of a response as they are sent, including the empty line at their end.

    The result is cached in the message, because joining the headers would take a tenth of each response's time.
    """
    lines: bytes | None = start.get(_LINES)
    if lines is None:
        lines = start[_LINES] = b"".join(b"%b: %b\r\n" % header for header in start["headers"]) + b"\r\n"
    return lines


def encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    """Return a header as a pair of bytes, as ASGI requires."""
    name, value = header
    return name.encode("latin-1"), value.encode("latin-1")


# Entries share equal headers, because most are the same on all badges.
_shared = lru_cache(1024)(encoded)


def _size(target: bytes, entry: Servable) -> int:
    return len(entry.finished.body) + len(target) + ENTRY_BYTES


# RFC 9110, section 8.8.3; weak tags match here too (section 13.1.2).
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def _matches(condition: str, finished: FinishedAnswer) -> bool:
    """Whether an If-None-Match header matches the answer's tag."""
    return condition == finished.etag or condition.strip() == "*" or finished.etag in _TAG.findall(condition)
