"""Finished answers, which the badge routes pass to the edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

FINISHED = "badge.finished"
"""Key in the WSGI environment under which the badge routes leave the finished answer."""

MAY_COUNT = "badge.may_count"
"""Key in the WSGI environment for a function, which the badge routes call once to learn whether to count their answer.

It returns False if the edge gave up waiting and counts an answer of its own, or if the edge itself made the request, to
refresh a stored answer.
"""

Headers = list[tuple[str, str]]


class ServedBy(Enum):
    """The origin of an answer that the badge routes did not count."""

    CACHE = auto()
    """The edge cache."""
    FLIGHT = auto()
    """A request that was under way: another caller's, or one that the edge made to refresh a stored answer."""
    OVERLOAD = auto()
    """The edge itself, because there was no thread for the request, no answer in time, or an unexpected exception."""


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """A finished answer to a GET request for a badge."""

    http_status: int
    headers: Headers
    """For the first caller; `headers_later` returns those for later ones."""
    body: bytes
    etag: str
    """Including its quotes."""
    fresh_seconds: float
    """Remaining lifetime."""
    may_be_stored: bool
    """Whether it is public and shows a source's report."""
    headers_later: Callable[[float], Headers]
    """Returns the headers for sending it again, given the remaining lifetime in seconds."""
    count: Callable[[ServedBy], None]
    """Counts one more answer."""


@dataclass(frozen=True, slots=True)
class WholeResponse:
    """Any other response, in one piece."""

    status: int
    headers: Headers
    body: bytes
