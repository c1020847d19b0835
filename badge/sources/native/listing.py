"""Lists the subjects of an API that implements the native contract.

The API can't search, sort or count them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from badge.contract import SUBJECT_FIELDS, ContractBroken, parse_json, report_from
from badge.deadline import Deadline
from badge.events import FailureKind
from badge.listing import ListedSubject, NoList
from badge.model import BackupStatus, InvalidSubject, Report, Subject
from badge.ports import Clock, SourceUnavailable
from badge.sources.http.answer import unavailable
from badge.sources.http.messages import HttpRequest
from badge.sources.http.transport import HttpTransport
from badge.sources.snapshot_listing import MOST_SUBJECTS, Walked

ITEMS_A_PAGE = 100
LARGEST_PAGE_BYTES = 4 * 1024 * 1024
WALK_SECONDS = 10.0
LISTLESS = (404, 405, 501)
"""HTTP statuses of an API that has no list."""


@dataclass(frozen=True, slots=True)
class NativeWalk:
    """Reads all pages of `GET {base_url}/ops/status/list`."""

    base_url: str
    api_key: str | None
    transport: HttpTransport
    clock: Clock

    def __call__(self) -> Walked:
        """Return the subjects of all pages, within the limits; raises `SourceUnavailable` and `NoList`."""
        now, deadline = self.clock(), Deadline.after(WALK_SECONDS)
        items: dict[tuple[str, ...], ListedSubject] = {}
        cursor: object = None
        for _ in range(MOST_SUBJECTS // ITEMS_A_PAGE):
            document = self._page(cursor, deadline)
            # By key, so that a subject that moves to a later page during the walk is listed once.
            for item in _items_in(document, now):
                items[item.subject.key(fold_case=True)] = item
            cursor = document.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                return Walked(list(items.values()), is_whole=True)
        return Walked(list(items.values()), is_whole=False)

    def _page(self, cursor: object, deadline: Deadline) -> Mapping[str, Any]:
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        query = {"limit": str(ITEMS_A_PAGE)} | ({"cursor": cursor} if isinstance(cursor, str) else {})
        request = HttpRequest("GET", f"{self.base_url}/ops/status/list?{urlencode(query)}", headers)
        answer = self.transport.ask(request, deadline)
        if answer.status in LISTLESS:
            raise NoList
        if answer.status != 200:
            raise unavailable(answer.status, answer.headers, self.clock())
        try:
            document = parse_json(answer.body)
        except ContractBroken as broken:
            raise SourceUnavailable(broken.kind) from None
        if not isinstance(document, dict) or not isinstance(document.get("items"), list):
            raise SourceUnavailable(FailureKind.BAD_FIELD)
        return document


def _items_in(document: Mapping[str, Any], now: datetime) -> Sequence[ListedSubject]:
    """Return the items with valid coordinates.

    An item whose status can't be read is listed as unknown rather than left out: the subject still needs a backup.
    """
    return [found for item in document["items"] if (found := _listed(item, now)) is not None]


def _listed(item: object, now: datetime) -> ListedSubject | None:
    try:
        fields = item if isinstance(item, dict) else {}
        coordinates = [str(fields.get(name, "")) for name in SUBJECT_FIELDS]
        subject = Subject.parse(*coordinates)
    except InvalidSubject:
        return None
    try:
        return ListedSubject(subject, report_from(item, asked_for=subject, now=now).report)
    except ContractBroken:
        return ListedSubject(subject, Report(status=BackupStatus.UNKNOWN, observed_at=now))
