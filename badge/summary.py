"""Summaries: how many subjects of a set are protected, and why the others are not. No I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from badge.listing import ListingTotals, Standing


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a summary; `protected`, `failed`, `overdue`, `unknown` and `unverified` add up to `total`."""

    protected: int
    failed: int
    overdue: int
    unknown: int
    unverified: int = 0
    """Only if the summary requires a verification."""
    silent: int = 0
    """Number of sources that may have more subjects, but can't be listed or did not answer."""
    is_complete: bool = True
    """False if a source has more subjects than could be counted."""
    changes_at: datetime | None = None
    """When one of the numbers will change, unless something is reported earlier."""

    @property
    def total(self) -> int:
        """All subjects that should be protected."""
        return self.protected + self.failed + self.overdue + self.unknown + self.unverified

    @property
    def counts_all(self) -> bool:
        """Whether there are no subjects besides those that were counted."""
        return self.is_complete and not self.silent

    @property
    def is_all_protected(self) -> bool:
        """Whether there are subjects, and each of them is known to be protected."""
        return self.counts_all and self.protected == self.total > 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to protect."""
        return self.counts_all and self.total == 0

    @property
    def is_determined(self) -> bool:
        """Whether the numbers say anything; a total of 0 does so only if all sources were counted."""
        return self.total > 0 or self.is_empty


def summary_of(totals: ListingTotals, sources: Collection[str]) -> Summary:
    """Return the summary with these totals.

    `sources`: names of the sources that may have subjects in the summary; needed only if there are several sources.
    """
    number = totals.by_standing.get
    silent, is_complete = 0, totals.is_whole
    if totals.read is not None:
        silent = sum(name not in totals.read for name in sources)
        is_complete = all(totals.read.get(name, True) for name in sources)
    return Summary(
        protected=number(Standing.PROTECTED, 0),
        failed=number(Standing.FAILED, 0),
        overdue=number(Standing.OVERDUE, 0),
        unknown=number(Standing.UNKNOWN, 0),
        unverified=number(Standing.UNVERIFIED, 0),
        silent=silent,
        is_complete=is_complete,
        changes_at=totals.changes_at,
    )
