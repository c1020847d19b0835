"""Measuring in turn: absolute figures drift by a third from hour to hour, ratios within one run do not."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

_Name = TypeVar("_Name")
_Measured = TypeVar("_Measured")


def say(line: str) -> None:
    """Print progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def in_turn(rounds: int, contenders: Mapping[_Name, Callable[[], _Measured]]) -> dict[_Name, list[_Measured]]:
    """Measure each contender once per round, so that a slow minute affects all of them."""
    found: dict[_Name, list[_Measured]] = {name: [] for name in contenders}
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        for name, measure in contenders.items():
            found[name].append(measure())
    return found


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def rate_rows(found: Mapping[str, Sequence[float]], base: str) -> list[list[str]]:
    """Return a row per contender: relative to the base, and per second."""
    return [
        [name, f"{ratio(rates, found[base]):.2f}", f"{statistics.median(rates):,.0f}"] for name, rates in found.items()
    ]
