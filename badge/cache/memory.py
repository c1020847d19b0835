"""The status cache inside one process: for tests, and where no server can be had."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from badge.model import Kept
from badge.ports import Clock, SubjectKey

# Longer than any fetch lasts, so that every fetch begun before a `forget` meets its fence.
FENCE_LIFETIME = timedelta(seconds=60)
MOST_FENCES = 10_000


class MemoryStatusCache:
    """`StatusCache` in a dictionary of at most `max_entries`; the least recently used goes first.

    With `max_entries=0` it keeps nothing, and each caller asks the source.
    """

    def __init__(self, clock: Clock, max_entries: int = 10_000) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[SubjectKey, Kept] = OrderedDict()
        self._fences: OrderedDict[SubjectKey, datetime] = OrderedDict()

    def get(self, key: SubjectKey) -> Kept | None:
        """What is kept, fresh or not."""
        with self._lock:
            kept = self._entries.get(key)
            if kept is not None:
                self._entries.move_to_end(key)
            return kept

    def fetch_began(self, key: SubjectKey) -> datetime:
        """The moment to be handed to `put`."""
        del key
        return self._clock()

    def put(self, key: SubjectKey, kept: Kept) -> bool:
        """Keep it, unless something newer is there or the key was forgotten since its fetch began."""
        with self._lock:
            newer = self._entries.get(key)
            if newer is not None and newer.fetched_at > kept.fetched_at:
                return False
            fence = self._fences.get(key)
            if fence is not None and fence >= kept.fetched_at:
                return False
            self._entries[key] = kept
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
            return self._max_entries > 0

    def forget(self, key: SubjectKey) -> None:
        """Drop what is kept, and refuse what was fetched from before now."""
        now = self._clock()
        with self._lock:
            self._entries.pop(key, None)
            self._fences[key] = now
            self._fences.move_to_end(key)
            self._drop_old_fences(now)

    def _drop_old_fences(self, now: datetime) -> None:
        """In the order in which they were set, so the oldest are in front."""
        while self._fences:
            key, moment = next(iter(self._fences.items()))
            if moment >= now - FENCE_LIFETIME and len(self._fences) <= MOST_FENCES:
                return
            del self._fences[key]

    def is_up(self) -> bool:
        """Always."""
        return True
