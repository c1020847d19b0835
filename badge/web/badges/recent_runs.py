"""The last runs of a subject, as its JSON and its status page show them to readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from badge.deadline import Deadline
from badge.listing import RunHistory
from badge.model import BackupStatus, Resolution, Subject, unless_ahead
from badge.web.badges.bounded_reads import BoundedReads

MOST_RUNS = 30


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
    """Returns the run history of the subject's source; None if it keeps none."""
    _reads: BoundedReads = field(default_factory=BoundedReads, init=False)

    def of(self, subject: Subject, resolution: Resolution, deadline: Deadline) -> Sequence[RecentRun] | None:
        """Return the runs, newest first; None if the source keeps no history, or if it can't be read in time.

        `resolution` is what this reader may see. If the subject has become private in the meantime, readers who may see
        only public subjects get no runs.
        """
        history = self.history_for(subject) if resolution.report.exists else None
        if history is None:
            return None
        read = partial(history.history, subject, MOST_RUNS, public_only=resolution.report.is_public)
        runs = self._reads.result_of(read, deadline)
        if runs is None:
            return None
        return [RecentRun(run.status, unless_ahead(run.finished_at, resolution.now)) for run in runs]
