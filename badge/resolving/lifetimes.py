"""How long a report stays fresh, and how long to back off after a failure.

An expired entry stays in the cache, to be served while a new report is fetched: in Redis for `ENTRY_LIFETIME`
(`cache/redis/status_cache.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from badge.model import BackupStatus, Report
from badge.ports import LONGEST_PAUSE

SHORTEST_LIFETIME = timedelta(seconds=1)

FIRST_BACK_OFF, LONGEST_BACK_OFF = timedelta(seconds=5), timedelta(seconds=60)
# Back-offs vary by up to this share, so that keys that failed together don't retry together.
BACK_OFF_SPREAD = 0.2
# Lifetimes are shortened by up to this share, so that keys fetched together don't expire together.
LIFETIME_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long each kind of answer stays fresh, and the age from which it is too old to show."""

    finished: timedelta = timedelta(seconds=120)
    running: timedelta = timedelta(seconds=30)
    deleted: timedelta = timedelta(seconds=600)
    absent: timedelta = timedelta(seconds=60)
    failure: timedelta = timedelta(seconds=15)
    provisional: timedelta = timedelta(seconds=5)
    """Lifetime of a provisional answer, given without waiting for the source; the real one may follow shortly."""
    too_old: timedelta = timedelta(hours=24)

    @property
    def longest(self) -> timedelta:
        """The longest time an entry can be fresh, apart from deleted subjects and pauses that a source asked for."""
        longest_back_off = LONGEST_BACK_OFF * (1 + BACK_OFF_SPREAD)
        return max(self.finished, self.running, self.absent, self.failure, self.provisional, longest_back_off)

    @property
    def longest_wait(self) -> timedelta:
        """The longest time until any entry is fetched again: the longest lifetime, or a source's longest pause."""
        return max(self.longest, self.deleted, LONGEST_PAUSE)

    def of(self, report: Report, now: datetime) -> timedelta:
        """Return the lifetime of a report fetched now; it ends at the latest when the badge would change by itself.

        It is never shorter than `SHORTEST_LIFETIME`. A private report has the lifetime of "no such subject", which is
        what the public is shown, so that lifetimes don't reveal which of the two it is.
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
    """Return the lifetime shortened by jitter (0 to 1); never longer than it was."""
    return lifetime * (1 - LIFETIME_SPREAD * jitter)


def back_off(failures: int, jitter: float) -> timedelta:
    """Time until the next attempt after `failures` consecutive failures: 5 s, doubling up to a minute, with jitter."""
    doublings = max(0, min(failures - 1, 10))
    pause = min(FIRST_BACK_OFF * (1 << doublings), LONGEST_BACK_OFF)
    return pause * (1 + BACK_OFF_SPREAD * (2 * jitter - 1))
