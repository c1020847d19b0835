"""A search on the dashboard: the parameters in its URL, and the filter that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from badge.listing import ListingFilter, ListingOrder
from badge.model import MAX_ACCOUNT, MAX_PLATFORM, BackupStatus
from badge.web.pages.repository_url import subject_at
from badge.web.paths import DASHBOARD, Paths

LONGEST_SEARCH = 200
MOST_WORDS = 8

ORDER_NAMES = {
    ListingOrder.WORST: "needs attention first",
    ListingOrder.NAME: "by name",
    ListingOrder.LATEST: "latest first",
}
"""The first is the default."""
PERIODS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
PERIOD_NAMES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


@dataclass(frozen=True, slots=True)
class Search:
    """A search on the dashboard."""

    text: str = ""
    status: BackupStatus | None = None
    platform: str = ""
    account: str = ""
    failed: str = ""
    """A key of `PERIODS`: only subjects that failed within it; empty for all."""
    no_success: str = ""
    """A key of `PERIODS`: only subjects without a success in it; empty for all."""
    order: ListingOrder = ListingOrder.WORST

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Search:
        """Read the search from the query; a bad value counts as none."""
        status, order = given.get("status"), given.get("sort")
        periods = {name: given.get(name, "") for name in ("failed", "no_success")}
        return cls(
            text=given.get("q", "")[:LONGEST_SEARCH].strip(),
            status=BackupStatus(status) if status in tuple(BackupStatus) else None,
            platform=given.get("platform", "")[:MAX_PLATFORM].strip(),
            account=given.get("account", "")[:MAX_ACCOUNT].strip(),
            **{name: period if period in PERIODS else "" for name, period in periods.items()},
            order=ListingOrder(order) if order in tuple(ListingOrder) else ListingOrder.WORST,
        )

    @property
    def has_more_filters(self) -> bool:
        """Whether there are filters besides text and status."""
        return bool(self.platform or self.account or self.failed or self.no_success)

    @property
    def is_narrowed(self) -> bool:
        """Whether some subjects may be left out, other than by status."""
        return bool(self.text) or self.has_more_filters

    def filter(self, now: datetime, paths: Paths, *, is_public_only: bool) -> ListingFilter:
        """Return the filter for the listing."""
        subject = subject_at(paths.own(self.text))
        words = (str(subject),) if subject else tuple(self.text.split()[:MOST_WORDS])
        return ListingFilter(
            platform=self.platform or None,
            account=self.account or None,
            shown_as=self.status,
            words=words,
            is_public_only=is_public_only,
            failed_since=now - PERIODS[self.failed] if self.failed else None,
            no_success_since=now - PERIODS[self.no_success] if self.no_success else None,
        )

    def own_path(self, **more: object) -> str:
        """Return the path of the results, without a prefix; `more` are parameters such as a cursor."""
        chosen = {
            "q": self.text,
            "status": self.status,
            "platform": self.platform,
            "account": self.account,
            "failed": self.failed,
            "no_success": self.no_success,
            "sort": self.order if self.order is not ListingOrder.WORST else None,
            **more,
        }
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"{DASHBOARD}?{query}" if query else DASHBOARD
