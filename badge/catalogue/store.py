"""The embedded backup API's store: events in, reports and listings out."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from badge.catalogue.database import Database
from badge.catalogue.events import Run, RunEvent, Standing, merged, run_of, standing
from badge.catalogue.schema import NEVER, runs, subjects
from badge.model import CASELESS_PLATFORMS, BackupStatus, Reason, Report, Subject, Visibility
from badge.ports import Clock, ListedSubject, ListingFilter, ListingPage

_KEY = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key, subjects.c.name_key)
_RUN = tuple(runs.c[name] for name in Run.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a report came to."""

    report: Report
    applied: bool
    """False where a newer run, or a later account of the same one, is known."""
    changed: bool
    """Whether readers see anything else than before."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the past is kept: what is younger than `age`, and of that the newest `runs`."""

    age: timedelta = timedelta(days=90)
    runs: int = 100


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Subjects and their runs in one database. Raises SQLAlchemy's errors where that fails."""

    database: Database
    clock: Clock
    retention: Retention = Retention()

    def record(self, event: RunEvent) -> Recorded:
        """Take an event in, in one transaction; raises `InvalidEvent` for one from the future."""
        now = self.clock()
        event = event.received(now)
        with self.database.writing() as connection:
            before = _locked(connection, event, now)
            known = _runs_of(connection, before.id)
            told = None if event.status is BackupStatus.DELETED else _merge(connection, before, event, known)
            deleted_at = _later(before.deleted_at, event.at if told is None else None)
            after = _values(before, event, standing(list(known.values()), deleted_at), deleted_at)
            changed = any(getattr(before, name) != value for name, value in after.items())
            if changed:
                after |= {"revision": _next_revision(before.revision, now), "updated_at": now}
                connection.execute(update(subjects).where(subjects.c.id == before.id).values(**after))
            self._prune(connection, before.id, known, now)
            row = connection.execute(select(subjects).where(subjects.c.id == before.id)).one()
        return Recorded(_report(row, now), applied=_counts(event, told, known, row), changed=changed)

    def report_for(self, subject: Subject) -> Report | None:
        """What is true of the subject now; None if it was never heard of."""
        with self.database.reading() as connection:
            row = connection.execute(_by_key(subject)).one_or_none()
        return None if row is None else _report(row, self.clock())

    def runs(self, subject: Subject, limit: int = 30) -> list[Run]:
        """The subject's runs, the newest first."""
        wanted = select(*_RUN).join(subjects).where(_is(subject)).order_by(runs.c.started_at.desc()).limit(limit)
        with self.database.reading() as connection:
            return [_run(row) for row in connection.execute(wanted)]

    def list(self, filter: ListingFilter, cursor: str | None = None, limit: int = 100) -> ListingPage:
        """One page in the order of the keys; raises `ValueError` for a cursor that is none of ours."""
        wanted = _filtered(select(subjects), filter).order_by(*_KEY).limit(limit + 1)
        if cursor is not None:
            wanted = wanted.where(tuple_(*_KEY) > tuple_(*_read_cursor(cursor)))
        with self.database.reading() as connection:
            rows = connection.execute(wanted).all()
        now = self.clock()
        items = [ListedSubject(_subject(row), _report(row, now)) for row in rows[:limit]]
        return ListingPage(items, _make_cursor(rows[limit - 1]) if len(rows) > limit else None)

    def _prune(self, connection: Connection, subject_id: int, known: dict[datetime, Run], now: datetime) -> None:
        """Forget this subject's old runs, but never those that its state rests on."""
        by_age = sorted(known.values(), key=lambda run: run.started_at, reverse=True)
        needed = _rested_on(by_age)
        old = [
            run.started_at
            for place, run in enumerate(by_age)
            if (place >= self.retention.runs or run.started_at < now - self.retention.age)
            and run.started_at not in needed
        ]
        if old:
            connection.execute(delete(runs).where(runs.c.subject_id == subject_id, runs.c.started_at.in_(old)))


def _rested_on(by_age: Sequence[Run]) -> set[datetime]:
    """The starts of the newest run, the newest finished one and the last success."""
    finished = [run for run in by_age if run.is_finished]
    successes = [(at, run.started_at) for run in finished if (at := run.succeeded_at)]
    return {run.started_at for run in (*by_age[:1], *finished[:1])} | {start for _, start in sorted(successes)[-1:]}


def _locked(connection: Connection, event: RunEvent, now: datetime) -> Row[Any]:
    """The subject's row, made if it is new, and nobody else's to write until the transaction ends."""
    wanted = _by_key(event.subject).with_for_update()
    row = connection.execute(wanted).one_or_none()
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(subjects).values(**_first_values(event, now)))
        except IntegrityError:
            pass  # another process was faster, and its row serves
        row = connection.execute(wanted).one()
    return row


def _first_values(event: RunEvent, now: datetime) -> dict[str, Any]:
    subject = event.subject
    names = dict(zip((column.name for column in _KEY), subject.key(fold_case=True), strict=True))
    return {
        **names,
        "platform": subject.platform,
        "account": subject.account,
        "type": subject.type,
        "name": subject.name,
        "status": BackupStatus.UNKNOWN,
        "visibility": Visibility.PUBLIC,
        "visibility_at": NEVER,
        "revision": 0,
        "updated_at": now,
    }


def _runs_of(connection: Connection, subject_id: int) -> dict[datetime, Run]:
    found = connection.execute(select(*_RUN).where(runs.c.subject_id == subject_id))
    return {run.started_at: run for run in map(_run, found)}


def _merge(connection: Connection, subject: Row[Any], event: RunEvent, known: dict[datetime, Run]) -> Run:
    """Take the event into the runs, in the database and in `known`; gives the run as the event told it."""
    told = run_of(event, known.values(), subject.deleted_at)
    before = known.get(told.started_at)
    after = merged(before, told)
    if before is None:
        connection.execute(insert(runs).values(subject_id=subject.id, **asdict(after)))
    elif after != before:
        is_it = and_(runs.c.subject_id == subject.id, runs.c.started_at == after.started_at)
        connection.execute(update(runs).where(is_it).values(**asdict(after)))
    known[after.started_at] = after
    return told


def _values(before: Row[Any], event: RunEvent, now_is: Standing, deleted_at: datetime | None) -> dict[str, Any]:
    """The subject's columns after the event, revision apart."""
    newest = now_is.newest
    values = {
        "status": now_is.status.value,
        "started_at": newest and newest.started_at,
        "finished_at": newest and newest.finished_at,
        "size_bytes": newest.size_bytes if newest else None,
        "next_run_at": newest and newest.next_run_at,
        "stale_after": newest and newest.stale_after,
        "url": newest and newest.url,
        "reason": newest.reason.value if newest and newest.reason else None,
        "last_success_at": now_is.last_success_at,
        "last_finished": now_is.last_finished and now_is.last_finished.value,
        "deleted_at": deleted_at,
    }
    return values | _told_visibility(before, event) | _told_enabled(before, event)


def _told_visibility(before: Row[Any], event: RunEvent) -> dict[str, Any]:
    """What was told last holds; of two accounts of one moment, the private one."""
    told = event.visibility
    if told is None or (event.at, told == Visibility.PRIVATE) < (
        before.visibility_at,
        before.visibility == Visibility.PRIVATE,
    ):
        return {}
    return {"visibility": told.value, "visibility_at": event.at}


def _told_enabled(before: Row[Any], event: RunEvent) -> dict[str, Any]:
    """What was told last holds; of two accounts of one moment, the disabled one."""
    told, since = event.enabled, before.enabled_at or NEVER
    if told is None or (event.at, not told) < (since, before.enabled is False):
        return {}
    return {"enabled": told, "enabled_at": event.at}


def _counts(event: RunEvent, told: Run | None, known: dict[datetime, Run], row: Row[Any]) -> bool:
    """Whether the state shown is the one that the event spoke of."""
    if told is None:
        return bool(row.status == BackupStatus.DELETED)
    return bool(row.status == event.status and row.started_at == told.started_at and told.started_at in known)


def _next_revision(before: int, now: datetime) -> int:
    """Grows with each change, and over the removal of a subject too (docs/decisions/0003)."""
    return max(before + 1, round(now.timestamp() * 1_000_000))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _is(subject: Subject) -> Any:
    return and_(*(column == part for column, part in zip(_KEY, subject.key(fold_case=True), strict=True)))


def _by_key(subject: Subject) -> Select[Any]:
    return select(subjects).where(_is(subject))


def _filtered(wanted: Select[Any], filter: ListingFilter) -> Select[Any]:
    if filter.platform is not None:
        wanted = wanted.where(subjects.c.platform_key == filter.platform.lower())
    if filter.account is not None:
        folds = subjects.c.platform_key.in_(sorted(CASELESS_PLATFORMS))
        folded = and_(folds, subjects.c.account_key == filter.account.lower())
        wanted = wanted.where(or_(subjects.c.account_key == filter.account, folded))
    if filter.status is not None:
        wanted = wanted.where(subjects.c.status == filter.status.value)
    if filter.updated_since is not None:
        wanted = wanted.where(subjects.c.updated_at >= filter.updated_since)
    return wanted


def _subject(row: Row[Any]) -> Subject:
    return Subject(platform=row.platform, account=row.account, type=row.type, name=row.name)


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's columns
    reason = Reason(values["reason"]) if values["reason"] else None
    return Run(**{**values, "status": BackupStatus(values["status"]), "reason": reason})


def _report(row: Row[Any], now: datetime) -> Report:
    return Report(
        status=BackupStatus(row.status),
        observed_at=now,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_success_at=row.last_success_at,
        last_finished=BackupStatus(row.last_finished) if row.last_finished else None,
        next_run_at=row.next_run_at,
        stale_after=row.stale_after,
        deleted_at=row.deleted_at if row.status == BackupStatus.DELETED else None,
        size_bytes=row.size_bytes,
        url=row.url,
        visibility=Visibility(row.visibility),
        enabled=row.enabled,
        reason=Reason(row.reason) if row.reason else None,
        revision=row.revision,
    )


def _make_cursor(row: Row[Any]) -> str:
    key = [getattr(row, column.name) for column in _KEY]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Sequence[str]:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not (isinstance(key, list) and len(key) == len(_KEY) and all(map(_is_text, key))):
        raise ValueError("this cursor was not given by this service")
    return key


def _is_text(part: object) -> bool:
    """JSON can spell halves of surrogate pairs, which no database stores."""
    return isinstance(part, str) and not any("\ud800" <= character <= "\udfff" for character in part)
