"""API keys: shown once, stored as hashes, limited by scope and subject."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any

from sqlalchemy import Row, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from badge.catalogue.database import Database
from badge.catalogue.schema import api_keys
from badge.ports import Clock
from badge.subject_pattern import EVERY_SUBJECT, PathPattern, Selection

KEY_BYTES = 24
SHOWN_CHARACTERS = 8
LONGEST_KEY = 200
USE_IS_NOTED_EVERY = timedelta(hours=1)


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Read statuses. Without it, the answer to a report doesn't contain the status either."""
    REPORT = "report"
    """Report runs, and make subjects private."""
    PING = "ping"
    """Ping checks by their slugs."""
    VISIBILITY = "visibility"
    """Make private subjects public when reporting."""


class Refusal(Enum):
    """Why a key is refused."""

    UNKNOWN = auto()
    EXPIRED = auto()
    LACKS_SCOPE = auto()


class KeyRefused(Exception):
    """The key is not valid, or may not do this."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


class NameTaken(ValueError):
    """The name is in use."""


class NoSuchName(LookupError):
    """Nothing has this name."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid key allows."""

    scopes: frozenset[Scope]
    subjects: Selection = EVERY_SUBJECT


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored, without the key itself."""

    name: str
    prefix: str
    grant: Grant
    created_at: datetime
    expires_at: datetime | None
    last_used_on: date | None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The API keys in one database."""

    database: Database
    clock: Clock

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        subjects: Selection = EVERY_SUBJECT,
        expires_at: datetime | None = None,
    ) -> str:
        """Create a key and return it; only its hash is stored. Raises `NameTaken`, or `ValueError` for a bad name."""
        refuse_bad_name(name)
        plain = "bsb_" + secrets.token_urlsafe(KEY_BYTES)
        row = {
            "name": name,
            "digest": digest_of(plain),
            "prefix": plain[:SHOWN_CHARACTERS],
            "scopes": " ".join(sorted(scope.value for scope in scopes)),
            "patterns": patterns_text(subjects),
            "created_at": self.clock(),
            "expires_at": expires_at,
        }
        try:
            with self.database.writing() as connection:
                connection.execute(insert(api_keys).values(**row))
        except IntegrityError:
            raise NameTaken(f"there is a key called {name}; revoke it or choose another name") from None
        return plain

    def check(self, plain: str, scope: Scope, now: datetime) -> Grant:
        """Return what the key allows; raises `KeyRefused` if it is not valid or lacks the scope.

        The key is looked up by its hash, so the time this takes reveals nothing about existing keys.
        """
        if not 0 < len(plain) <= LONGEST_KEY:
            raise KeyRefused(Refusal.UNKNOWN)
        with self.database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.digest == digest_of(plain))).one_or_none()
        if row is None:
            raise KeyRefused(Refusal.UNKNOWN)
        if row.expires_at is not None and row.expires_at <= now:
            raise KeyRefused(Refusal.EXPIRED)
        grant = _grant(row)
        if scope not in grant.scopes:
            raise KeyRefused(Refusal.LACKS_SCOPE)
        with contextlib.suppress(SQLAlchemyError):  # The key is valid even if its use can't be recorded.
            note_use(self.database, api_keys, row, now)
        return grant

    def list(self) -> list[StoredKey]:
        """Return all keys, sorted by name."""
        with self.database.reading() as connection:
            return [_stored(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name))]

    def revoke(self, name: str) -> None:
        """Delete a key; it is refused from now on. Raises `NoSuchName`."""
        if not delete_named(self.database, api_keys, name):
            raise NoSuchName(f"there is no key called {name}")


def refuse_bad_name(name: str) -> None:
    """Raise `ValueError` for a name that would be hard to type or to list."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError(
            "a name has up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit"
        )


def delete_named(database: Database, table: Table, name: str) -> bool:
    """Delete the row of this name; returns whether there was one."""
    with database.writing() as connection:
        gone = connection.execute(delete(table).where(table.c.name == name))
    return bool(gone.rowcount)


def digest_of(plain: str) -> str:
    """Return the SHA-256 hash of an API key or another secret.

    A fast hash is enough, because these secrets have at least 128 random bits and can't be guessed.
    """
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def note_use(database: Database, table: Table, row: Row[Any], now: datetime) -> None:
    """Record the use of the row's key or token, at most once an hour, so that not every read causes a write."""
    if row.last_used_at is not None and now - row.last_used_at < USE_IS_NOTED_EVERY:
        return
    # A key or token stays valid while a writer is busy or the disk is full; its next use is recorded instead.
    with contextlib.suppress(OperationalError), database.writing(patience=0) as connection:
        connection.execute(update(table).where(table.c.name == row.name).values(last_used_at=now))


def patterns_text(subjects: Selection) -> str | None:
    """Return the selection as it is stored; `selection_in` reads it."""
    return None if subjects.texts is None else json.dumps(subjects.texts)


def selection_in(row: Row[Any]) -> Selection:
    """Return the subjects that a row's patterns select."""
    return EVERY_SUBJECT if row.patterns is None else Selection([*map(PathPattern.parse, json.loads(row.patterns))])


def _grant(row: Row[Any]) -> Grant:
    return Grant(frozenset(Scope(word) for word in row.scopes.split()), selection_in(row))


def _stored(row: Row[Any]) -> StoredKey:
    return StoredKey(
        name=row.name,
        prefix=row.prefix,
        grant=_grant(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_on=row.last_used_at.date() if row.last_used_at else None,
    )
