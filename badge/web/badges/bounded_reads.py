"""Database reads for badges and public pages: few at a time, and only if there is time left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from badge.deadline import Deadline
from badge.ports import SourceUnavailable

Found = TypeVar("Found")

MOST_READS = 2
"""How many threads may read at a time, so that a hanging database can't block them all."""
READ_SECONDS = 1.0
"""The database's time limit for a read. A read starts only if this much time is left."""
QUEUE_SECONDS = 0.1


class BoundedReads:
    """Limits how many reads run at a time."""

    def __init__(self, most: int = MOST_READS, queue_seconds: float = QUEUE_SECONDS) -> None:
        self._free = threading.Semaphore(most)
        self._queue_seconds = queue_seconds

    def result_of(self, read: Callable[[], Found], deadline: Deadline) -> Found | None:
        """Return what `read` returns; None if it raises `SourceUnavailable`, or can't be done in time."""
        if deadline.remaining < READ_SECONDS or not self._free.acquire(timeout=self._queue_seconds):
            return None
        try:
            return read()
        except SourceUnavailable:
            return None
        finally:
            self._free.release()
