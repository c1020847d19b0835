"""The status cache inside one process: what carries on without a server, and for tests."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import TypeVar

from badge.model import CacheEntry
from badge.ports import Clock, Lease, LeaseAttempt, SubjectKey

# Longer than any fetch lasts, so that every fetch begun before an `invalidate` meets its fence.
FENCE_LIFETIME = timedelta(seconds=60)
LEASE_LIFETIME = timedelta(seconds=1)
MOST_FENCES = 10_000
MOST_LEASES = 10_000
MOST_PAUSES = 1_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class MemoryStatusCache:
    """`StatusCache` in a dictionary of at most `max_entries`; the least recently used goes first.

    With `max_entries=0` it keeps nothing, and each caller asks the source.
    """

    def __init__(self, clock: Clock, max_entries: int = 10_000) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[SubjectKey, CacheEntry] = OrderedDict()
        self._fences: OrderedDict[SubjectKey, datetime] = OrderedDict()
        self._leases: OrderedDict[SubjectKey, tuple[str, datetime]] = OrderedDict()

    def get(self, key: SubjectKey) -> CacheEntry | None:
        """Return the cache entry, fresh or expired; None where there is none."""
        with self._lock:
            return self._get(key)

    def shared(self, key: SubjectKey) -> CacheEntry | None:  # noqa: ARG002 - the port's argument
        """Return None: other processes don't see what is here."""
        return None

    def recall(self, key: SubjectKey) -> CacheEntry | None:
        """Return the same as `get`: there is no other place to look."""
        return self.get(key)

    def fetch_began(self, key: SubjectKey) -> datetime:  # noqa: ARG002 - the port's argument
        """Return the time now, as the start of a fetch whose result goes to `put`."""
        return self._clock()

    def claim(self, key: SubjectKey) -> LeaseAttempt:
        """Ask for the lease of a key, which lasts a second."""
        now = self._clock()
        with self._lock:
            held = self._leases.get(key)
            if held is not None and now < held[1]:
                return LeaseAttempt(None, self._get(key))
            lease = Lease(key, secrets.token_hex(8), now)
            _store(self._leases, key, (lease.token, now + LEASE_LIFETIME), MOST_LEASES)
            return LeaseAttempt(lease, self._get(key))

    def renew(self, lease: Lease) -> None:
        """Extend the lease by a second, unless another caller has it by now."""
        with self._lock:
            if self._holds(lease):
                self._leases[lease.key] = (lease.token, self._clock() + LEASE_LIFETIME)

    def release(self, lease: Lease) -> None:
        """End the lease, unless another caller has it by now."""
        with self._lock:
            self._free(lease)

    def put(self, key: SubjectKey, entry: CacheEntry, lease: Lease | None = None) -> bool:
        """Store the entry, unless a newer one is there or the key was invalidated since its fetch began."""
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

    def remember(self, key: SubjectKey, entry: CacheEntry) -> None:
        """Store an entry of the shared cache, whatever is here."""
        with self._lock:
            _store(self._entries, key, entry, self._max_entries)

    def invalidate(self, key: SubjectKey) -> None:
        """Drop the entry, and refuse the results of fetches that have already begun."""
        now = self._clock()
        with self._lock:
            self._entries.pop(key, None)
            _store(self._fences, key, now, MOST_FENCES)
            self._drop_old_fences(now)

    def is_up(self) -> bool:
        """Return True: there is no server that could be lost."""
        return True

    def _get(self, key: SubjectKey) -> CacheEntry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.key, ("",))[0] == lease.token

    def _free(self, lease: Lease) -> None:
        if self._holds(lease):
            del self._leases[lease.key]

    def _drop_old_fences(self, now: datetime) -> None:
        # They stand in the order in which they were set, the oldest in front.
        while self._fences and next(iter(self._fences.values())) < now - FENCE_LIFETIME:
            self._fences.popitem(last=False)


class MemorySourcePauses:
    """`SourcePauses` as one process knows them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pauses: OrderedDict[str, datetime] = OrderedDict()

    def pause(self, source: str, until: datetime) -> None:
        """Remember it for this process."""
        with self._lock:
            _store(self._pauses, source, until, MOST_PAUSES)

    def paused_until(self, source: str) -> datetime | None:
        """The moment, if it lies ahead."""
        until = self._pauses.get(source)
        return until if until is not None and self._clock() < until else None


def _store(entries: OrderedDict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    # The newest stands last; what is beyond the limit goes from the front.
    entries[key] = value
    entries.move_to_end(key)
    while len(entries) > most:
        entries.popitem(last=False)
