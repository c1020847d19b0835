"""Totals of the subjects whose names match a pattern. These can't be stored, so the subjects are counted one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from badge.catalogue.schema import subjects
from badge.catalogue.subjects import KEY, listed, may_match, selected
from badge.catalogue.totals import in_scope
from badge.listing import ListingTotals, SummaryQuery, totals_of
from badge.model import Visibility


def named_totals(connection: Connection, query: SummaryQuery, now: datetime, most: int) -> ListingTotals:
    """Return the totals of at most `most` subjects whose names match the query's pattern."""
    assert query.name is not None
    wanted = selected(now).where(*in_scope(query.scope), may_match(subjects.c.name_key, query.name.text))
    if query.is_public_only:
        wanted = wanted.where(subjects.c.visibility == Visibility.PUBLIC.value)
    rows = connection.execute(wanted.order_by(*KEY).limit(most + 1)).all()
    items = (listed(row, now) for row in rows[:most])
    found = totals_of((item for item in items if query.name.matches(item.subject)), now, query.max_age)
    return replace(found, is_whole=len(rows) <= most)
