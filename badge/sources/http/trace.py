"""The trace: how a source arrived at a report, step by step, as `badge sources try` prints it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from badge.deadline import Deadline
from badge.model import Report, Subject
from badge.ports import StatusSource

Trace = Callable[[str], None]
"""Receives each step as text, which never contains a secret."""

LONGEST_EXCERPT = 2000


@runtime_checkable
class ExplainableSource(StatusSource, Protocol):
    """A source that can explain how it arrives at a report."""

    def explain(self, subject: Subject, known: Report | None, deadline: Deadline, trace: Trace) -> Report:
        """Fetch as `fetch` does, and pass each step to `trace`: request, answer, rules."""
        ...


def no_trace(step: str) -> None:
    """Discard the step."""


def excerpt(body: bytes) -> str:
    """Return the beginning of a body, safe to print."""
    shown = printable(body[:LONGEST_EXCERPT].decode("utf-8", "replace"))
    return f"  {shown}…" if len(body) > LONGEST_EXCERPT else f"  {shown}"


def printable(text: str) -> str:
    """Return the text with control characters replaced: it comes from another system and goes to a terminal."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)
