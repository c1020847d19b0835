"""What the metrics of subjects show, read in batches. Rows are small, because thousands are read at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, and_, case, select, type_coerce

from badge.catalogue.expectation import is_overdue, overdue_despite_future_end
from badge.catalogue.listing import shown_as
from badge.catalogue.schema import subjects
from badge.listing import SubjectFacts
from badge.model import CLOCK_TOLERANCE, BackupStatus, VerificationOutcome

BATCH_SIZE = 1_000


def batches_of_facts(
    connection: Connection, now: datetime, most: int, batch_size: int = BATCH_SIZE
) -> Iterator[Sequence[SubjectFacts]]:
    """Yield the facts about the first `most` subjects, oldest first, so that every call yields the same ones."""
    wanted, last = _selected(now, overdue_despite_future_end(connection, now)), 0
    while most > 0:
        size = min(most, batch_size)
        rows = connection.execute(wanted.where(subjects.c.id > last).limit(size)).all()
        if rows:
            yield [SubjectFacts(*row[1:]) for row in rows]
        if len(rows) < size:
            return
        last, most = rows[-1].id, most - size


def _selected(now: datetime, despite_end: Sequence[int]) -> Select[Any]:
    """Return a query for IDs and the fields of `SubjectFacts`, by the rules of `subjects.listed` and `facts_of`."""
    overdue, horizon = is_overdue(now, despite_end), now + CLOCK_TOLERANCE
    succeeded_at, started, finished = subjects.c.last_success_at, subjects.c.started_at, subjects.c.finished_at
    has_taken = and_(~overdue, started < finished, finished <= horizon)
    has_passed = and_(subjects.c.verification == VerificationOutcome.PASSED.value, subjects.c.verified_at <= horizon)
    return select(
        subjects.c.id,
        subjects.c.platform,
        subjects.c.account,
        subjects.c.type,
        subjects.c.name,
        shown_as(now, overdue),
        case((subjects.c.due_at.is_(None), None), (overdue, 1), else_=0),
        case((overdue, BackupStatus.FAILED.value), else_=subjects.c.last_finished),
        case((succeeded_at <= horizon, _number(succeeded_at))),
        case((has_taken, _number(finished) - _number(started))),
        case((~overdue, subjects.c.size_bytes)),
        subjects.c.verification,
        subjects.c.verified_how,
        case((has_passed, _number(subjects.c.verified_at))),
    ).order_by(subjects.c.id)


def _number(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time as it is stored, without the cost of converting it."""
    return type_coerce(moment, BigInteger)
