"""API keys for /ops: made once, shown once, kept as hashes."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from badge.catalogue.database import Database
from badge.catalogue.schema import api_keys
from badge.ports import Clock

KEY_BYTES = 24
SHOWN_CHARACTERS = 8
LONGEST_KEY = 200
USE_IS_NOTED_EVERY = timedelta(hours=1)


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    REPORT = "report"
    PING = "ping"
    """Ping checks by their slugs."""


class KeyVerdict(Enum):
    """The outcome of checking a key."""

    OK = auto()
    UNKNOWN = auto()
    EXPIRED = auto()
    LACKS_SCOPE = auto()


class KeyNameTaken(ValueError):
    """There is a key of this name."""


class NoSuchKey(LookupError):
    """There is no key of this name."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored: never the key itself."""

    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_on: date | None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys in one database."""

    database: Database
    clock: Clock

    def create(self, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None) -> str:
        """Make a key and give it, once: only its hash is kept. Raises `KeyNameTaken` or `ValueError`."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError("a key's name has up to 64 letters, digits, dots, dashes and underscores")
        plain = "bsb_" + secrets.token_urlsafe(KEY_BYTES)
        row = {
            "name": name,
            "digest": _digest(plain),
            "prefix": plain[:SHOWN_CHARACTERS],
            "scopes": " ".join(sorted(scope.value for scope in scopes)),
            "created_at": self.clock(),
            "expires_at": expires_at,
        }
        try:
            with self.database.writing() as connection:
                connection.execute(insert(api_keys).values(**row))
        except IntegrityError:
            raise KeyNameTaken(f"there is a key called {name}; revoke it or take another name") from None
        return plain

    def check(self, plain: str, scope: Scope, now: datetime) -> KeyVerdict:
        """Whether a key as it was sent may do this.

        It is looked up by its hash, so how long that takes tells nothing about the keys there are.
        """
        if not 0 < len(plain) <= LONGEST_KEY:
            return KeyVerdict.UNKNOWN
        with self.database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.digest == _digest(plain))).one_or_none()
        if row is None:
            return KeyVerdict.UNKNOWN
        if row.expires_at is not None and row.expires_at <= now:
            return KeyVerdict.EXPIRED
        if scope not in row.scopes.split():
            return KeyVerdict.LACKS_SCOPE
        self._note_use(row, now)
        return KeyVerdict.OK

    def list(self) -> list[StoredKey]:
        """All keys by name."""
        with self.database.reading() as connection:
            return [_stored(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name))]

    def revoke(self, name: str) -> None:
        """Take a key back, at once; raises `NoSuchKey`."""
        with self.database.writing() as connection:
            gone = connection.execute(delete(api_keys).where(api_keys.c.name == name))
        if gone.rowcount == 0:
            raise NoSuchKey(f"there is no key called {name}")

    def _note_use(self, row: Row[Any], now: datetime) -> None:
        """Not at each call: reading must not become writing."""
        if row.last_used_at is not None and now - row.last_used_at < USE_IS_NOTED_EVERY:
            return
        # A key is good also while a writer is busy or the disk is full; the next call notes its use.
        with contextlib.suppress(OperationalError), self.database.writing(patience=0) as connection:
            connection.execute(update(api_keys).where(api_keys.c.name == row.name).values(last_used_at=now))


def _digest(plain: str) -> str:
    """SHA-256 serves: a key has 192 random bits, so there is nothing to guess."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _stored(row: Row[Any]) -> StoredKey:
    return StoredKey(
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_on=row.last_used_at.date() if row.last_used_at else None,
    )
