"""The status cache and the sources' pauses within one process: for when there is no server, and for tests."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from badge.model import CacheEntry
from badge.ports import CacheKey, Clock, Lease, LeaseAttempt

# Longer than any fetch, so that a fence (see `KeyNames`) outlives every fetch that began before its `invalidate`.
FENCE_LIFETIME = timedelta(seconds=60)
LEASE_LIFETIME = timedelta(seconds=1)
MOST_FENCES = 10_000
MOST_LEASES = 10_000
MOST_PAUSES = 1_000


class _Holder(NamedTuple):
    """Who holds a lease, and until when."""

    token: str
    expires_at: datetime


_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class MemoryStatusCache:
    """`StatusCache` in a dictionary of at most `max_entries`; the least recently used entry is dropped first.

    With `max_entries=0` it stores nothing, so each caller queries the source.
    """

    def __init__(self, clock: Clock, max_entries: int = 10_000) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[CacheKey, CacheEntry] = OrderedDict()
        self._fences: OrderedDict[CacheKey, datetime] = OrderedDict()
        self._leases: OrderedDict[CacheKey, _Holder] = OrderedDict()

    def get(self, key: CacheKey) -> CacheEntry | None:
        """Return the entry, fresh or expired; None if there is none."""
        with self._lock:
            return self._get(key)

    def shared(self, key: CacheKey) -> CacheEntry | None:  # noqa: ARG002 - the port's argument
        """Return None: other processes can't see these entries."""
        return None

    def recall(self, key: CacheKey) -> CacheEntry | None:
        """Return the same as `get`: there is no other store."""
        return self.get(key)

    def fetch_began(self, key: CacheKey) -> datetime:  # noqa: ARG002 - the port's argument
        """Return the current time."""
        return self._clock()

    def claim(self, key: CacheKey) -> LeaseAttempt:
        """Try to get the lease of a key, which lasts a second."""
        now = self._clock()
        with self._lock:
            holder = self._leases.get(key)
            if holder is not None and now < holder.expires_at:
                return LeaseAttempt(None, self._get(key))
            lease = Lease(key, secrets.token_hex(8), now)
            _store(self._leases, key, _Holder(lease.token, now + LEASE_LIFETIME), MOST_LEASES)
            return LeaseAttempt(lease, self._get(key))

    def renew(self, lease: Lease) -> None:
        """Extend the lease, so that it ends a second from now, unless another caller holds it."""
        with self._lock:
            if self._holds(lease):
                self._leases[lease.key] = _Holder(lease.token, self._clock() + LEASE_LIFETIME)

    def release(self, lease: Lease) -> None:
        """End the lease, unless another caller holds it now."""
        with self._lock:
            self._free(lease)

    def put(self, key: CacheKey, entry: CacheEntry, lease: Lease | None = None) -> bool:
        """Store the entry, unless a newer one is stored or the key was invalidated since its fetch began."""
        with self._lock:
            if lease is not None:
                self._free(lease)
            newer = self._entries.get(key)
            if newer is not None and newer.fetched_at > entry.fetched_at:
                return False
            fence = self._fences.get(key)
            if fence is not None and fence >= entry.fetched_at:
                return False
            _store(self._entries, key, entry, self._max_entries)
            return self._max_entries > 0

    def remember(self, key: CacheKey, entry: CacheEntry) -> None:
        """Store the entry in place of any other, without the checks of `put`."""
        with self._lock:
            _store(self._entries, key, entry, self._max_entries)

    def invalidate(self, key: CacheKey) -> None:
        """Drop the entry, and reject results of fetches that have already begun."""
        now = self._clock()
        with self._lock:
            self._entries.pop(key, None)
            _store(self._fences, key, now, MOST_FENCES)
            self._drop_old_fences(now)

    def is_up(self) -> bool:
        """Return True: there is no server to lose."""
        return True

    def _get(self, key: CacheKey) -> CacheEntry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def _holds(self, lease: Lease) -> bool:
        holder = self._leases.get(lease.key)
        return holder is not None and holder.token == lease.token

    def _free(self, lease: Lease) -> None:
        if self._holds(lease):
            del self._leases[lease.key]

    def _drop_old_fences(self, now: datetime) -> None:
        # They are in the order in which they were set, oldest first.
        while self._fences and next(iter(self._fences.values())) < now - FENCE_LIFETIME:
            self._fences.popitem(last=False)


class MemorySourcePauses:
    """`SourcePauses` of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pauses: OrderedDict[str, datetime] = OrderedDict()

    def pause(self, source: str, until: datetime) -> None:
        """Record a pause for this process."""
        with self._lock:
            _store(self._pauses, source, until, MOST_PAUSES)

    def paused_until(self, source: str) -> datetime | None:
        """Return the end of the pause, if it is in the future."""
        until = self._pauses.get(source)
        return until if until is not None and self._clock() < until else None


def _store(entries: OrderedDict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    # The newest entry is last; those that exceed the limit are dropped from the front.
    entries[key] = value
    entries.move_to_end(key)
    while len(entries) > most:
        entries.popitem(last=False)
