"""Dashboard logins: single-use links, sessions, and limits on failed attempts.

They are stored in the database, so that all processes and replicas that share it agree. Links and sessions are random
secrets, of which only hashes are stored.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.database import Database
from badge.catalogue.keys import digest_of
from badge.catalogue.on_demand import LoginsUnavailable
from badge.catalogue.schema import login_attempts, logins
from badge.ports import Clock

SECRET_BYTES = 24
LONGEST_SECRET = 200
MOST_STORED = 10_000
"""Links and sessions together; beyond this, those that expire first are deleted."""

PATIENCE_MILLISECONDS = 2_000

WINDOW = timedelta(minutes=10)
"""How long a failed attempt counts towards a limit."""
ALL_ADDRESSES = 10
"""The limit for all addresses together is this many times the limit for one."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Login links and sessions in one database. Methods raise `LoginsUnavailable` if it can't be used."""

    database: Database
    clock: Clock

    def make_link(self, lifetime: timedelta) -> str:
        """Return the secret of a new login link."""
        secret = _new_secret()
        with _writing(self.database) as connection:
            self._store(connection, _link_digest(secret), lifetime)
        return secret

    def open_session(self, credential: str, lifetime: timedelta) -> str:
        """Return the ID of a new session.

        It is valid only together with `credential`, which is derived from the dashboard's login settings: if those
        change, all sessions end.
        """
        session_id = _new_secret()
        with _writing(self.database) as connection:
            self._store(connection, _session_digest(session_id, credential), lifetime)
        return session_id

    def open_session_by_link(self, link: str, credential: str, lifetime: timedelta) -> str | None:
        """Use up a link and return the ID of a new session; None if the link is invalid, expired or used."""
        digest = _link_digest(link)
        if not self._is_stored(digest):
            return None  # without a write, so that guessing links never locks the database
        session_id = _new_secret()
        with _writing(self.database) as connection:
            valid = (logins.c.digest == digest) & (logins.c.expires_at > self.clock())
            if connection.execute(delete(logins).where(valid)).rowcount == 0:
                return None  # another process was faster
            self._store(connection, _session_digest(session_id, credential), lifetime)
        return session_id

    def has_session(self, session_id: str, credential: str) -> bool:
        """Whether this session is open."""
        return self._is_stored(_session_digest(session_id, credential))

    def end_session(self, session_id: str, credential: str) -> None:
        """End a session, at once and for every process."""
        with _writing(self.database) as connection:
            connection.execute(delete(logins).where(logins.c.digest == _session_digest(session_id, credential)))

    def _is_stored(self, digest: str) -> bool:
        found = select(logins.c.digest).where(logins.c.digest == digest, logins.c.expires_at > self.clock())
        with _reading(self.database) as connection:
            return connection.execute(found).first() is not None

    def _store(self, connection: Connection, digest: str, lifetime: timedelta) -> None:
        now = self.clock()
        connection.execute(delete(logins).where(logins.c.expires_at <= now))
        excess = connection.execute(select(func.count()).select_from(logins)).scalar_one() - MOST_STORED + 1
        if excess > 0:
            first = select(logins.c.digest).order_by(logins.c.expires_at).limit(excess)
            connection.execute(delete(logins).where(logins.c.digest.in_(first)))
        connection.execute(insert(logins).values(digest=digest, expires_at=now + lifetime))


@dataclass(frozen=True, slots=True)
class LoginThrottle:
    """Limits failed logins, for each client address and for all together.

    An attempt counts as failed from the start, so that concurrent guesses are counted too. On PostgreSQL, attempts that
    run at the same time can exceed a limit; on SQLite, where only one connection writes at a time, they can't.
    """

    database: Database
    clock: Clock
    most_failures: int
    """For one address."""

    def begin(self, address: str) -> timedelta | None:
        """Record an attempt from this address; returns how long to wait if it is refused, else None.

        A refused attempt is not recorded: stored attempts stay few, and further attempts don't prolong the wait.
        """
        hashed = _address_digest(address)
        with _reading(self.database) as connection:
            if (wait := self._wait(connection, hashed)) is not None:
                return wait
        with _writing(self.database) as connection:
            if (wait := self._wait(connection, hashed)) is not None:
                return wait
            now = self.clock()
            # Attempts further ahead than the window are from before the clock was set back, and don't count.
            counts = login_attempts.c.at.between(now - WINDOW, now + WINDOW)
            connection.execute(delete(login_attempts).where(~counts))
            connection.execute(insert(login_attempts).values(address=hashed, at=now))
        return None

    def succeeded(self, address: str) -> None:
        """Delete the attempts from this address."""
        with _writing(self.database) as connection:
            connection.execute(delete(login_attempts).where(login_attempts.c.address == _address_digest(address)))

    def _wait(self, connection: Connection, hashed: str) -> timedelta | None:
        now = self.clock()
        newest = (
            select(login_attempts.c.at)
            .where(login_attempts.c.at.between(now - WINDOW, now + WINDOW))
            .order_by(login_attempts.c.at.desc())
            .limit(1)
        )
        limits = (
            newest.where(login_attempts.c.address == hashed).offset(self.most_failures - 1),
            newest.offset(self.most_failures * ALL_ADDRESSES - 1),
        )
        waits: list[datetime] = [at for limit in limits if (at := connection.execute(limit).scalar()) is not None]
        return max(waits) + WINDOW - now if waits else None


def _new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def _link_digest(secret: str) -> str:
    return _digest("link", secret[:LONGEST_SECRET])


def _session_digest(session_id: str, credential: str) -> str:
    return _digest("session", session_id[:LONGEST_SECRET], credential)


def _address_digest(address: str) -> str:
    return _digest("address", address)


def _digest(*parts: str) -> str:
    return digest_of("\n".join(parts))


@contextlib.contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    try:
        with database.reading() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise LoginsUnavailable(error) from error


@contextlib.contextmanager
def _writing(database: Database) -> Iterator[Connection]:
    try:
        with database.writing(patience=PATIENCE_MILLISECONDS) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise LoginsUnavailable(error) from error
