"""Channels: where messages are sent. Each implements `Channel`."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from badge.deadline import Deadline
from badge.notices import Message


class NotDelivered(Exception):
    """A message was not accepted; `failure` is one word from a closed set, without addresses or secrets."""

    def __init__(self, failure: str, retry_after: timedelta | None = None, *, is_about_message: bool = False) -> None:
        super().__init__(failure)
        self.failure = failure
        self.retry_after = retry_after
        self.is_about_message = is_about_message
        """Whether only this message was rejected, so that others may still be accepted."""


class Channel(Protocol):
    """Where messages are sent."""

    @property
    def name(self) -> str:
        """The channel's name in notify.toml."""
        ...

    def send(self, message: Message, deadline: Deadline) -> None:
        """Send a message; raises `NotDelivered` and nothing else."""
        ...
