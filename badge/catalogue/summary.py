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

MOST_NAMED = 2_000
"""Maximum number of subjects to read for one summary: anyone may request one, with any pattern."""


def named_totals(connection: Connection, query: SummaryQuery, now: datetime, most: int) -> ListingTotals:
    """Return the totals of the subjects whose names match the query's pattern.

    If more than `most` names begin like the pattern, only some are counted.
    """
    assert query.name is not None
    # Only the beginning: some patterns with many wildcards keep a database busy for seconds.
    begins = may_match(subjects.c.name_key, query.name.beginning)
    wanted = selected(now).where(*in_scope(query.scope), begins)
    if query.is_public_only:
        wanted = wanted.where(subjects.c.visibility == Visibility.PUBLIC.value)
    rows = connection.execute(wanted.order_by(*KEY).limit(most + 1)).all()
    items = (listed(row, now) for row in rows[:most])
    matching = (item for item in items if query.name.matches(item.subject))
    found = totals_of(matching, now, query.max_age, query.verified_within)
    return replace(found, is_whole=len(rows) <= most)
