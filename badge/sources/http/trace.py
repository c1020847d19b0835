"""What is told of a question and its answer while they come about, for `badge sources try`."""

from __future__ import annotations

from collections.abc import Callable

Trace = Callable[[str], None]
"""Hears each step in words; no secret is among them."""

LONGEST_EXCERPT = 2000


def no_trace(step: str) -> None:
    """For when nobody wants to know."""
    del step


def excerpt(body: bytes) -> str:
    """The beginning of an answer, to look at."""
    shown = printable(body[:LONGEST_EXCERPT].decode("utf-8", "replace"))
    return f"  {shown}…" if len(body) > LONGEST_EXCERPT else f"  {shown}"


def printable(text: str) -> str:
    """The text without what a terminal would obey: another system wrote it."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
