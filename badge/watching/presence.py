"""Tells from the lease in the database whether a watcher is running."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.faults import failure
from badge.ports import Events
from badge.watching.store import LeaseState

MISSING_SECONDS = 60.0
"""Longer than it takes to replace a crashed watcher: the pause before the restart, plus the wait for the lease to end.

Replacing a watcher that crashes repeatedly may take longer, because each pause is twice as long as the one before.
"""


@dataclass(slots=True)
class WatcherPresence:
    """Compares readings of the lease with each other, so that hosts' clocks don't matter."""

    lease: Callable[[], LeaseState]
    """May raise SQLAlchemy's errors, and may take a long time."""
    events: Events
    submit: Callable[[Callable[[], None]], bool]
    """Runs a reading in the background, unless one is already running."""
    monotonic: Callable[[], float] = time.monotonic
    _seen: LeaseState | None = None
    _since: float | None = None
    """When this state of the lease was first read."""
    _unchanged_seconds: float = 0.0

    def is_watched(self) -> bool:
        """Return False if the lease has not been renewed, or could not be read, for over a minute.

        Returns at once, with what is known from earlier readings, because a health check must not wait for a database
        that hangs. The next reading is made in the background.
        """
        self.submit(self._read)
        return self._unchanged_seconds <= MISSING_SECONDS

    def _read(self) -> None:
        now, seen = self.monotonic(), self._seen
        try:
            seen = self.lease()
        except SQLAlchemyError as error:
            self.events.emit(failure("watch", error))
        if self._since is None or seen != self._seen:
            self._seen, self._since = seen, now
        self._unchanged_seconds = now - self._since
