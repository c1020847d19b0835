"""Notices of changed backups, and the messages that carry them, as values. No I/O.

The JSON is documented in docs/reference/notifications.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from badge.contract import coordinates_of, format_time, moment_in, verification_fields, verification_in
from badge.model import Reason, Subject, Verification, Visibility

MOST_SHOWN = 20
"""Maximum number of subjects that are named in one message."""


class Condition(StrEnum):
    """A subject's condition: deleted, or its standing (`badge.listing.Standing`) regardless of verifications."""

    PROTECTED = "protected"
    FAILED = "failed"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    DELETED = "deleted"


class NoticeKind(StrEnum):
    """The kinds of notices."""

    FAILED = "failed"
    RECOVERED = "recovered"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    DELETED = "deleted"
    VERIFICATION_FAILED = "verificationFailed"
    VERIFICATION_TOO_OLD = "verificationTooOld"
    VERIFIED = "verified"
    """A verification passed after one had failed or become too old."""
    FLAPPING = "flapping"
    """The condition changes so often that further changes are not reported for now."""
    STEADY = "steady"
    """It has stopped flapping."""
    TEST = "test"


ALWAYS = frozenset({NoticeKind.FLAPPING, NoticeKind.STEADY})
"""Kinds that every rule selects, because they stand in for notices of any kind."""

SELECTABLE = tuple(kind for kind in NoticeKind if kind not in {*ALWAYS, NoticeKind.TEST})
"""The kinds that a rule may select."""

FEED_KINDS = frozenset(NoticeKind) - {NoticeKind.UNKNOWN, NoticeKind.DELETED, NoticeKind.TEST}
"""The kinds that are in the feed: all except those about unknown or deleted subjects, and tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One change of one subject."""

    kind: NoticeKind
    subject: Subject
    before: Condition | None
    """None if the subject is new."""
    after: Condition
    visibility: Visibility = Visibility.PUBLIC
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_success_at: datetime | None = None
    overdue_since: datetime | None = None
    reason: Reason | None = None
    verification: Verification | None = None
    url: str | None = None
    """The status page, if there is one that every reader may open."""

    @property
    def is_public(self) -> bool:
        """Whether everyone may see it."""
        return self.visibility is Visibility.PUBLIC

    def document(self) -> dict[str, object]:
        """Return the notice as JSON; values that are not known are left out."""
        document = {
            "subject": self.subject.path,
            **coordinates_of(self.subject),
            "before": self.before,
            "after": self.after,
            "visibility": self.visibility,
            **{wire: _written(getattr(self, name)) for name, wire in _TIMES.items()},
            "reason": self.reason,
            **verification_fields(self.verification),
            "url": self.url,
        }
        return {key: str(value) for key, value in document.items() if value is not None}


_TIMES = {
    "started_at": "startedAt",
    "finished_at": "finishedAt",
    "last_success_at": "lastSuccessAt",
    "overdue_since": "overdueSince",
}


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _notice_from(kind: NoticeKind, document: Mapping[str, Any]) -> Notice:
    return Notice(
        kind=kind,
        subject=Subject.from_path(document["subject"]),
        before=Condition(document["before"]) if "before" in document else None,
        after=Condition(document["after"]),
        visibility=Visibility(document["visibility"]),
        reason=Reason(document["reason"]) if "reason" in document else None,
        verification=verification_in(document),
        url=document.get("url"),
        **{name: moment_in(document, wire) for name, wire in _TIMES.items()},
    )


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: one notice, or many of the same kind."""

    id: str
    at: datetime
    """When the changes were noticed."""
    kind: NoticeKind
    notices: Sequence[Notice]
    """One, or the first few of many."""
    count: int | None = 1
    """The number of subjects, of which `notices` may name only some; None if the reader must not know it."""

    @property
    def is_about_many(self) -> bool:
        """Whether it is about several subjects."""
        return self.count != 1

    def document(self) -> dict[str, object]:
        """Return the message as JSON, in the form of Standard Webhooks' payloads."""
        if self.is_about_many:
            data: dict[str, object] = {"count": self.count, "backups": [each.document() for each in self.notices]}
        else:
            data = self.notices[0].document()
        noun = "backups" if self.is_about_many else "backup"
        return {"type": f"{noun}.{self.kind}", "timestamp": format_time(self.at), "data": data}

    @classmethod
    def from_document(cls, id: str, document: Mapping[str, Any]) -> Message:
        """Return the message that `document` was made from.

        Raises `KeyError`, `TypeError` or `ValueError` for one that this version can't read.
        """
        noun, _, kind = document["type"].partition(".")
        data, at = document["data"], moment_in(document, "timestamp")
        if at is None:
            raise ValueError("no timestamp")
        found = data["backups"] if noun == "backups" else [data]
        notices = [_notice_from(NoticeKind(kind), each) for each in found]
        return cls(id, at, NoticeKind(kind), notices, data["count"] if noun == "backups" else 1)

    @property
    def title(self) -> str:
        """One line of text, safe to show where text is parsed as markup."""
        if self.is_about_many:
            title = _TITLES_OF_MANY[self.kind].format(self.count or "some")
            return title[0].upper() + title[1:]
        return f"{_TITLES[self.kind]}: {plain_name(self.notices[0].subject)}"

    @property
    def text(self) -> str:
        """The details, as lines of plain text."""
        if not self.is_about_many:
            return "\n".join(_details(self.notices[0]))
        names = [plain_name(notice.subject) for notice in self.notices]
        if self.count is None:
            return "\n".join([*names, "and possibly more"])
        more = self.count - len(names)
        return "\n".join([*names, *([f"and {more} more"] if more else [])])


_TITLES = {
    NoticeKind.FAILED: "Backup failed",
    NoticeKind.RECOVERED: "Backup recovered",
    NoticeKind.OVERDUE: "Backup overdue",
    NoticeKind.UNKNOWN: "Backup status unknown",
    NoticeKind.DELETED: "Backup deleted",
    NoticeKind.VERIFICATION_FAILED: "Verification failed",
    NoticeKind.VERIFICATION_TOO_OLD: "Verification too old",
    NoticeKind.VERIFIED: "Backup verified again",
    NoticeKind.FLAPPING: "Backup status keeps changing",
    NoticeKind.STEADY: "Backup status has settled",
    NoticeKind.TEST: "Test notification",
}
_TITLES_OF_MANY = {
    NoticeKind.FAILED: "{} backups failed",
    NoticeKind.RECOVERED: "{} backups recovered",
    NoticeKind.OVERDUE: "{} backups are overdue",
    NoticeKind.UNKNOWN: "The status of {} backups is unknown",
    NoticeKind.DELETED: "{} backups were deleted",
    NoticeKind.VERIFICATION_FAILED: "The verifications of {} backups failed",
    NoticeKind.VERIFICATION_TOO_OLD: "The verifications of {} backups are too old",
    NoticeKind.VERIFIED: "{} backups were verified again",
    NoticeKind.FLAPPING: "The status of {} backups keeps changing",
    NoticeKind.STEADY: "The status of {} backups has settled",
    NoticeKind.TEST: "{} test notifications",
}


def _details(notice: Notice) -> list[str]:
    before = f"{notice.before} → " if notice.before not in (None, notice.after) else ""
    lines = [f"Status: {before}{notice.after}"]
    if notice.reason is not None:
        lines.append(f"Reason: {notice.reason}")
    moments = {
        "Overdue since": notice.overdue_since,
        "Last run ended": notice.finished_at,
        "Last success": notice.last_success_at,
        "Last verification": notice.verification.at if notice.verification else None,
    }
    lines += [f"{label}: {moment:%Y-%m-%d %H:%M} UTC" for label, moment in moments.items() if moment is not None]
    return [*lines, *([notice.url] if notice.url else [])]


def plain_name(subject: Subject) -> str:
    """Return a subject's coordinates without URLs, link markup or mentions such as `@everyone`, for chat programs.

    Anything but letters, digits and `-_. /` is percent-encoded, as it is in a badge's URL. Some chat programs still
    turn a bare host name into a link.
    """
    return re.sub(r"[^\w\-. /]", lambda match: quote(match[0], safe=""), str(subject))
