"""Cursors: given by one list, handed back by whoever reads it, and believed only if they can be one."""

from __future__ import annotations

import base64
import json

import pytest

from badge.listing import ListingOrder, cursor_at, marks_in

KINDS = (int, str)


def spelt(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    marks = [-(2**63) + 1, "Größe/日本"]
    cursor = cursor_at(ListingOrder.WORST, marks)
    assert cursor.isascii()
    assert "=" not in cursor
    assert marks_in(cursor, ListingOrder.WORST, KINDS) == marks


@pytest.mark.parametrize(
    "document",
    [
        ["name", 1, "web"],
        ["worst", 1],
        ["worst", 1, "web", "more"],
        ["worst", True, "web"],
        ["worst", 1.0, "web"],
        ["worst", 2**63, "web"],
        ["worst", 1, None],
        ["worst", 1, "\0"],
        ["worst", 1, "\ud800"],
        {"worst": 1},
        None,
    ],
)
def test_what_no_list_gave_is_no_cursor(document: object) -> None:
    with pytest.raises(ValueError, match="this cursor was not issued by this service"):
        marks_in(spelt(document), ListingOrder.WORST, KINDS)


@pytest.mark.parametrize("text", ["", "x", "é", "[" * 50, "====", base64.b64encode(b"[" * 100_000).decode()])
def test_what_can_t_be_read_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="this cursor was not issued by this service"):
        marks_in(text, ListingOrder.WORST, KINDS)
