"""The dashboard's list as a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import Response

from badge.contract import coordinates_of, format_time
from badge.listing import ListedSubject, ListingFilter, StatusListing
from badge.web.page import PAGE_HEADERS, message
from badge.web.pages.search import Search

# The catalogue must be able to count this many (`MOST_COUNTED`); otherwise, the message below would blame a source.
MOST_DOWNLOADED = 10_000
READ_AT_ONCE = 500

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
"""By the `format` in the query."""

COLUMNS = (
    *("platform", "account", "subjectType", "subjectName", "status"),
    *("lastSuccessAt", "finishedAt", "nextRunAt", "overdueSince", "reason", "visibility"),
)

# Spreadsheets treat cells that start with one of these as formulas (OWASP, "CSV injection"). Tabs and line breaks have
# the same effect, but can't occur in names.
_FORMULA_STARTS = ("=", "+", "-", "@")


def download(listing: StatusListing, search: Search, wanted: ListingFilter, format: str, now: datetime) -> Response:
    """Return the whole list as a file, or a message if it is too long or incomplete."""
    totals = listing.totals(wanted)
    if totals.silent:
        return message(503, "The list is incomplete", "Some sources did not answer. Try again shortly.")
    if totals.all > MOST_DOWNLOADED:
        text = f"More than {MOST_DOWNLOADED:,} repositories match. Download them in parts, by platform or account."
        return message(400, "The list is too long", text)
    if not totals.is_whole:
        text = "A source has more repositories than this service can list, so there is no complete list to download."
        return message(400, "The list is incomplete", text)
    fields = [fields_of(item, now) for item in _all(listing, search, wanted)]
    body = as_csv(fields) if format == "csv" else json.dumps({"items": fields}, ensure_ascii=False)
    headers = {**PAGE_HEADERS, "Content-Disposition": f'attachment; filename="backups.{format}"'}
    return Response(body, 200, headers, content_type=CONTENT_TYPES[format])


def _all(listing: StatusListing, search: Search, wanted: ListingFilter) -> Sequence[ListedSubject]:
    items: list[ListedSubject] = []
    cursor: str | None = None
    # Bounded, because more subjects may be reported meanwhile.
    for _ in range(MOST_DOWNLOADED // READ_AT_ONCE + 1):
        page = listing.list(wanted, cursor, READ_AT_ONCE, search.order)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return items


def fields_of(item: ListedSubject, now: datetime) -> dict[str, str | None]:
    """Return a subject's fields, keyed by `COLUMNS`; the status is that of its badge."""
    report = item.report
    moments = (report.succeeded_at(now), report.finished_at, report.next_run_at, item.overdue_since)
    values = (
        *coordinates_of(item.subject).values(),
        report.status_at(now).value,
        *(format_time(moment) if moment else None for moment in moments),
        report.reason.value if report.reason else None,
        report.visibility.value,
    )
    return dict(zip(COLUMNS, values, strict=True))


def as_csv(rows: Sequence[Mapping[str, str | None]]) -> str:
    """Return the rows as CSV with a header (RFC 4180); an apostrophe precedes what could be a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[column]) for column in COLUMNS] for row in rows)
    return text.getvalue()


def _cell(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text
