"""The watcher's tables: its lease, what it has seen, the outbox and the feeds.

All writes of a watcher happen in transactions that first renew its lease, so that a process that has lost the lease
can't change anything: no change is noticed twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, select, tuple_, update

from badge.catalogue.database import Database
from badge.catalogue.schema import EPOCH, feed, outbox, subjects, watched, watcher
from badge.catalogue.subjects import KEY
from badge.listing import microseconds
from badge.model import Subject, Visibility
from badge.notices import Condition, Message
from badge.watching.changes import Verdict, Watched

BATCH = 500
"""Rows written by one statement: SQLite limits the number of parameters."""
PUBLIC, ALL = "public", "all"

_Row = TypeVar("_Row")
_Member = TypeVar("_Member", bound=StrEnum)


class LeaseLost(Exception):
    """Another process watches now."""


def new_name() -> str:
    """Return a new random name for a process that may hold the lease."""
    return secrets.token_hex(16)


def new_message_id() -> str:
    """Return a new ID for a message, by which receivers recognise duplicates."""
    return str(uuid4())


def digest_of(subject: Subject) -> str:
    """Return the subject's key as a string of fixed length."""
    return hashlib.sha256(json.dumps(subject.key(fold_case=True)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LeaseState:
    """Who holds the lease; `renewals` changes as long as the holder is alive."""

    holder: str
    renewals: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What the watchers have recorded so far."""

    is_primed: bool
    """Whether the subjects have been recorded once; only differences from then on are changes."""
    seen_until: datetime | None
    """The time up to which changes in the catalogue have been seen."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox."""

    id: int
    channel: str
    digest: str
    """Of its subject; empty if it is about several."""
    message_id: str
    message: Message | None
    """None if a newer version of the service stored it in a form that this one can't read."""
    created_at: datetime
    attempts: int
    next_at: datetime
    failure: str | None
    given_up_at: datetime | None

    def is_about_subject_of(self, other: Waiting) -> bool:
        """Whether both are about the same single subject."""
        return self.digest != "" and self.digest == other.digest


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for a channel."""

    channel: str
    message: Message

    @property
    def digest(self) -> str:
        """The subject's digest; empty if the message is about several."""
        return "" if self.message.is_about_many else digest_of(self.message.notices[0].subject)


@dataclass(frozen=True, slots=True)
class Noticed:
    """The outcome of a scan, or of one batch of it; stored in one transaction."""

    states: Mapping[str, Watched | None]
    """The changed states, by digest; None for a subject that is no longer watched."""
    outgoing: Sequence[Outgoing] = ()
    feeds: Mapping[str, Sequence[Message]] | None = None
    """By audience."""
    primes: bool = False
    """Whether this was the first scan that could read the list."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows are kept."""

    waiting: int
    """Messages that wait for one channel; beyond that, the service gives up on the oldest."""
    undelivered: int
    feed: int


@dataclass(frozen=True, slots=True)
class WatchStore:
    """The tables in one database, on behalf of the process called `holder`. Raises SQLAlchemy's errors."""

    database: Database
    holder: str = ""

    def lease(self) -> LeaseState:
        """Return who holds the lease."""
        with self.database.reading() as connection:
            row = connection.execute(select(watcher)).one()
        return LeaseState(row.holder, row.renewals)

    def take(self, seen: LeaseState) -> bool:
        """Take the lease unless it has been taken or renewed since it was seen; returns whether it is ours."""
        unchanged = and_(watcher.c.holder == seen.holder, watcher.c.renewals == seen.renewals)
        taken = update(watcher).where(unchanged).values(holder=self.holder, renewals=seen.renewals + 1)
        with self.database.writing() as connection:
            return connection.execute(taken).rowcount == 1

    def renew(self, seen_until: datetime | None = None) -> None:
        """Renew the lease and, if `seen_until` is given, store it; raises `LeaseLost`."""
        with self._holding() as connection:
            if seen_until is not None:
                connection.execute(update(watcher).values(glanced_at=seen_until))

    def release(self) -> None:
        """Let another process watch at once; does nothing if the lease is not ours."""
        with self.database.writing() as connection:
            connection.execute(update(watcher).where(watcher.c.holder == self.holder).values(holder=""))

    @contextlib.contextmanager
    def _holding(self) -> Iterator[Connection]:
        renewed = update(watcher).where(watcher.c.holder == self.holder).values(renewals=watcher.c.renewals + 1)
        with self.database.writing() as connection:
            if connection.execute(renewed).rowcount != 1:
                raise LeaseLost
            yield connection

    def states(self) -> dict[str, Watched]:
        """Return what was last seen of all subjects, by digest."""
        with self.database.reading() as connection:
            return {row.digest: _watched(row) for row in connection.execute(select(watched))}

    def progress(self) -> Progress:
        """Return what the watchers have recorded so far."""
        with self.database.reading() as connection:
            row = connection.execute(select(watcher)).one()
        return Progress(row.is_primed, row.glanced_at)

    def save(self, noticed: Noticed, now: datetime, bounds: Bounds) -> int:
        """Store the outcome of a scan; returns how many messages it gave up on. Raises `LeaseLost`."""
        with self._holding() as connection:
            _save_states(connection, noticed.states)
            for some in batches([_outbox_row(each, now) for each in noticed.outgoing]):
                connection.execute(insert(outbox), some)
            for audience, messages in (noticed.feeds or {}).items():
                for some in batches([_feed_row(audience, message, now) for message in messages]):
                    connection.execute(insert(feed), some)
                connection.execute(delete(feed).where(_beyond(bounds.feed, feed, feed.c.audience == audience)))
            if noticed.primes:
                connection.execute(update(watcher).values(is_primed=True))
            channels = {each.channel for each in noticed.outgoing}
            given_up = sum(_limit_waiting(connection, channel, now, bounds.waiting) for channel in channels)
            if given_up:
                _prune_given_up(connection, bounds.undelivered)
        return given_up

    def due(self, channel: str, now: datetime, give_up_after: timedelta, limit: int) -> Sequence[Waiting]:
        """Return the messages that may be sent now, oldest first, without those older than `give_up_after`.

        After a rejected message, others about its subject wait until it is due again. Messages about many subjects
        neither wait for others nor hold them back.
        """
        is_recent = outbox.c.created_at >= now - give_up_after
        own = and_(outbox.c.channel == channel, outbox.c.given_up_at.is_(None), is_recent)
        held = select(outbox.c.digest).where(own, outbox.c.next_at > now, outbox.c.digest != "")
        wanted = select(outbox).where(own, outbox.c.next_at <= now, outbox.c.digest.not_in(held))
        with self.database.reading() as connection:
            return [_waiting(row) for row in connection.execute(wanted.order_by(outbox.c.id).limit(limit))]

    def everything(self, limit: int) -> Sequence[Waiting]:
        """Return undelivered messages of all channels, including those that the service gave up on, oldest first."""
        with self.database.reading() as connection:
            return [_waiting(row) for row in connection.execute(select(outbox).order_by(outbox.c.id).limit(limit))]

    def delivered(self, id: int) -> None:
        """Remove a message that was delivered; raises `LeaseLost`."""
        with self._holding() as connection:
            connection.execute(delete(outbox).where(outbox.c.id == id))

    def failed(self, waiting: Waiting, failure: str, next_at: datetime) -> None:
        """Note a failed attempt, and when to try again; raises `LeaseLost`."""
        with self._holding() as connection:
            connection.execute(
                update(outbox)
                .where(outbox.c.id == waiting.id)
                .values(attempts=waiting.attempts + 1, failure=failure, next_at=next_at)
            )

    def give_up(self, older_than: datetime, now: datetime, bounds: Bounds) -> int:
        """Give up on messages that have waited too long; returns how many. Raises `LeaseLost`."""
        old = and_(outbox.c.given_up_at.is_(None), outbox.c.created_at < older_than)
        with self.database.reading() as connection:
            if connection.scalar(select(func.count()).select_from(outbox).where(old)) == 0:
                return 0
        with self._holding() as connection:
            given_up = connection.execute(update(outbox).where(old).values(given_up_at=now)).rowcount
            _prune_given_up(connection, bounds.undelivered)
        return given_up

    def feed(self, audience: str, limit: int) -> Sequence[Message]:
        """Return the newest entries of a feed, newest first; the public one never names a private subject."""
        wanted = select(feed).where(feed.c.audience == audience).order_by(feed.c.id.desc()).limit(limit)
        with self.database.reading() as connection:
            found = [_message(row) for row in connection.execute(wanted)]
            messages = [message for message in found if message is not None]
            if audience == ALL:
                return messages
            named = {digest_of(each.subject): each.subject for message in messages for each in message.notices}
            public = _public(connection, named)
        return [shown for message in messages if (shown := _restricted(message, public)) is not None]


def batches(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Yield the rows, `BATCH` at a time."""
    yield from (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _save_states(connection: Connection, states: Mapping[str, Watched | None]) -> None:
    for some in batches(list(states)):
        connection.execute(delete(watched).where(watched.c.digest.in_(some)))
        rows = [_watched_row(digest, state) for digest in some if (state := states[digest]) is not None]
        if rows:
            connection.execute(insert(watched), rows)


def _beyond(most: int, table: Table, own: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition for rows that meet `own` and are older than the newest `most` of those."""
    newest = select(table.c.id).where(own).order_by(table.c.id.desc())
    first_beyond = newest.offset(most).limit(1).correlate(None).scalar_subquery()
    return and_(own, table.c.id <= first_beyond)  # if there are no more than `most`, that is NULL, and no row matches


def _prune_given_up(connection: Connection, most: int) -> None:
    connection.execute(delete(outbox).where(_beyond(most, outbox, outbox.c.given_up_at.is_not(None))))


def _limit_waiting(connection: Connection, channel: str, now: datetime, most: int) -> int:
    """Give up on the oldest messages beyond `most`; returns how many."""
    own = and_(outbox.c.channel == channel, outbox.c.given_up_at.is_(None))
    dropped = update(outbox).where(_beyond(most, outbox, own)).values(given_up_at=now, failure="outboxFull")
    return connection.execute(dropped).rowcount


def _public(connection: Connection, named: Mapping[str, Subject]) -> set[str]:
    """Return the digests of subjects that were public when last seen and, if in the catalogue, are public there too."""
    seen = select(watched.c.digest).where(watched.c.digest.in_(named), watched.c.is_public)
    digests = {subject.key(fold_case=True): digest for digest, subject in named.items()}
    hidden = select(*KEY).where(tuple_(*KEY).in_(digests), subjects.c.visibility == Visibility.PRIVATE.value)
    return {*connection.scalars(seen)} - {digests[tuple(row)] for row in connection.execute(hidden)}


def _restricted(message: Message, public: set[str]) -> Message | None:
    notices = [notice for notice in message.notices if digest_of(notice.subject) in public]
    # Nobody knows how many of the subjects that the message doesn't name are public.
    count = len(notices) if message.count == len(message.notices) else None
    return replace(message, notices=notices, count=count) if notices else None


def _watched(row: Row[Any]) -> Watched:
    return Watched(
        path=row.path,
        condition=_known(Condition, row.condition),
        is_public=row.is_public,
        unknown_since=row.unknown_since,
        changes=tuple(EPOCH + timedelta(microseconds=at) for at in json.loads(row.changes)),
        is_flapping=row.is_flapping,
        verdict=_known(Verdict, row.verdict) or Verdict.FINE,
        last_run=row.last_run,
    )


def _known(kind: type[_Member], value: str | None) -> _Member | None:
    """Return the member with this value; None for one that only a newer version of the service knows."""
    return next((member for member in kind if member == value), None)


def _watched_row(digest: str, state: Watched) -> dict[str, Any]:
    return {
        "digest": digest,
        "path": state.path,
        "condition": state.condition and state.condition.value,
        "is_public": state.is_public,
        "unknown_since": state.unknown_since,
        "changes": json.dumps([microseconds(at) for at in state.changes]),
        "is_flapping": state.is_flapping,
        "verdict": state.verdict.value,
        "last_run": state.last_run,
    }


def _outbox_row(outgoing: Outgoing, now: datetime) -> dict[str, Any]:
    message = outgoing.message
    return {
        "channel": outgoing.channel,
        "digest": outgoing.digest,
        "message_id": message.id,
        "message": json.dumps(message.document()),
        "created_at": now,
        "attempts": 0,
        "next_at": now,
    }


def _feed_row(audience: str, message: Message, now: datetime) -> dict[str, Any]:
    document = json.dumps(message.document())
    return {"audience": audience, "message_id": message.id, "message": document, "created_at": now}


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(
        id=row.id,
        channel=row.channel,
        digest=row.digest,
        message_id=row.message_id,
        message=_message(row),
        created_at=row.created_at,
        attempts=row.attempts,
        next_at=row.next_at,
        failure=row.failure,
        given_up_at=row.given_up_at,
    )


def _message(row: Row[Any]) -> Message | None:
    try:
        return Message.from_document(row.message_id, json.loads(row.message))
    except (KeyError, TypeError, ValueError):
        return None
