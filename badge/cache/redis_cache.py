"""The status cache in Redis or Valkey, shared by all workers and hosts. It fails open: a lost server is a miss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from redis.exceptions import ResponseError

from badge.cache.envelope import EnvelopeRefused, key_names, seal, unseal
from badge.cache.redis_commands import RedisCommands
from badge.model import CacheEntryRefused, Kept
from badge.ports import Clock, Events, SubjectKey

ENTRY_LIFETIME = timedelta(days=7)
FENCE_LIFETIME = timedelta(seconds=60)

# KEYS: value, fence. ARGV: envelope, fetch start in microseconds, lifetime in ms.
# Written unless something fetched later is there or the key was forgotten since. A value of another
# type or that is none of ours has no say.
_PUT = """
local began = tonumber(ARGV[2])
local fence = redis.call('TYPE', KEYS[2]).ok == 'string' and tonumber(redis.call('GET', KEYS[2]))
if fence and fence >= began then return 0 end
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  local ok, there = pcall(cjson.decode, redis.call('GET', KEYS[1]))
  if ok and type(there) == 'table' and type(there.t0) == 'number' and there.t0 > began then
    local now = redis.call('TIME')
    if there.t0 <= now[1] * 1000000 + now[2] then return 0 end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
"""

# KEYS: value, fence. ARGV: lifetime of the fence in ms.
_FORGET = """
local now = redis.call('TIME')
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], string.format('%.0f', now[1] * 1000000 + now[2]), 'PX', ARGV[1])
return 1
"""


class RedisStatusCache:
    """`StatusCache` over a redis-py client; `clock` serves where the server's own can't be had."""

    def __init__(self, client: redis.Redis, commands: RedisCommands, events: Events, clock: Clock) -> None:
        self._client = client
        self._try = commands.attempt
        self._events = events
        self._clock = clock
        self._put = client.register_script(_PUT)
        self._forget = client.register_script(_FORGET)

    def get(self, key: SubjectKey) -> Kept | None:
        """What is kept, fresh or not."""
        value, _ = key_names(key)
        raw = self._try("get", lambda: self._read(value))
        if raw is None:
            return None
        try:
            return unseal(key, raw, self._clock())
        except EnvelopeRefused as refused:
            self._events.emit(CacheEntryRefused(str(refused)))
            self._try("delete", lambda: self._client.delete(value))
            return None

    def fetch_began(self, key: SubjectKey) -> datetime:
        """The moment by the server's clock, which all hosts share."""
        del key
        told: Any = self._try("time", self._client.time)
        if told is None:
            return self._clock()
        seconds, microseconds = told
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds, microseconds=microseconds)

    def put(self, key: SubjectKey, kept: Kept) -> bool:
        """Keep it, unless something newer is there or the key was forgotten since its fetch began."""
        began = round(kept.fetched_at.timestamp() * 1_000_000)
        args: list[bytes | int] = [seal(key, kept), began, _milliseconds(ENTRY_LIFETIME)]
        return bool(self._try("put", lambda: self._put(keys=key_names(key), args=args)))

    def forget(self, key: SubjectKey) -> None:
        """Drop what is kept, and refuse what was fetched from before now."""
        self._try("forget", lambda: self._forget(keys=key_names(key), args=[_milliseconds(FENCE_LIFETIME)]))

    def is_up(self) -> bool:
        """Whether the server answers right now."""
        return bool(self._try("ping", self._client.ping))

    def _read(self, name: str) -> bytes | None:
        try:
            raw: Any = self._client.get(name)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            # Somebody's list or hash under our name: the same as any other value that is none of ours.
            return b""
        return raw if isinstance(raw, bytes) else None


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
