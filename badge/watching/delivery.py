"""Delivers the messages of the outbox: at least once, and in order for each subject."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from badge.deadline import Deadline
from badge.events import MessageDelivered, MessageNotDelivered
from badge.notices import Message
from badge.ports import Clock, Events, Jitter
from badge.watching.store import Waiting, WatchStore

MOST_AT_ONCE = 200
"""How many waiting messages are read at a time."""


class NotDelivered(Exception):
    """A message was not accepted; `failure` is one word from a closed set, without addresses or secrets."""

    def __init__(self, failure: str, retry_after: timedelta | None = None, *, is_about_message: bool = False) -> None:
        super().__init__(failure)
        self.failure = failure
        self.retry_after = retry_after
        self.is_about_message = is_about_message
        """Whether only this message was rejected, so that others may still be accepted."""


class Channel(Protocol):
    """Where messages are sent."""

    @property
    def name(self) -> str:
        """The channel's name in notify.toml."""
        ...

    def send(self, message: Message, deadline: Deadline) -> None:
        """Send a message; raises `NotDelivered` and nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to wait between attempts."""

    first: timedelta
    longest: timedelta

    def pause(self, failures: int, jitter: float, asked: timedelta | None = None) -> timedelta:
        """Return how long to wait after this many failures in a row.

        The pause doubles each time, up to `longest`, and jitter shortens it by at most half. `asked` is what the
        receiver asked for; it is respected even if it is longer.
        """
        doubled: timedelta = self.first * 2 ** min(failures - 1, 20)
        return max(min(doubled, self.longest) * (0.5 + jitter / 2), asked or timedelta(0))


def deliverable(waiting: Sequence[Waiting], now: datetime) -> Iterator[Waiting]:
    """Yield the messages that may be sent now, in order.

    The caller takes one at a time and calls again, because each result changes what may follow.
    A message has to wait for earlier ones about the same subject. One about many subjects waits for all earlier ones,
    and all later ones wait for it.
    """
    held: set[str] = set()
    for message in waiting:
        if "" in held or (held and not message.digest) or message.digest in held or message.next_at > now:
            held.add(message.digest)
        else:
            yield message


@dataclass(slots=True)
class Courier:
    """Delivers the messages of one channel, one at a time. Used by one thread."""

    channel: Channel
    store: WatchStore
    retries: Retries
    timeout: timedelta
    clock: Clock
    jitter: Jitter
    events: Events
    may_send: Callable[[], bool]
    """Whether this process still holds the lease, and is not about to stop."""
    monotonic: Callable[[], float] = time.monotonic
    _failures: int = 0
    """Consecutive failures of the channel."""
    _paused_until: float = 0.0

    def deliver(self) -> bool:
        """Send what can be sent now; returns whether to go on at once. Raises `LeaseLost` and SQLAlchemy's errors."""
        if self.monotonic() < self._paused_until:
            return False
        waiting = list(self.store.waiting(self.channel.name, MOST_AT_ONCE))
        was_full, delivered = len(waiting) == MOST_AT_ONCE, False
        while (first := next(deliverable(waiting, self.clock()), None)) is not None:
            if not self.may_send():
                return False
            try:
                self.channel.send(first.message, Deadline.after(self.timeout.total_seconds(), self.monotonic))
            except NotDelivered as failed:
                if not failed.is_about_message:
                    self._failed(first, failed, self._pause(failed))
                    return False
                retry_in = self.retries.pause(first.attempts + 1, self.jitter(), failed.retry_after)
                waiting[waiting.index(first)] = self._failed(first, failed, retry_in)
            else:
                self._delivered(first)
                waiting.remove(first)
                delivered = True
        return was_full and delivered

    def _delivered(self, waiting: Waiting) -> None:
        self._failures = 0
        self.store.delivered(waiting.id)
        self.events.emit(MessageDelivered(self.channel.name))

    def _pause(self, failed: NotDelivered) -> timedelta:
        """Send nothing through this channel for a while; return for how long."""
        self._failures += 1
        pause = self.retries.pause(self._failures, self.jitter(), failed.retry_after)
        self._paused_until = self.monotonic() + pause.total_seconds()
        return pause

    def _failed(self, waiting: Waiting, failed: NotDelivered, retry_in: timedelta) -> Waiting:
        next_at = self.clock() + retry_in
        self.store.failed(waiting, failed.failure, next_at)
        self.events.emit(MessageNotDelivered(self.channel.name, failed.failure))
        return replace(waiting, next_at=next_at, attempts=waiting.attempts + 1)
