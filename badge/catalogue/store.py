"""The embedded backup API's store: events in, reports and listings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from badge.catalogue.checks import expectation_of
from badge.catalogue.database import Database
from badge.catalogue.events import Run, RunEvent, merged, run_of, standing
from badge.catalogue.expectation import due_columns
from badge.catalogue.listing import MOST_SORTED, Listing
from badge.catalogue.schema import NEVER, runs, subjects
from badge.catalogue.subjects import change, columns_of, details_in, is_subject, locked, remove, report_of, subject_of
from badge.listing import (
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
)
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.ports import Clock

_RUN = tuple(runs.c[name] for name in Run.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of an event."""

    report: Report
    applied: bool
    """False where a newer run, or a later account of the same one, is known."""
    changed: bool
    """Whether readers see anything else than before."""


class NothingKnown(LookupError):
    """There is no such subject."""


class IsExpected(ValueError):
    """The subject has a check, so a job may tell of it at any time."""


@dataclass(frozen=True, slots=True)
class SubjectRecords:
    """What there is to delete of a subject."""

    subject: Subject
    """As it is spelt where it is shown."""
    runs: int


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
    most_sorted: int = MOST_SORTED
    """How many subjects a search may sort and count."""

    def record(self, event: RunEvent) -> Recorded:
        """Take an event in, in one transaction; raises `InvalidEvent` for one that can't be taken."""
        now = self.clock()
        event = event.received(now)
        with self.database.writing() as connection:
            before = locked(connection, event.subject, now)
            known = _runs_of(connection, before.id)
            told = None if event.status is BackupStatus.DELETED else _merge(connection, before, event, known)
            deleted_at = _later(before.deleted_at, event.at if told is None else None)
            state = standing(list(known.values()), deleted_at)
            due = due_columns(expectation_of(connection, before.id), state.status, state.last_ended_at)
            told_of_subject = _told_visibility(before, event) | _told_enabled(before, event)
            changed = change(connection, before, columns_of(state, deleted_at) | due | told_of_subject, now)
            self._prune(connection, before.id, known, now)
            row = connection.execute(select(subjects).where(subjects.c.id == before.id)).one()
        return Recorded(report_of(row, now), applied=_counts(event, told, known, row), changed=changed)

    def report_for(self, subject: Subject) -> Report | None:
        """Return the subject's report as of now; None if there is no such subject."""
        with self.database.reading() as connection:
            row = connection.execute(select(subjects).where(is_subject(subject))).one_or_none()
        return None if row is None else report_of(row, self.clock())

    def runs(self, subject: Subject, limit: int = 30) -> list[Run]:
        """The subject's runs, the newest first."""
        wanted = select(*_RUN).join(subjects).where(is_subject(subject))
        with self.database.reading() as connection:
            return [_run(row) for row in connection.execute(wanted.order_by(runs.c.started_at.desc()).limit(limit))]

    def deletable(self, subject: Subject) -> SubjectRecords:
        """Return what `delete` would remove. Raises `NothingKnown` or `IsExpected`."""
        with self.database.reading() as connection:
            return _remembered(connection, subject)[1]

    def delete(self, subject: Subject) -> SubjectRecords:
        """Remove the subject and its runs, as if it had never been reported. Raises `NothingKnown` or `IsExpected`."""
        with self.database.writing() as connection:
            row, taken = _remembered(connection, subject, for_update=True)
            remove(connection, row)
        return taken

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """One page; raises `ValueError` for a cursor that is none of ours."""
        listing = Listing(filter, order, self.clock(), self.most_sorted)
        with self.database.reading() as connection:
            rows, next_cursor = listing.page(connection, cursor, limit)
        return ListingPage([ListedSubject(subject_of(row), report_of(row, listing.now)) for row in rows], next_cursor)

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """How many subjects there are, by what their badges say."""
        with self.database.reading() as connection:
            return Listing(filter, ListingOrder.NAME, self.clock(), self.most_sorted).totals(connection)

    def _prune(self, connection: Connection, subject_id: int, known: dict[datetime, Run], now: datetime) -> None:
        """Delete this subject's old runs, but never those that its state rests on."""
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


def _remembered(
    connection: Connection, subject: Subject, *, for_update: bool = False
) -> tuple[Row[Any], SubjectRecords]:
    wanted = select(subjects).where(is_subject(subject))
    row = connection.execute(wanted.with_for_update() if for_update else wanted).one_or_none()
    if row is None:
        raise NothingKnown(f"the catalogue has no {subject}")
    if expectation_of(connection, row.id) is not None:
        raise IsExpected(f"{subject} has a check")
    number = connection.scalar(select(func.count()).where(runs.c.subject_id == row.id))
    return row, SubjectRecords(subject_of(row), number or 0)


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


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's columns
    return Run(**{**values, **details_in(row), "status": BackupStatus(values["status"])})
