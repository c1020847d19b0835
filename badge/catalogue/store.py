"""The catalogue's store: records run events, and returns reports, lists and totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from badge.catalogue.checks import expectation_of
from badge.catalogue.database import Database
from badge.catalogue.events import ReportedVerification, RunEvent, VerificationEvent
from badge.catalogue.expectation import due_columns, latest_believed, overdue_despite_future_end
from badge.catalogue.facts import batches_of_facts
from badge.catalogue.history import Deletion, History, Run
from badge.catalogue.listing import MOST_COUNTED, Listing
from badge.catalogue.schema import Moment, runs, subjects
from badge.catalogue.subjects import (
    KEY,
    change,
    columns_of,
    details_in,
    is_subject,
    key_of,
    listed,
    locked,
    remove,
    report_of,
    selected,
    selected_by,
    subject_of,
)
from badge.catalogue.summary import MOST_NAMED, named_totals
from badge.catalogue.totals import StoredTotals
from badge.catalogue.verifications import NO_VERIFICATION, Verifications, read_verifications, write_verifications
from badge.listing import (
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
    SubjectFacts,
    SummaryQuery,
)
from badge.model import (
    CLOCK_TOLERANCE,
    FINISHED,
    MOST_OUTCOMES,
    BackupStatus,
    Outcomes,
    PastRun,
    Reason,
    Report,
    Subject,
    VerificationOutcome,
    Visibility,
    is_ahead,
    unless_ahead,
)
from badge.ports import Clock
from badge.subject_pattern import EVERY_SUBJECT, Selection

MOST_PRUNED_BY_AGE = 2
"""Maximum number of runs that one event may delete because of their age; see `Catalogue._prunable`."""

_RUN = tuple(runs.c[name] for name in Run.__dataclass_fields__)
_PAST_RUN = tuple(runs.c[name] for name in PastRun.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of recording an event."""

    report: Report
    applied: bool
    """False if something later is already known: a run, an event of the same run, a verification or a deletion.

    Also False for a passed verification that arrives while the subject is deleted.
    """
    changed: bool
    """Whether readers see a difference."""
    is_ahead: bool
    """Whether, before the event, the subject had stored times ahead of now. If so, a clock is or was wrong."""


class MayNotPublish(Exception):
    """The subject is private, and the sender of the event may not make it public."""


class NothingKnown(LookupError):
    """There is no such subject."""


class IsExpected(ValueError):
    """The subject has a check, so it may be reported again at any time."""


@dataclass(frozen=True, slots=True)
class SubjectRecords:
    """What deleting a subject removes."""

    subject: Subject
    """In the spelling that is displayed."""
    runs: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Which runs are kept: those younger than `age`, at most `runs` per subject, plus those its state depends on."""

    age: timedelta = timedelta(days=90)
    runs: int = 100


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Subjects and their runs in one database. Raises SQLAlchemy's errors if the database fails."""

    database: Database
    clock: Clock
    retention: Retention = Retention()
    most_counted: int = MOST_COUNTED
    """How many matching subjects a search may count."""
    most_named: int = MOST_NAMED
    """How many subjects a summary with a pattern may read."""

    def record(self, event: RunEvent | VerificationEvent, *, may_publish: bool = True) -> Recorded:
        """Record an event in one transaction.

        Raises `InvalidEvent` if it can't be recorded, and `MayNotPublish` if it would make a private subject public but
        its sender may not do that (`may_publish`).
        """
        now = self.clock()
        if isinstance(event, VerificationEvent):
            return self._record_verification(event, now, may_publish=may_publish)
        event.refuse_future(now)
        with self.database.writing() as connection:
            subject = _locked(connection, event, now, may_publish=may_publish)
            before = _history_of(connection, subject)
            history, run = before.with_event(event, now)
            state = history.state(now)
            applied = state.status is event.status and (run is None or state.newest == run)
            due = due_columns(expectation_of(connection, subject.id), state.status, state.last_ended_at)
            columns = columns_of(state, history.deletion) | due | _settings_in(event, applied=applied)
            if history.deletion != before.deletion and event.status is BackupStatus.DELETED:
                write_verifications(connection, subject.id, Verifications({}))
                columns |= NO_VERIFICATION
            if event.verification is not None:
                verified, counts = _verified(connection, subject, event.verification, state.status, now)
                columns, applied = columns | verified, applied and counts
            has_new_outcome = history.outcomes != before.outcomes
            changed = change(connection, subject, columns, now, is_forced=has_new_outcome)
            self._save(connection, subject, before, history, now)
            row = connection.execute(selected(now).where(subjects.c.id == subject.id)).one()
        return Recorded(report_of(row, now, history.outcomes), applied, changed, before.is_ahead(now))

    def _record_verification(self, event: VerificationEvent, now: datetime, *, may_publish: bool) -> Recorded:
        event.verification.refuse_future(now)
        with self.database.writing() as connection:
            before = _locked(connection, event, now, may_publish=may_publish)
            columns, applied = _verified(connection, before, event.verification, BackupStatus(before.status), now)
            changed = change(connection, before, columns | _visibility_in(event, applied=applied), now)
            report = _report_in(connection, event.subject, now)
        assert report is not None  # its row is locked
        return Recorded(report, applied, changed, is_ahead(before.verified_at, now))

    def report_for(self, subject: Subject) -> Report | None:
        """Return the subject's report as of now; None if there is no such subject."""
        now = self.clock()
        with self.database.reading() as connection:
            return _report_in(connection, subject, now)

    def runs(self, subject: Subject, limit: int = 30) -> list[Run]:
        """Return the subject's runs, newest first."""
        with self.database.reading() as connection:
            return [_run(row) for row in connection.execute(_newest_runs(_RUN, subject, limit))]

    def past_runs(self, subject: Subject, limit: int, *, skip: int, public_only: bool) -> list[PastRun]:
        """Return what is shown of the subject's runs, newest first; with `public_only`, none if it is private."""
        wanted = _newest_runs(_PAST_RUN, subject, limit).offset(skip)
        if public_only:
            wanted = wanted.where(subjects.c.visibility == Visibility.PUBLIC.value)
        with self.database.reading() as connection:
            return [_past_run(row) for row in connection.execute(wanted)]

    def latest_runs(self, wanted: Sequence[Subject], limit: int) -> Mapping[Subject, Sequence[PastRun]]:
        """Return the runs of several subjects, newest first, with one query for all of them."""
        if not wanted:
            return {}
        by_key = {subject.key(fold_case=True): subject for subject in wanted}
        with self.database.reading() as connection:
            rows = connection.execute(select(subjects.c.id, *KEY).where(tuple_(*KEY).in_(by_key))).all()
            by_id = {row.id: by_key[row.platform_key, row.account_key, row.type_key, row.name_key] for row in rows}
            place = func.row_number().over(partition_by=runs.c.subject_id, order_by=runs.c.sequence.desc())
            ranked = (
                select(runs.c.subject_id, *_PAST_RUN, place.label("place"))
                .where(runs.c.subject_id.in_(by_id))
                .subquery()
            )
            latest = connection.execute(select(ranked).where(ranked.c.place <= limit).order_by(ranked.c.place)).all()
        found: dict[Subject, list[PastRun]] = {subject: [] for subject in wanted}
        for row in latest:
            found[by_id[row.subject_id]].append(_past_run(row))
        return found

    def deletable(self, subject: Subject) -> SubjectRecords:
        """Return what `delete` would remove. Raises `NothingKnown` or `IsExpected`."""
        with self.database.reading() as connection:
            return _records_of(connection, subject)[1]

    def delete(self, subject: Subject) -> SubjectRecords:
        """Remove the subject and its runs, as if it had never been reported. Raises `NothingKnown` or `IsExpected`."""
        with self.database.writing() as connection:
            row, records = _records_of(connection, subject, for_update=True)
            remove(connection, row)
        return records

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
        within: Selection = EVERY_SUBJECT,
    ) -> ListingPage:
        """Return one page of the subjects in `within`; it may have fewer than `limit` even if another page follows.

        Raises `ValueError` as `Listing.page` does.
        """
        with self.database.reading() as connection:
            listing = replace(self._listing(connection, filter, order), within=within)
            page = listing.page(connection, cursor, limit)
        return ListingPage([listed(row, listing.now) for row in page.rows], page.next_cursor, page.previous_cursor)

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """Return the number of subjects for each status that their badges show."""
        with self.database.reading() as connection:
            return self._listing(connection, filter, ListingOrder.NAME).totals(connection)

    def summary(self, query: SummaryQuery) -> ListingTotals:
        """Return the totals of a summary, and when they change."""
        now = self.clock()
        with self.database.reading() as connection:
            if query.name is not None:
                return named_totals(connection, query, now, self.most_named)
            despite_end = overdue_despite_future_end(connection, now)
            limits = (query.max_age, query.verified_within)
            stored = StoredTotals(query.scope, now, despite_end, query.is_public_only, *limits)
            return replace(stored.read(connection), changes_at=stored.next_change(connection))

    def facts(self, most: int) -> Iterator[Sequence[SubjectFacts]]:
        """Yield the facts about at most `most` subjects, in batches."""
        with self.database.reading() as connection:
            yield from batches_of_facts(connection, self.clock(), most)

    def _listing(self, connection: Connection, filter: ListingFilter, order: ListingOrder) -> Listing:
        now = self.clock()
        return Listing(filter, order, now, self.most_counted, overdue_despite_future_end(connection, now))

    def number_ahead(self) -> int:
        """Return the number of subjects with a time ahead of now, which means that a clock is or was wrong."""
        names = ("started_at", "last_success_at", "ended_at", "verified_at", "updated_at")
        past = [subjects.c[name] for name in names]
        limit = self.clock() + CLOCK_TOLERANCE
        wanted = select(func.count()).select_from(subjects).where(or_(*(moment > limit for moment in past)))
        with self.database.reading() as connection:
            return connection.execute(wanted).scalar_one()

    def _save(
        self, connection: Connection, subject: Row[Any], before: History, history: History, now: datetime
    ) -> None:
        # Ages are measured at the previous change. Otherwise, a single event through a host whose clock is far ahead
        # could prune runs by age.
        pruned = self._prunable(history, min(now, subject.updated_at))
        if pruned:
            old = runs.c.subject_id == subject.id, runs.c.started_at.in_(pruned)
            connection.execute(delete(runs).where(*old))
        kept = {start: run for start, run in history.runs.items() if start not in pruned}
        _write_runs(connection, subject.id, before.runs, kept)
        if history.deletion and history.deletion.sequence != subject.deleted_sequence:
            placed = update(subjects).where(subjects.c.id == subject.id)
            connection.execute(placed.values(deleted_sequence=history.deletion.sequence))

    def _prunable(self, history: History, now: datetime) -> set[datetime]:
        """Return the starts of runs that are beyond the retention, except those that the state depends on.

        Only the oldest few are pruned by age. That is enough, because each event adds at most one run; and it prevents
        a host whose clock is far ahead from deleting the whole history.
        """
        newest_first = [run.started_at for run in history.in_order[::-1]]
        needed = history.needed(now)
        too_many = set(newest_first[self.retention.runs :]) - needed
        too_old = [start for start in newest_first[::-1] if start < now - self.retention.age and start not in needed]
        return too_many | set(too_old[:MOST_PRUNED_BY_AGE])


def _verified(
    connection: Connection, subject: Row[Any], event: ReportedVerification, status: BackupStatus, now: datetime
) -> tuple[dict[str, object], bool]:
    """Store a verification; return the columns of the subject's row, and whether it counts as the latest.

    While the subject is deleted, a pass is not stored, because it would count for backups made later. A failure is
    stored, because it may be about a new backup whose report is still to come.

    A verification whose reported time is not after the last deletion is never stored.
    """
    if status is BackupStatus.DELETED and event.outcome is VerificationOutcome.PASSED:
        return {}, False
    before = read_verifications(connection, subject.id)
    deleted_at = unless_ahead(subject.deleted_at, now)
    if event.at is not None and deleted_at is not None and event.at <= deleted_at:
        return {}, False
    after = before.with_event(event, now)
    if after != before:
        write_verifications(connection, subject.id, after)
    return after.columns, after.counts(event)


def _visibility_in(event: RunEvent | VerificationEvent, *, applied: bool) -> dict[str, Any]:
    """Return the subject's visibility as a column, if the event sets it.

    A superseded event may be a repeated one, so it can make a subject private, but not public.
    """
    if event.visibility is Visibility.PRIVATE or (applied and event.visibility):
        return {"visibility": event.visibility.value}
    return {}


def _settings_in(event: RunEvent, *, applied: bool) -> dict[str, Any]:
    """Return the columns that an event sets besides its run: the subject's visibility, and whether it is enabled.

    As with the visibility, a superseded event can disable a subject, but not enable it.
    """
    columns = _visibility_in(event, applied=applied)
    if event.enabled is False or (applied and event.enabled):
        columns["enabled"] = event.enabled
    return columns


def _newest_runs(columns: Sequence[Column[Any]], subject: Subject, limit: int) -> Select[Any]:
    return select(*columns).join(subjects).where(is_subject(subject)).order_by(runs.c.sequence.desc()).limit(limit)


def _report_statement() -> Select[Any]:
    """Return the statement that reads a subject's row and its outcomes, so that both are as of the same moment.

    It is built once, because building it takes several times as long as executing it.
    """
    is_it = [column == bindparam(column.name) for column in KEY]
    letter = func.substr(runs.c.status, 1, 1).label("letter")
    finished = select(letter, runs.c.sequence).join(subjects).where(*is_it, runs.c.status.in_(FINISHED))
    newest = finished.order_by(runs.c.sequence.desc()).limit(MOST_OUTCOMES).subquery()
    # SQLite and PostgreSQL both concatenate the rows in the subquery's order.
    newest_first = select(func.aggregate_strings(newest.c.letter, "")).scalar_subquery().label("newest_first")
    return selected_by(bindparam(_BELIEVED, type_=Moment()), newest_first).where(*is_it)


def _report_in(connection: Connection, subject: Subject, now: datetime) -> Report | None:
    row = connection.execute(_REPORT, {_BELIEVED: latest_believed(now), **key_of(subject)}).one_or_none()
    return None if row is None else report_of(row, now, Outcomes.parse((row.newest_first or "")[::-1]))


_BELIEVED = "believed"
_REPORT = _report_statement()


def _records_of(
    connection: Connection, subject: Subject, *, for_update: bool = False
) -> tuple[Row[Any], SubjectRecords]:
    wanted = select(subjects).where(is_subject(subject))
    row = connection.execute(wanted.with_for_update() if for_update else wanted).one_or_none()
    if row is None:
        raise NothingKnown(f"the catalogue has no subject {subject}")
    if expectation_of(connection, row.id) is not None:
        raise IsExpected(f"{subject} has a check")
    number = connection.scalar(select(func.count()).where(runs.c.subject_id == row.id))
    return row, SubjectRecords(subject_of(row), number or 0)


def _history_of(connection: Connection, subject: Row[Any]) -> History:
    found = connection.execute(select(*_RUN).where(runs.c.subject_id == subject.id))
    deletion = Deletion(subject.deleted_at, subject.deleted_sequence) if subject.deleted_at else None
    return History({run.started_at: run for run in map(_run, found)}, deletion)


def _write_runs(
    connection: Connection, subject_id: int, before: Mapping[datetime, Run], after: Mapping[datetime, Run]
) -> None:
    new = [asdict(run) for start, run in after.items() if start not in before]
    changed = [asdict(run) for start, run in after.items() if start in before and run != before[start]]
    if new:
        connection.execute(insert(runs), [{"subject_id": subject_id, **run} for run in new])
    if changed:
        is_it = runs.c.subject_id == subject_id, runs.c.started_at == bindparam("start")
        connection.execute(update(runs).where(*is_it), [{"start": run["started_at"], **run} for run in changed])


def _locked(
    connection: Connection, event: RunEvent | VerificationEvent, now: datetime, *, may_publish: bool
) -> Row[Any]:
    """Return the locked row of the event's subject; raises `MayNotPublish`, and `InvalidEvent` as `locked` does."""
    subject = locked(connection, event.subject, now)
    asks_to_publish = event.visibility is Visibility.PUBLIC and subject.visibility == Visibility.PRIVATE
    if asks_to_publish and not may_publish:
        raise MayNotPublish
    return subject


def _past_run(row: Row[Any]) -> PastRun:
    values = {column.name: getattr(row, column.name) for column in _PAST_RUN}
    reason = Reason(row.reason) if row.reason else None
    return PastRun(**{**values, "status": BackupStatus(row.status), "reason": reason})


def _run(row: Row[Any]) -> Run:
    values = {column.name: getattr(row, column.name) for column in _RUN}
    return Run(**{**values, **details_in(row), "status": BackupStatus(values["status"])})
