"""The rows of subjects: found, made, changed, and read as reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from badge.catalogue.events import CLOCK_TOLERANCE, DETAILS, InvalidEvent, RunDetails, Standing, details_of
from badge.catalogue.expectation import as_expected, revision_at
from badge.catalogue.schema import NEVER, subject_paths, subjects
from badge.catalogue.totals import keep
from badge.listing import search_texts
from badge.model import BackupStatus, Reason, Report, Subject, Visibility

# PostgreSQL's: an index holds up to a third of a page (2.7 kB after compression).
PROGRAM_LIMIT_EXCEEDED = "54000"

KEY = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key, subjects.c.name_key)
"""What subjects are compared and ordered by."""


def is_subject(subject: Subject) -> Any:
    """The condition that a row is this subject's."""
    return and_(*(column == part for column, part in zip(KEY, subject.key(fold_case=True), strict=True)))


def locked(connection: Connection, subject: Subject, now: datetime) -> Row[Any]:
    """The subject's row, made if it is new, and nobody else's to write until the transaction ends.

    Raises `InvalidEvent` where the database can't hold the names.
    """
    wanted = select(subjects).where(is_subject(subject)).with_for_update()
    row = connection.execute(wanted).one_or_none()
    if row is None:
        try:
            with connection.begin_nested():
                made = connection.execute(insert(subjects).values(**_first_values(subject, now)))
                assert made.inserted_primary_key is not None  # one row was inserted
                connection.execute(insert(subject_paths).values(**path_values(made.inserted_primary_key.id, subject)))
        except IntegrityError:
            pass  # another process was faster, and its row serves
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == PROGRAM_LIMIT_EXCEEDED:
                raise InvalidEvent("the subject's names are too long for this database.") from None
            raise
        row = connection.execute(wanted).one()
    return row


def path_values(subject_id: int, subject: Subject) -> dict[str, Any]:
    """Return what searches look for, as columns of the subject's row in `subject_paths`."""
    path, short_path = search_texts(subject)
    return {"subject_id": subject_id, "path": path, "short_path": short_path}


def _first_values(subject: Subject, now: datetime) -> dict[str, Any]:
    names = dict(zip((column.name for column in KEY), subject.key(fold_case=True), strict=True))
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


def change(connection: Connection, before: Row[Any], after: Mapping[str, Any], now: datetime) -> bool:
    """Write what differs, as a new revision; False where nothing does."""
    if all(getattr(before, name) == value for name, value in after.items()):
        return False
    # A host whose clock is ahead may have read it as overdue already.
    revision = max(report_of(before, now + CLOCK_TOLERANCE).revision + 1, revision_at(now))
    values = {**after, "revision": revision, "updated_at": now}
    connection.execute(update(subjects).where(subjects.c.id == before.id).values(**values))
    keep(connection, before, values)
    return True


def remove(connection: Connection, row: Row[Any]) -> None:
    """Delete a subject's row, and with it its runs; the row has to be locked."""
    connection.execute(delete(subjects).where(subjects.c.id == row.id))
    keep(connection, row, None)


def subject_of(row: Row[Any]) -> Subject:
    """Return the row's subject, in the spelling to show."""
    return Subject(platform=row.platform, account=row.account, type=row.type, name=row.name)


def columns_of(state: Standing, deleted_at: datetime | None) -> dict[str, Any]:
    """What all runs and a deletion amount to, as columns of the subject's row; `report_of` reads them."""
    newest = state.newest
    return {
        "status": state.status.value,
        "started_at": newest and newest.started_at,
        "finished_at": newest and newest.finished_at,
        "last_success_at": state.last_success_at,
        "last_finished": state.last_finished and state.last_finished.value,
        "deleted_at": deleted_at,
        **details_of(newest or RunDetails()),
    }


def report_of(row: Row[Any], now: datetime) -> Report:
    """Return the report that a row amounts to now."""
    details = details_in(row)
    recorded = Report(
        status=BackupStatus(row.status),
        observed_at=now,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_success_at=row.last_success_at,
        last_finished=BackupStatus(row.last_finished) if row.last_finished else None,
        deleted_at=row.deleted_at if row.status == BackupStatus.DELETED else None,
        visibility=Visibility(row.visibility),
        enabled=row.enabled,
        revision=row.revision,
        **{**details, "next_run_at": details["next_run_at"] or row.due_at},
    )
    return as_expected(recorded, row.overdue_at)


def details_in(row: Row[Any]) -> dict[str, Any]:
    """The fields of `RunDetails` in a row of a subject or of a run."""
    details = {name: getattr(row, name) for name in DETAILS}
    return {**details, "reason": Reason(row.reason) if row.reason else None}
