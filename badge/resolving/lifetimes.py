"""How long an answer holds before it is asked for again, and how long a failure is not tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from badge.model import BackupStatus, Report

SHORTEST_LIFETIME = timedelta(seconds=1)

FIRST_BACK_OFF, LONGEST_BACK_OFF = timedelta(seconds=5), timedelta(seconds=60)
# By this part a back-off is made longer or shorter, so that keys that failed together don't try together.
BACK_OFF_SPREAD = 0.2
# Up to this part of a lifetime is taken off, so that keys fetched together don't end together.
LIFETIME_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long an answer may be shown without asking again, and how old it may get at most."""

    finished: timedelta = timedelta(seconds=120)
    running: timedelta = timedelta(seconds=30)
    deleted: timedelta = timedelta(seconds=600)
    absent: timedelta = timedelta(seconds=60)
    failure: timedelta = timedelta(seconds=15)
    provisional: timedelta = timedelta(seconds=5)
    """Of an answer given without waiting for the source: the true one may be there in a moment."""
    too_old: timedelta = timedelta(hours=24)

    @property
    def longest(self) -> timedelta:
        """The longest that any answer holds, but for one that tells of a deletion."""
        longest_back_off = LONGEST_BACK_OFF * (1 + BACK_OFF_SPREAD)
        return max(self.finished, self.running, self.absent, self.failure, self.provisional, longest_back_off)

    def of(self, report: Report, now: datetime) -> timedelta:
        """The lifetime of what a source said just now.

        A private report lives as long as "no such subject", for which it stands in public, so
        that lifetimes don't tell the two apart. It ends where the picture would change by itself.
        """
        if not report.is_public:
            return self.absent
        ends = (moment - now for moment in (report.next_run_at, report.stale_after) if moment and moment > now)
        return max(SHORTEST_LIFETIME, min([self._of_status(report.status), *ends]))

    def _of_status(self, status: BackupStatus) -> timedelta:
        match status:
            case BackupStatus.SUCCEEDED | BackupStatus.FAILED:
                return self.finished
            case BackupStatus.IN_PROGRESS | BackupStatus.SCHEDULED:
                return self.running
            case BackupStatus.DELETED:
                return self.deleted
            case BackupStatus.UNKNOWN:
                return self.failure
            case _:
                assert_never(status)


def shortened(lifetime: timedelta, jitter: float) -> timedelta:
    """A lifetime with its share of chance (0 to 1) taken off; never longer than it was."""
    return lifetime * (1 - LIFETIME_SPREAD * jitter)


def back_off(failures: int, jitter: float) -> timedelta:
    """How long not to try again after so many failures in a row: 5 s, doubled up to a minute, spread by chance."""
    doublings = max(0, min(failures - 1, 10))
    pause = min(FIRST_BACK_OFF * (1 << doublings), LONGEST_BACK_OFF)
    return pause * (1 + BACK_OFF_SPREAD * (2 * jitter - 1))
