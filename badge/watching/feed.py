"""Reads the feed's entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.faults import failure
from badge.events import FailureKind
from badge.notices import Message
from badge.ports import Events, SourceUnavailable
from badge.watching.store import ALL, PUBLIC, WatchStore


@dataclass(frozen=True, slots=True)
class FeedReader:
    """The feed's entries, newest first."""

    store: Callable[[], WatchStore]
    """Called for each read; opens the database on first use."""
    events: Events
    limit: int

    def entries(self, *, with_private: bool) -> Sequence[Message]:
        """Return the entries; raises `SourceUnavailable`."""
        try:
            return self.store().feed(ALL if with_private else PUBLIC, self.limit)
        except SQLAlchemyError as error:
            self.events.emit(failure("feed", error))
            raise SourceUnavailable(FailureKind.DATABASE) from None
