"""What is told of a question and its answer while they come about, for `badge sources try`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from badge.deadline import Deadline
from badge.model import Report, Subject
from badge.ports import StatusSource

Trace = Callable[[str], None]
"""Hears each step in words; no secret is among them."""

LONGEST_EXCERPT = 2000


@runtime_checkable
class ExplainableSource(StatusSource, Protocol):
    """A source that can show how it comes to a report."""

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:
        """Fetch as `fetch` does, and tell `trace` each step: question, answer, rules."""
        ...


def no_trace(step: str) -> None:
    """Drop the step: nobody wants to know."""


def excerpt(body: bytes) -> str:
    """The beginning of an answer, to look at."""
    shown = printable(body[:LONGEST_EXCERPT].decode("utf-8", "replace"))
    return f"  {shown}…" if len(body) > LONGEST_EXCERPT else f"  {shown}"


def printable(text: str) -> str:
    """The text without what a terminal would obey: another system wrote it."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
