"""Cursors survive a round trip, and anything that is not one is rejected."""

from __future__ import annotations

import base64
import json

import pytest

from badge.listing import ListingOrder, Place, place_at

KINDS = (int, str)


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_a_cursor_returns_the_values_it_was_made_from() -> None:
    marks = [-(2**63) + 1, "Größe/日本"]
    cursor = Place(marks).cursor(ListingOrder.WORST)
    assert cursor.isascii()
    assert "=" not in cursor
    assert place_at(cursor, ListingOrder.WORST, KINDS) == Place(marks)
    before = Place(marks, is_before=True)
    assert place_at(before.cursor(ListingOrder.WORST), ListingOrder.WORST, KINDS) == before


@pytest.mark.parametrize(
    "document",
    [
        ["name", 1, "web"],
        ["worst", 1],
        ["worst", 1, "web", "more"],
        ["worst", ["before"], 1],
        ["worst", ["after"], 1, "web"],
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
def test_a_cursor_that_no_list_issued_is_rejected(document: object) -> None:
    with pytest.raises(ValueError, match="this cursor was not issued by this service"):
        place_at(encoded(document), ListingOrder.WORST, KINDS)


@pytest.mark.parametrize("text", ["", "x", "é", "[" * 50, "====", base64.b64encode(b"[" * 100_000).decode()])
def test_an_unreadable_cursor_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="this cursor was not issued by this service"):
        place_at(text, ListingOrder.WORST, KINDS)
