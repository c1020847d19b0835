"""Lists, creates and revokes a subject's private tokens, for its dialog."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badge.deadline import Deadline
from badge.model import InvalidSubject, Report, Subject
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.answer import DRAWN_WITHIN_SECONDS
from badge.web.page import sentence
from badge.web.pages.parts import PagesParts
from badge.web.signing_key import NoSigningKey

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

    from badge.catalogue.tokens import StoredToken, StoredTokens

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class TokenForm:
    """The tokens for a private subject's badge, and a form to create another one."""

    stored: Sequence[StoredToken]
    """The newest first, at most `MOST_SHOWN`."""
    older: int
    """Number of older tokens, which are not in `stored`."""
    name: str
    """Suggested name of the next token."""
    has_token: bool
    """Whether the snippets contain a token."""
    created: str = ""
    """Name of the token that was just created; the token itself is in the snippets, only this once."""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SubjectTokens:
    """Tokens for one private subject; `store` is None if they can only be derived from the signing key."""

    parts: PagesParts
    subject: Subject
    store: StoredTokens | None

    @classmethod
    def of(cls, parts: PagesParts, subject: Subject) -> SubjectTokens:
        """Return the subject's tokens; without sessions there is no store, because forged forms can't be detected."""
        return cls(parts, subject, parts.token_store if parts.authentication.log_in is not None else None)

    def shown(self, report: Report, given: str, *, is_new: bool) -> str:
        """Return the token for the snippets: the given one if it is valid, else a derived one unless there is a store.

        Returns an empty string for a public subject, or if there is neither.
        """
        if not report.exists or report.is_public:
            return ""
        # A new token is valid, and checking it would count as its first use.
        if is_new or (given and self.parts.tokens.opens(self.subject, given, Deadline.after(DRAWN_WITHIN_SECONDS))):
            return given
        try:
            return "" if self.store else self.parts.tokens.of(self.subject)
        except NoSigningKey:
            return ""  # the page is useful without it

    def form(self, token: str, created: str = "", fault: str = "") -> TokenForm | None:
        """Return what the dialog shows; None without a store, or if it fails: the page is useful without it."""
        if self.store is None:
            return None
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - needed only where there is a store

        try:
            stored = self.store.list()
        except SQLAlchemyError as error:
            self.failed(error)
            return None
        covering = sorted(
            (one for one in stored if one.subjects.covers(self.subject)), key=lambda one: one.created_at, reverse=True
        )
        older = max(0, len(covering) - MOST_SHOWN)
        name = _unused_name(self.subject, {one.name for one in stored})
        return TokenForm(covering[:MOST_SHOWN], older, name, bool(token), created, fault)

    def create(self, name: str) -> tuple[str, str]:
        """Create a token for this subject alone; returns it, or an empty string and what is wrong with the name."""
        assert self.store is not None
        try:
            return self.store.create(name, Selection([PathPattern.only(self.subject)])), ""
        except (ValueError, InvalidSubject) as error:
            return "", sentence(str(error))

    def revoke(self, name: str) -> None:
        """Revoke a token that opens this subject's badge; any other name is ignored."""
        assert self.store is not None
        if any(one.name == name and one.subjects.covers(self.subject) for one in self.store.list()):
            self.store.revoke(name)

    def failed(self, error: SQLAlchemyError) -> None:
        """Report that the database failed."""
        from badge.catalogue.faults import failure  # noqa: PLC0415 - needed only where there is a store

        self.parts.events.emit(failure("tokens", error))


def _unused_name(subject: Subject, used: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9._-]+", "-", subject.name.lower()).strip("-._")[:50] or "badge"
    return next(name for number in range(1, len(used) + 2) if (name := f"{stem}-{number}") not in used)
