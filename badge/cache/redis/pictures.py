"""PNGs in Redis or Valkey, drawn once for all workers and hosts, in a hash of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from redis.exceptions import ResponseError

from badge.cache.redis.commands import RedisCommands
from badge.cache.redis.script import RedisScript

# One hash, so that pictures can be counted, and so that the server evicts them together, as one key among many.
PICTURES_KEY = "bdg:pictures"
MOST_PICTURES = 1000  # of about 5 kB each: usually 5 MB or less
LONGEST_PICTURE = 64 * 1024
LIFETIME = timedelta(days=1)

# Returns a picture; one that is too long is deleted instead. KEYS: the hash. ARGV: name, maximum length of a picture.
_GET = RedisScript("""
if redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= tonumber(ARGV[2]) then return redis.call('HGET', KEYS[1], ARGV[1]) end
redis.call('HDEL', KEYS[1], ARGV[1])
return false
""")

# Stores a picture, unless the hash is full. KEYS: the hash. ARGV: name, picture, maximum number of pictures, lifetime
# of the hash in ms from its first picture on.
_PUT = RedisScript("""
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
""")


class RedisPictureStore:
    """`PictureStore` in Redis. While the server is lost, the store is empty and stores nothing."""

    def __init__(self, commands: RedisCommands, most: int = MOST_PICTURES) -> None:
        self._client = commands.connector.client
        self._commands = commands
        self._most = most

    def get(self, name: str) -> bytes | None:
        """Return the picture with that name, if it is stored."""
        title = f"{name}\n".encode()
        args: list[Any] = [name, len(title) + LONGEST_PICTURE]
        raw = self._attempt("picture get", lambda: _GET.run(self._client(), [PICTURES_KEY], args))
        # A value without the name in front belongs to another picture or is damaged.
        return raw.removeprefix(title) if isinstance(raw, bytes) and raw.startswith(title) else None

    def put(self, name: str, picture: bytes) -> bool:
        """Store a picture if there is room; returns whether it was stored."""
        if len(picture) > LONGEST_PICTURE:
            return False
        args: list[Any] = [name, f"{name}\n".encode() + picture, self._most, round(LIFETIME.total_seconds() * 1000)]
        return bool(self._attempt("picture put", lambda: _PUT.run(self._client(), [PICTURES_KEY], args)))

    def _attempt(self, operation: str, command: Callable[[], Any]) -> Any:
        return self._commands.attempt(operation, lambda: _unless_foreign(command), instead=lambda: None)


def _unless_foreign(command: Callable[[], Any]) -> Any:
    """The command's answer; None if our key holds another type, which is not an outage."""
    try:
        return command()
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return None
