"""Private tokens that can be revoked: shown once, stored as hashes, limited to some subjects."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from badge.catalogue.database import Database
from badge.catalogue.faults import failure
from badge.catalogue.keys import (
    SHOWN_CHARACTERS,
    NameTaken,
    NoSuchName,
    delete_named,
    digest_of,
    note_use,
    patterns_text,
    refuse_bad_name,
    selection_in,
)
from badge.catalogue.schema import private_tokens
from badge.events import FailureKind
from badge.model import Subject, SubjectScope
from badge.ports import Clock, Events, SourceUnavailable
from badge.resilience.worker_pool import Job
from badge.subject_pattern import Selection

TOKEN_PREFIX = "bst_"  # noqa: S105 - a prefix, not a token
TOKEN_BYTES = 16
MOST_TOKENS = 1_000
"""Limited, because every dashboard user can create tokens."""
MOST_USES_WAITING = 16
"""Maximum number of uses waiting to be recorded in the background; any others are not recorded."""
TOKEN_LENGTH = len(TOKEN_PREFIX) + 22


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A private token as it is stored, without the token itself."""

    name: str
    prefix: str
    subjects: Selection
    created_at: datetime
    last_used_on: date | None


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The private tokens in one database."""

    database: Database
    clock: Clock
    events: Events
    in_background: Callable[[Job], object]
    """Runs a job later, or drops it. Used for recording uses, so that a slow disk doesn't delay the badge."""
    most: int = MOST_TOKENS

    def create(self, name: str, subjects: Selection) -> str:
        """Create a token and return it; only its hash is stored.

        Raises `NameTaken`, or `ValueError` for a bad name, for a selection of all subjects, or if there are `most`
        already.
        """
        refuse_bad_name(name)
        if subjects.patterns is None:
            raise ValueError("choose the subjects that the token is for")
        plain = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        row = {
            "name": name,
            "digest": digest_of(plain),
            "prefix": plain[:SHOWN_CHARACTERS],
            "patterns": patterns_text(subjects),
            "created_at": self.clock(),
        }
        try:
            with self.database.writing() as connection:
                if (connection.scalar(select(func.count()).select_from(private_tokens)) or 0) >= self.most:
                    raise ValueError(f"there are {self.most} tokens; revoke some that are no longer used")
                connection.execute(insert(private_tokens).values(**row))
        except IntegrityError:
            raise NameTaken(f"there is a token called {name}; revoke it or choose another name") from None
        return plain

    def opens(self, subject: Subject, plain: str) -> bool:
        """Whether this is a valid token for the subject; raises `SourceUnavailable`."""
        return self._opens(plain, lambda selection: selection.covers(subject))

    def opens_summary(self, scope: SubjectScope | None, name: str | None, plain: str) -> bool:
        """Whether this is a valid token for every subject in the scope whose name matches `name`, a pattern.

        Raises `SourceUnavailable`.
        """
        return self._opens(plain, lambda selection: selection.covers_all_of(scope, name))

    def _opens(self, plain: str, covers: Callable[[Selection], bool]) -> bool:
        # Text that can't be a token is rejected without a query.
        if not (plain.startswith(TOKEN_PREFIX) and len(plain) == TOKEN_LENGTH):
            return False
        wanted = select(private_tokens).where(private_tokens.c.digest == digest_of(plain))
        try:
            with self.database.reading() as connection:
                row = connection.execute(wanted).one_or_none()
        except SQLAlchemyError as error:
            self.events.emit(failure("token", error))
            raise SourceUnavailable(FailureKind.DATABASE) from None
        if row is None or not covers(selection_in(row)):
            return False
        self.in_background(partial(self._note_use, row))
        return True

    def _note_use(self, row: Row[Any]) -> None:
        try:
            note_use(self.database, private_tokens, row, self.clock())
        except SQLAlchemyError as error:
            self.events.emit(failure("token", error))

    def list(self) -> builtins.list[StoredToken]:
        """Return all tokens, sorted by name."""
        with self.database.reading() as connection:
            return [_stored(row) for row in connection.execute(select(private_tokens).order_by(private_tokens.c.name))]

    def revoke(self, name: str) -> None:
        """Delete a token; it is invalid from now on. Raises `NoSuchName`."""
        if not delete_named(self.database, private_tokens, name):
            raise NoSuchName(f"there is no token called {name}")


def _stored(row: Row[Any]) -> StoredToken:
    return StoredToken(
        name=row.name,
        prefix=row.prefix,
        subjects=selection_in(row),
        created_at=row.created_at,
        last_used_on=row.last_used_at.date() if row.last_used_at else None,
    )
