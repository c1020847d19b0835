"""Names that are similar to a misspelt one. Only a limited number of names is compared."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from badge.listing import ListingFilter, NoList, StatusListing
from badge.model import Subject
from badge.ports import SourceUnavailable

MOST_OFFERED = 3
MOST_COMPARED = 40
"""Maximum number of names to compare for each search."""
LONGEST_COMPARED = 100
"""Longer names get no suggestions, and longer accounts must match exactly.

Comparing takes time quadratic in the length.
"""
LEAST_SIMILARITY = 0.6
PIECES = 3


def similar_names(misspelt: Subject, listing: StatusListing, *, is_public_only: bool) -> list[Subject]:
    """Return up to `MOST_OFFERED` listed subjects with similar names, the most similar first.

    Returns an empty list if the listing is unavailable.
    """
    found: dict[Subject, float] = {}
    try:
        for wanted in _searches(misspelt, is_public_only=is_public_only):
            for item in listing.list(wanted, limit=MOST_COMPARED).items:
                found.setdefault(item.subject, _similarity(misspelt, item.subject))
    except (SourceUnavailable, NoList):
        return []
    similar = [subject for subject, similarity in found.items() if similarity > 0]
    return sorted(similar, key=lambda subject: (-found[subject], str(subject)))[:MOST_OFFERED]


def _searches(misspelt: Subject, *, is_public_only: bool) -> Iterator[ListingFilter]:
    """Yield filters that find the subject if its account, or a few adjacent letters of its name, are misspelt."""
    name = misspelt.name
    if len(name) > LONGEST_COMPARED:
        return
    yield ListingFilter(words=(f"/{name}",), is_public_only=is_public_only)
    size = -(-len(name) // PIECES)
    for start in range(0, len(name), size):
        piece = name[start : start + size]
        yield ListingFilter(account=misspelt.account, words=(piece,), is_public_only=is_public_only)


def _similarity(misspelt: Subject, other: Subject) -> float:
    """Return how similar two subjects are; 0 if their accounts or their names are too different."""
    parts = [(misspelt.account, other.account), (misspelt.name, other.name)]
    ratios = [_ratio(one.lower(), another.lower()) for one, another in parts]
    return sum(ratios) if min(ratios) >= LEAST_SIMILARITY else 0.0


def _ratio(one: str, other: str) -> float:
    if max(len(one), len(other)) > LONGEST_COMPARED:
        return float(one == other)
    return SequenceMatcher(None, one, other).ratio()
