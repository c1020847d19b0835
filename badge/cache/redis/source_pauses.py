"""The pauses that sources asked for, shared by all workers and hosts through Redis or Valkey."""

from __future__ import annotations

from datetime import datetime, timedelta

from badge.cache.envelope import from_micros, pause_name, to_micros
from badge.cache.memory import MemorySourcePauses
from badge.cache.redis.bounded_read import NOTHING, bounded_read
from badge.cache.redis.commands import RedisCommands
from badge.ports import LONGEST_PAUSE, Clock

# Stored pauses longer than this are ignored, because others may have stored any value under the key. Twice the longest
# pause, because clocks may differ.
LONGEST_BELIEVED_PAUSE = 2 * LONGEST_PAUSE
LONGEST_MICROS = 17
"""Maximum number of digits; enough until the year 5138."""


class RedisSourcePauses:
    """`SourcePauses` in Redis; without the server, each process knows only its own pauses."""

    def __init__(self, commands: RedisCommands, clock: Clock) -> None:
        self._commands = commands
        self._client = commands.connector.client
        self._clock = clock
        self._local = MemorySourcePauses(clock)

    def pause(self, source: str, until: datetime) -> None:
        """Record a pause for all processes."""
        self._local.pause(source, until)
        left = max(1, round((until - self._clock()) / timedelta(milliseconds=1)))
        name, micros = pause_name(source), to_micros(until)
        self._commands.attempt("pause", lambda: self._client().set(name, micros, px=left), instead=lambda: None)

    def paused_until(self, source: str) -> datetime | None:
        """Return the end of the pause, if it is in the future but not absurdly far."""
        name = pause_name(source)
        raw = self._commands.attempt("paused", lambda: bounded_read(self._client(), name), instead=lambda: NOTHING)
        if not raw.isdigit() or len(raw) > LONGEST_MICROS:
            return self._local.paused_until(source)
        now, until = self._clock(), from_micros(int(raw))
        return until if now < until < now + LONGEST_BELIEVED_PAUSE else None
