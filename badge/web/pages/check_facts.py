"""A subject's check as its page shows it: when backups are expected, and which URLs jobs ping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from badge.model import Subject
from badge.settings import show_duration
from badge.web.page import Moment
from badge.web.pages.parts import PagesParts

if TYPE_CHECKING:
    from badge.catalogue.checks import Check


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """A check in words."""

    every: str
    grace: str
    overdue: Moment | None
    """When the backup becomes or became overdue; None unless it succeeded, is in progress or is scheduled."""
    is_overdue: bool
    ping_url: str
    """The part of it that is stored, and an ellipsis for the rest."""
    slug_url: str
    """Empty without a slug."""
    new_url_command: str

    @classmethod
    def of(cls, check: Check, parts: PagesParts, now: datetime) -> CheckFacts:
        """Describe a check."""
        ping = parts.public_origin + parts.paths.ping("")
        return cls(
            every=show_duration(check.expectation.every),
            grace=show_duration(check.expectation.grace),
            overdue=Moment.of(check.overdue_at, now),
            is_overdue=check.overdue_at is not None and check.overdue_at <= now,
            ping_url=f"{ping}{check.prefix}-…",
            slug_url=f"{ping}PING_KEY/{check.slug}" if check.slug else "",
            new_url_command=parts.terminal.command("check", "rotate", check.subject.path),
        )


def check_of(subject: Subject, parts: PagesParts) -> Check | None:
    """Return the subject's check; None if it has none or the database fails: the page is useful without it."""
    if parts.checks is None or not parts.takes_reports(subject):
        return None
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - needed only where there is a catalogue

    from badge.catalogue.faults import failure  # noqa: PLC0415 - likewise

    try:
        return parts.checks.of(subject)
    except SQLAlchemyError as error:
        parts.events.emit(failure("check", error))
        return None
