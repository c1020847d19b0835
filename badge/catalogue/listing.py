"""Which subjects to list, in the order of their keys, and where the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, false, or_, select, tuple_

from badge.catalogue.expectation import LAPSING
from badge.catalogue.schema import subjects
from badge.catalogue.subjects import KEY
from badge.model import CASELESS_PLATFORMS, BackupStatus
from badge.ports import ListingFilter


def page_of(filter: ListingFilter, cursor: str | None, now: datetime) -> Select[Any]:
    """The subjects from the cursor on; raises `ValueError` for one that is none of ours."""
    wanted = _filtered(select(subjects), filter, now).order_by(*KEY)
    if "\0" in f"{filter.platform}{filter.account}":
        return wanted.where(false())  # nothing is called so, and PostgreSQL would not even look
    return wanted if cursor is None else wanted.where(tuple_(*KEY) > tuple_(*_read_cursor(cursor)))


def _filtered(wanted: Select[Any], filter: ListingFilter, now: datetime) -> Select[Any]:
    if filter.platform is not None:
        wanted = wanted.where(subjects.c.platform_key == filter.platform.lower())
    if filter.account is not None:
        folds = subjects.c.platform_key.in_(sorted(CASELESS_PLATFORMS))
        folded = and_(folds, subjects.c.account_key == filter.account.lower())
        wanted = wanted.where(or_(subjects.c.account_key == filter.account, folded))
    if filter.status is not None:
        wanted = wanted.where(_has_status(filter.status, now))
    if filter.updated_since is not None:
        fell_overdue = and_(_is_overdue(now), subjects.c.overdue_at >= filter.updated_since)
        wanted = wanted.where(or_(subjects.c.updated_at >= filter.updated_since, fell_overdue))
    return wanted


def _has_status(status: BackupStatus, now: datetime) -> ColumnElement[bool]:
    """What `as_expected` makes of a row, said to the database."""
    recorded = subjects.c.status == status.value
    if status is BackupStatus.FAILED:
        return or_(recorded, _is_overdue(now))
    if status in LAPSING:
        return and_(recorded, or_(subjects.c.overdue_at.is_(None), subjects.c.overdue_at > now))
    return recorded


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    return and_(subjects.c.status.in_([status.value for status in LAPSING]), subjects.c.overdue_at <= now)


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
