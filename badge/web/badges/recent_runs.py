"""The last runs of a subject, as its JSON and its status page show them to readers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from badge.deadline import Deadline
from badge.listing import RunHistory
from badge.model import BackupStatus, Resolution, Subject, unless_ahead
from badge.ports import SourceUnavailable

MOST_RUNS = 30

MOST_READS = 2
"""How many threads may read runs at a time, so that a hanging database can't block them all."""
READ_SECONDS = 1.0
"""The longest time that the database may take."""
QUEUE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RecentRun:
    """All that readers learn about a run."""

    status: BackupStatus
    finished_at: datetime | None


RunReader = Callable[[], Sequence[RecentRun] | None]
"""Reads the last runs, newest first; returns None if they are not known. Only formats that show them call it."""


def no_runs() -> None:
    """Return None, for answers without a source."""


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """Reads the last runs of subjects that a reader may see."""

    history_for: Callable[[Subject], RunHistory | None]
    """Returns the history in which the subject's source keeps its runs; None if the source keeps none."""
    _reads: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_READS), init=False)

    def of(self, subject: Subject, resolution: Resolution, deadline: Deadline) -> Sequence[RecentRun] | None:
        """Return the runs, newest first; None if the source keeps none, or if they can't be read in time.

        `resolution` is what this reader may see. A subject that has become private since then has no public runs.
        """
        history = self.history_for(subject) if resolution.report.exists else None
        if history is None or deadline.remaining < READ_SECONDS or not self._reads.acquire(timeout=QUEUE_SECONDS):
            return None
        try:
            runs = history.history(subject, MOST_RUNS, public_only=resolution.report.is_public)
        except SourceUnavailable:
            return None
        finally:
            self._reads.release()
        return [RecentRun(run.status, unless_ahead(run.finished_at, resolution.now)) for run in runs]
