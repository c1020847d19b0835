"""Delivers the messages of the outbox: at least once, and in order for each subject."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from badge.deadline import Deadline
from badge.events import MessageDelivered, MessageNotDelivered
from badge.notices import Message
from badge.ports import Clock, Events, Jitter
from badge.watching.channels import Channel, NotDelivered
from badge.watching.store import Waiting, WatchStore

MOST_AT_ONCE = 200
"""How many waiting messages are read at a time."""
PATIENCE = 5
"""After this many failed attempts at the oldest message, others are tried too, in case only that one is rejected."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to wait between attempts."""

    first: timedelta
    longest: timedelta

    def pause(self, failures: int, jitter: float, requested: timedelta | None = None) -> timedelta:
        """Return how long to wait after this many failures in a row.

        The pause doubles each time, up to `longest`, and jitter shortens it by at most half. `requested` is the
        receiver's Retry-After; it is respected even if it is longer.
        """
        doubled: timedelta = self.first * 2 ** min(failures - 1, 20)
        return max(min(doubled, self.longest) * (0.5 + jitter / 2), requested or timedelta(0))


@dataclass(slots=True)
class Courier:
    """Delivers the messages of one channel, one at a time. Used by one thread."""

    channel: Channel
    store: WatchStore
    retries: Retries
    timeout: timedelta
    give_up_after: timedelta
    """Messages older than this are no longer sent."""
    clock: Clock
    jitter: Jitter
    events: Events
    may_send: Callable[[], bool]
    """Whether this process still holds the lease, and is not about to stop."""
    monotonic: Callable[[], float] = time.monotonic
    _failures: int = 0
    """Consecutive failures of the channel."""
    _works: bool = False
    """Whether the channel accepted the last message."""
    _paused_until: float = 0.0

    def deliver(self) -> bool:
        """Send what can be sent now; returns whether to go on at once. Raises `LeaseLost` and SQLAlchemy's errors."""
        if self.monotonic() < self._paused_until:
            return False
        due = list(self.store.due(self.channel.name, self.clock(), self.give_up_after, MOST_AT_ONCE))
        was_full = len(due) == MOST_AT_ONCE
        while due:
            if not self.may_send():
                return False
            chosen = self._chosen(due)
            try:
                self._send(chosen.message)
            except NotDelivered as failed:
                if not self._is_rejected(chosen, failed):
                    self._pause(failed)
                    self._failed(chosen, failed, timedelta(0))
                    return False
                self._failed(chosen, failed, self.retries.pause(chosen.attempts + 1, self.jitter(), failed.retry_after))
                due = [each for each in due if each is not chosen and not each.is_about_subject_of(chosen)]
            else:
                self._delivered(chosen)
                due.remove(chosen)
        return was_full

    def _chosen(self, due: Sequence[Waiting]) -> Waiting:
        """Return the oldest message; if that fails again and again, the one with the fewest attempts."""
        if not self._failures or due[0].attempts < PATIENCE:
            return due[0]
        oldest_by_subject = {each.digest or each.id: each for each in reversed(due)}
        return min(oldest_by_subject.values(), key=lambda each: (each.attempts, each.id))

    def _send(self, message: Message | None) -> None:
        if message is None:  # only a newer version of the service can read it
            raise NotDelivered("unreadable", is_about_message=True)
        self.channel.send(message, Deadline.after(self.timeout.total_seconds(), self.monotonic))

    def _is_rejected(self, chosen: Waiting, failed: NotDelivered) -> bool:
        """Whether only this message fails.

        Either the failure says so, or the message has failed before and the channel has just accepted another one.
        """
        if failed.is_about_message:
            return True
        has_worked, self._works = self._works, False
        return has_worked and chosen.attempts > 0

    def _delivered(self, waiting: Waiting) -> None:
        self._failures, self._works = 0, True
        self.store.delivered(waiting.id)
        self.events.emit(MessageDelivered(self.channel.name))

    def _pause(self, failed: NotDelivered) -> None:
        """Send nothing through this channel for a while."""
        self._failures += 1
        pause = self.retries.pause(self._failures, self.jitter(), failed.retry_after)
        self._paused_until = self.monotonic() + pause.total_seconds()

    def _failed(self, waiting: Waiting, failed: NotDelivered, retry_in: timedelta) -> None:
        self.store.failed(waiting, failed.failure, self.clock() + retry_in)
        self.events.emit(MessageNotDelivered(self.channel.name, failed.failure))
