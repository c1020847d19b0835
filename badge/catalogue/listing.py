"""Which subjects to list, in the order of their keys, and where the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, or_, select, tuple_

from badge.catalogue.schema import subjects
from badge.catalogue.subjects import KEY
from badge.model import CASELESS_PLATFORMS, BackupStatus
from badge.ports import ListingFilter

# So many are looked up one by one; of more, enough for a page are soon met in the order of the keys.
FEW = 1_000


def rows_of_page(
    connection: Connection, filter: ListingFilter, cursor: str | None, limit: int, now: datetime
) -> Sequence[Row[Any]]:
    """The first subjects from the cursor on; raises `ValueError` for one that is none of ours."""
    conditions = list(_conditions(filter, now))
    if filter.updated_since is not None:
        # Asked for both at once, SQLite reads all subjects in the order of the keys to find the few that changed.
        found = connection.scalars(select(subjects.c.id).where(*conditions).limit(FEW + 1)).all()
        conditions += [subjects.c.id.in_(found)] if len(found) <= FEW else []
    if cursor is not None:
        conditions.append(tuple_(*KEY) > tuple_(*_read_cursor(cursor)))
    return connection.execute(select(subjects).where(*conditions).order_by(*KEY).limit(limit)).all()


def _conditions(filter: ListingFilter, now: datetime) -> Iterator[ColumnElement[bool]]:
    if "\0" in f"{filter.platform}{filter.account}":
        yield false()  # nothing is called so, and PostgreSQL would not even look
        return
    if filter.platform is not None:
        yield subjects.c.platform_key == filter.platform.lower()
    if filter.account is not None:
        folds = subjects.c.platform_key.in_(sorted(CASELESS_PLATFORMS))
        folded = and_(folds, subjects.c.account_key == filter.account.lower())
        yield or_(subjects.c.account_key == filter.account, folded)
    if filter.status is not None:
        yield _has_status(filter.status, now)
    if filter.updated_since is not None:
        fell_overdue = subjects.c.overdue_at.between(filter.updated_since, now)
        yield or_(subjects.c.updated_at >= filter.updated_since, fell_overdue)


def _has_status(status: BackupStatus, now: datetime) -> ColumnElement[bool]:
    """What `as_expected` makes of a row, said to the database."""
    recorded = subjects.c.status == status.value
    if status is BackupStatus.FAILED:
        return or_(recorded, subjects.c.overdue_at <= now)
    return and_(recorded, or_(subjects.c.overdue_at.is_(None), subjects.c.overdue_at > now))


def cursor_after(row: Row[Any]) -> str:
    """Where the page after this row begins."""
    key = [getattr(row, column.name) for column in KEY]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Sequence[str]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not (isinstance(key, list) and len(key) == len(KEY) and all(map(_is_text, key))):
        raise ValueError("this cursor was not given by this service")
    return key


def _is_text(part: object) -> bool:
    """JSON can spell NUL and halves of surrogate pairs, which not every database takes."""
    return isinstance(part, str) and "\0" not in part and not any("\ud800" <= each <= "\udfff" for each in part)
