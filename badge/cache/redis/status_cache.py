"""The status cache in Redis or Valkey, shared by all workers and hosts. Fails open: a lost server is a miss."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from badge.cache.envelope import (
    LONGEST,
    EnvelopeAhead,
    EnvelopeRefused,
    from_micros,
    key_names,
    seal,
    to_micros,
    unseal,
    values_of_neighbours,
)
from badge.cache.memory import FENCE_LIFETIME, LEASE_LIFETIME, MemoryStatusCache
from badge.cache.redis.bounded_keys import BoundedKeys
from badge.cache.redis.bounded_read import NOTHING, bounded_read
from badge.cache.redis.command_time import command_time
from badge.cache.redis.commands import RedisCommands
from badge.cache.redis.script import RedisScript
from badge.events import CacheEntryRefused
from badge.model import CacheEntry
from badge.ports import CacheKey, Clock, Events, Lease, LeaseAttempt

ENTRY_LIFETIME = timedelta(days=7)
"""How long an entry is stored. How long it is fresh is decided in `resolving/lifetimes.py`."""
# Subjects whose newest report is only in this process, because the server was lost or full.
MOST_LOCAL_ONLY = 10_000
# Subjects whose invalidation did not reach the server, to be repeated when the server is back.
MOST_PENDING_INVALIDATIONS = 10_000

# Tries to get a lease, and reads the value. KEYS: value, lease. ARGV: token, lifetime of the lease in ms, offset of the
# last byte to read of the value. Returns whether the lease is ours now, the value, and the time in microseconds. A
# lease key that can't be ours (another type, no expiry, or more time left than a lease can have) is deleted first.
_CLAIM = RedisScript("""
local kind, left = redis.call('TYPE', KEYS[2]).ok, redis.call('PTTL', KEYS[2])
if kind ~= 'none' and (kind ~= 'string' or left < 0 or left > tonumber(ARGV[2])) then redis.call('DEL', KEYS[2]) end
local value = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GETRANGE', KEYS[1], 0, ARGV[3])
local now = redis.call('TIME')
local ours = redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return {ours and 1 or 0, value, string.format('%.0f', now[1] * 1000000 + now[2])}
""")

# Stores a value, unless the result of a later fetch is there or the key was invalidated since the fetch began. KEYS:
# value, fence, lease. ARGV: envelope, start of the fetch in microseconds, lifetime in ms, token, maximum length of our
# values. Releases the lease if it is still ours. Ignores what can't be ours: values of another type, too long, or from
# the future (fences: by more than a second, because the clocks of a server and its replacement may differ).
_PUT = RedisScript("""
local clock = redis.call('TIME')
local now, began = clock[1] * 1000000 + clock[2], tonumber(ARGV[2])
local function text_of(key)
  local is_short = redis.call('TYPE', key).ok == 'string' and redis.call('STRLEN', key) <= tonumber(ARGV[5])
  return is_short and redis.call('GET', key) or ''
end
local lease = text_of(KEYS[3])
if lease ~= '' and lease == ARGV[4] then redis.call('DEL', KEYS[3]) end
local fence = tonumber(text_of(KEYS[2]))
if fence and fence >= began and fence <= now + 1000000 then return 0 end
local ok, there = pcall(cjson.decode, text_of(KEYS[1]))
if ok and type(there) == 'table' and type(there.t0) == 'number' then
  if there.t0 > began and there.t0 <= now then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
""")

# Deletes a value, and sets the fence that rejects the results of fetches which began before now. KEYS: value, fence,
# values of other versions. ARGV: lifetime of the fence in ms.
_INVALIDATE = RedisScript("""
local now = redis.call('TIME')
redis.call('DEL', KEYS[1], KEYS[3], KEYS[4])
redis.call('SET', KEYS[2], string.format('%.0f', now[1] * 1000000 + now[2]), 'PX', ARGV[1])
return 1
""")

# Changes the lifetime of a lease if it is still ours; 0 releases it. KEYS: lease. ARGV: token, lifetime in ms.
_HOLD = RedisScript("""
if redis.call('TYPE', KEYS[1]).ok ~= 'string' or redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")


# KEYS: any key whose slot is on the server to ask. Returns the time in microseconds.
_TIME = RedisScript("""
local now = redis.call('TIME')
return string.format('%.0f', now[1] * 1000000 + now[2])
""")


class RedisStatusCache:
    """`StatusCache` in Redis; without the server, `local` replaces it and `clock` replaces the server's clock."""

    def __init__(
        self,
        commands: RedisCommands,
        local: MemoryStatusCache,
        events: Events,
        clock: Clock,
        longest_wait: timedelta,
    ) -> None:
        self._commands = commands
        self._client = commands.connector.client
        self._local = local
        self._events = events
        self._clock = clock
        self._longest_wait = longest_wait
        self._local_only = BoundedKeys(MOST_LOCAL_ONLY)
        self._pending_invalidations = BoundedKeys(MOST_PENDING_INVALIDATIONS)
        commands.on_return.append(self._repeat_invalidations)

    def get(self, key: CacheKey) -> CacheEntry | None:
        """Return the cached entry, fresh or expired; without the server, this process's own copy."""
        raw = self._raw(key)
        if raw is None:
            return self._local.get(key)
        local = self._local.get(key) if key in self._local_only else None
        entry = None if raw == NOTHING else self._unsealed(key, raw)
        if local is None or (entry is not None and entry.fetched_at >= local.fetched_at):
            return entry
        # The local entry was fetched while the server was lost or full, and the server has an older one or none.
        # `_unsealed` has just replaced the local entry with the older one, so the newer one is stored again.
        self._local.remember(key, local)
        return local

    def shared(self, key: CacheKey) -> CacheEntry | None:
        """Return the server's entry, fresh or expired, unless this process has a newer one."""
        raw = None if key in self._local_only else self._raw(key)
        return None if raw is None or raw == NOTHING else self._unsealed(key, raw)

    def recall(self, key: CacheKey) -> CacheEntry | None:
        """Return this process's own copy, even if the server has lost everything since."""
        return self._local.get(key)

    def fetch_began(self, key: CacheKey) -> datetime:
        """Return the time by the server's clock, which all hosts share."""
        value = key_names(key).value
        micros = self._commands.attempt(
            "time", lambda: int(_TIME.run(self._client(), [value], [])), instead=lambda: None
        )
        return self._clock() if micros is None else from_micros(micros)

    def claim(self, key: CacheKey) -> LeaseAttempt:
        """Try to get the lease. A process-local one suffices only while the breaker is open or the server is full.

        If the command failed while the breaker is still closed, it may merely be late, so nothing is granted: the
        caller retries shortly, and the source is not called twice.
        """
        token = secrets.token_hex(16)
        return self._commands.attempt(
            "claim",
            lambda: self._lease_attempt(key, token),
            instead=lambda: self._local.claim(key),
            when_late=lambda: LeaseAttempt(None, None),
        )

    def renew(self, lease: Lease) -> None:
        """Extend the lease, so that it ends a second from now."""
        self._hold(lease, LEASE_LIFETIME)
        self._local.renew(lease)

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        self._hold(lease, timedelta(0))
        self._local.release(lease)

    def put(self, key: CacheKey, entry: CacheEntry, lease: Lease | None = None) -> bool:
        """Store the entry, unless a newer one is there or the key was invalidated since its fetch began."""
        names, token = key_names(key), lease.token if lease else ""
        args: list[Any] = [seal(key, entry), to_micros(entry.fetched_at), _milliseconds(ENTRY_LIFETIME), token, LONGEST]
        is_put_here = self._local.put(key, entry, lease)
        # Tried twice, because a lost entry costs another call to the source.
        for _ in range(2):
            put = self._run("put", _PUT, [names.value, names.fence, names.lease], args)
            if put is not None:
                self._local_only.discard(key)
                return bool(put)
        if is_put_here:
            self._local_only.add(key)
        return is_put_here

    def invalidate(self, key: CacheKey) -> None:
        """Drop the entry, and reject results of fetches that began before now."""
        self._local.invalidate(key)
        self._local_only.discard(key)
        if self._run("invalidate", _INVALIDATE, _invalidated(key), [_milliseconds(FENCE_LIFETIME)]) is None:
            self._pending_invalidations.add(key)
            self._commands.call_on_return_soon()

    def is_up(self) -> bool:
        """Whether the server answers now."""
        return self._commands.attempt("ping", lambda: bool(self._client().ping()), instead=lambda: False)

    def _repeat_invalidations(self) -> None:
        """Repeat the invalidations that did not reach the server; raises redis-py's exceptions."""
        for key in self._pending_invalidations.all():
            with command_time(self._commands.connector.seconds):
                _INVALIDATE.run(self._client(), _invalidated(key), [_milliseconds(FENCE_LIFETIME)])
            self._pending_invalidations.discard(key)

    def _hold(self, lease: Lease, lifetime: timedelta) -> None:
        self._run("hold", _HOLD, [key_names(lease.key).lease], [lease.token, _milliseconds(lifetime)])

    def _run(self, operation: str, script: RedisScript, keys: list[str], args: list[Any]) -> Any:
        return self._commands.attempt(operation, lambda: script.run(self._client(), keys, args), instead=lambda: None)

    def _lease_attempt(self, key: CacheKey, token: str) -> LeaseAttempt:
        names = key_names(key)
        args = [token, _milliseconds(LEASE_LIFETIME), LONGEST]
        # Checked before the read. Another thread may repeat the invalidation after the read and so remove the key from
        # the set; if the check came then, the old value just read would seem current.
        is_invalidated = key in self._pending_invalidations
        ours, raw, now = _CLAIM.run(self._client(), [names.value, names.lease], args)
        lease = Lease(key, token, from_micros(int(now))) if ours else None
        return LeaseAttempt(lease, None if raw is None or is_invalidated else self._unsealed(key, raw))

    def _unsealed(self, key: CacheKey, raw: bytes) -> CacheEntry | None:
        try:
            entry = unseal(key, raw, self._clock(), self._longest_wait)
        except EnvelopeRefused as refused:
            self._events.emit(CacheEntryRefused(str(refused)))
            if isinstance(refused, EnvelopeAhead):  # this clock may be the wrong one, so the entry stays for others
                return None
            self._commands.attempt("delete", lambda: self._client().delete(key_names(key).value), instead=lambda: None)
            return None
        self._local.remember(key, entry)
        return entry

    def _raw(self, key: CacheKey) -> bytes | None:
        """The server's value, or `NOTHING`; None if the server is lost or its value is known to be out of date."""
        if key in self._pending_invalidations:
            return None
        value = key_names(key).value
        return self._commands.attempt("get", lambda: bounded_read(self._client(), value), instead=lambda: None)


def _invalidated(key: CacheKey) -> list[str]:
    """Return the keys that `_INVALIDATE` takes."""
    names = key_names(key)
    return [names.value, names.fence, *values_of_neighbours(key)]


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
