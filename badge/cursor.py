"""Where a list's next page begins, as a text that its reader hands back. No I/O."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from badge.ports import ListingOrder

# Of databases.
_LARGEST_INTEGER = 2**63 - 1


def cursor_at(order: ListingOrder, marks: Sequence[object]) -> str:
    """The cursor for what comes after these marks: what the list is sorted by, as numbers and texts."""
    return base64.urlsafe_b64encode(json.dumps([order, *marks]).encode()).decode().rstrip("=")


def marks_in(cursor: str, order: ListingOrder, kinds: Sequence[type]) -> list[Any]:
    """The marks in a cursor of this order, one of each kind; raises `ValueError` for what `cursor_at` never gave."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found[:1] == [order] and list(map(type, found[1:])) == list(kinds):
        marks = found[1:]
        if all(map(_can_be_kept, marks)):
            return marks
    raise ValueError("this cursor was not given by this service")


def _can_be_kept(mark: int | str) -> bool:
    """Whether every database takes it: JSON can spell NUL, halves of surrogate pairs and any number."""
    if isinstance(mark, int):
        return abs(mark) <= _LARGEST_INTEGER
    return "\0" not in mark and not any("\ud800" <= each <= "\udfff" for each in mark)
