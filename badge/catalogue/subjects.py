"""Rows of subjects: how to find, create and change them, and read them as reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from badge.catalogue.events import DETAILS, InvalidEvent, RunDetails, details_of
from badge.catalogue.expectation import Moments, as_expected, latest_believed, overdue_at, revision_at
from badge.catalogue.history import Deletion, State
from badge.catalogue.schema import subject_paths, subjects
from badge.catalogue.totals import update_totals
from badge.catalogue.verifications import verification_in
from badge.listing import ListedSubject, search_texts
from badge.model import (
    CLOCK_TOLERANCE,
    BackupStatus,
    Outcomes,
    Reason,
    Report,
    Subject,
    Visibility,
    unless_ahead,
)
from badge.subject_pattern import PathPattern, Selection, has_wildcard

# PostgreSQL's SQLSTATE if an index entry exceeds a third of a page (2.7 kB after compression).
PROGRAM_LIMIT_EXCEEDED = "54000"

KEY = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key, subjects.c.name_key)
"""The columns that subjects are compared and sorted by."""


def selected(now: datetime, *more: Any) -> Select[Any]:
    """Return a SELECT of subjects, with additional columns, whose rows `report_of` can read."""
    return selected_by(latest_believed(now), *more)


def selected_by(believed: Moments, *more: Any) -> Select[Any]:
    """Like `selected`, but takes the result of `latest_believed`, or a parameter for it."""
    return select(subjects, overdue_at(believed).label("overdue_at_now"), *more)


def is_subject(subject: Subject) -> Any:
    """Return the condition that a row is this subject's."""
    return and_(*(column == part for column, part in zip(KEY, subject.key(fold_case=True), strict=True)))


def may_be_in(selection: Selection) -> list[ColumnElement[bool]]:
    """Return conditions that all rows of the selection meet and few others do; `covers` makes the final decision.

    SQL has no shell patterns, and databases differ in whether LIKE ignores case.
    """
    if selection.patterns is None:
        return []
    return [or_(*map(_may_be_selected, selection.patterns))]


def _may_be_selected(pattern: PathPattern) -> ColumnElement[bool]:
    parts = pattern.parts
    by_column = zip(KEY, (parts.platform, parts.account, parts.type, parts.name), strict=True)
    return and_(*(may_match(column, part) for column, part in by_column))


def may_match(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Return a condition met by all rows whose column matches a shell pattern, and by few others."""
    # Keys are in lower case wherever case is ignored, otherwise as they were sent.
    if not has_wildcard(part):
        return column.in_({part, part.lower()})
    before_set, has_set, _ = part.partition("[")
    escaped = re.sub(r"([\\%_])", r"\\\1", before_set)
    like = escaped.replace("?", "_").replace("*", "%") + ("%" if has_set else "")
    return or_(*(column.like(spelling, escape="\\") for spelling in {like, like.lower()}))


def locked(connection: Connection, subject: Subject, now: datetime) -> Row[Any]:
    """Return the subject's row, created if necessary, locked for writing until the transaction ends.

    Raises `InvalidEvent` if the names are too long for the database.
    """
    wanted = selected(now).where(is_subject(subject)).with_for_update(of=subjects)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        try:
            with connection.begin_nested():
                made = connection.execute(insert(subjects).values(**_first_values(subject, now)))
                assert made.inserted_primary_key is not None  # one row was inserted
                connection.execute(insert(subject_paths).values(**path_values(made.inserted_primary_key.id, subject)))
        except IntegrityError:
            pass  # Another process has just created it.
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == PROGRAM_LIMIT_EXCEEDED:
                raise InvalidEvent("the subject's names are too long for this database.") from None
            raise
        row = connection.execute(wanted).one()
    return row


def key_of(subject: Subject) -> dict[str, str]:
    """Return the columns that identify the subject."""
    return dict(zip((column.name for column in KEY), subject.key(fold_case=True), strict=True))


def path_values(subject_id: int, subject: Subject) -> dict[str, Any]:
    """Return the strings that searches look in, as columns of the subject's row in `subject_paths`."""
    path, short_path = search_texts(subject)
    return {"subject_id": subject_id, "path": path, "short_path": short_path}


def _first_values(subject: Subject, now: datetime) -> dict[str, Any]:
    return {
        **key_of(subject),
        "platform": subject.platform,
        "account": subject.account,
        "type": subject.type,
        "name": subject.name,
        "status": BackupStatus.UNKNOWN,
        "visibility": Visibility.PUBLIC,
        "revision": 0,
        "updated_at": now,
    }


def change(
    connection: Connection, before: Row[Any], after: Mapping[str, Any], now: datetime, *, is_forced: bool = False
) -> bool:
    """Write the columns as a new revision; returns False if none of them differs, unless `is_forced`."""
    if not is_forced and all(getattr(before, name) == value for name, value in after.items()):
        return False
    # A host whose clock is ahead may already have served the row as overdue, with a higher revision; the new one must
    # exceed that too.
    revision = max(report_of(before, now + CLOCK_TOLERANCE).revision + 1, revision_at(now))
    values = {**after, "revision": revision, "updated_at": now}
    connection.execute(update(subjects).where(subjects.c.id == before.id).values(**values))
    update_totals(connection, before, values)
    return True


def remove(connection: Connection, row: Row[Any]) -> None:
    """Delete a subject's row together with its runs; the row has to be locked."""
    connection.execute(delete(subjects).where(subjects.c.id == row.id))
    update_totals(connection, row, None)


def subject_of(row: Row[Any]) -> Subject:
    """Return the row's subject, as spelt for display."""
    return Subject(platform=row.platform, account=row.account, type=row.type, name=row.name)


def columns_of(state: State, deletion: Deletion | None) -> dict[str, Any]:
    """Return the state of a subject's history as columns of its row, which `report_of` reads."""
    newest = state.newest
    details = details_of(newest or RunDetails())
    if state.status is BackupStatus.DELETED:  # a deletion is final: it never becomes outdated, and no run is due
        details |= {"next_run_at": None, "stale_after": None}
    return {
        "status": state.status.value,
        "started_at": newest and newest.started_at,
        "finished_at": newest and newest.finished_at,
        "last_success_at": state.last_success_at,
        "last_finished": state.last_finished and state.last_finished.value,
        "ended_at": state.last_ended_at,
        "deleted_at": deletion and deletion.at,
        **details,
    }


def report_of(row: Row[Any], now: datetime, outcomes: Outcomes | None = None) -> Report:
    """Return the row's report as of now, with these outcomes of its runs.

    Times of past events are left out if they are ahead of now. The times of the last success and of the verification
    are kept, because without them, both would seem to have been reported without a time.
    """
    details = details_in(row)
    recorded = Report(
        status=BackupStatus(row.status),
        observed_at=now,
        started_at=unless_ahead(row.started_at, now),
        finished_at=unless_ahead(row.finished_at, now),
        last_success_at=row.last_success_at,
        last_finished=BackupStatus(row.last_finished) if row.last_finished else None,
        outcomes=outcomes,
        deleted_at=unless_ahead(row.deleted_at, now) if row.status == BackupStatus.DELETED else None,
        verification=verification_in(row),
        visibility=Visibility(row.visibility),
        enabled=row.enabled,
        revision=row.revision,
        **{**details, "next_run_at": details["next_run_at"] or row.due_at},
    )
    return as_expected(recorded, row.overdue_at_now)


def listed(row: Row[Any], now: datetime) -> ListedSubject:
    """Return a row of a `selected` query as an item of a list."""
    at = row.overdue_at_now
    since, later = (at, None) if at is not None and at <= now else (None, at)
    return ListedSubject(subject_of(row), report_of(row, now), since, later, has_check=row.due_at is not None)


def details_in(row: Row[Any]) -> dict[str, Any]:
    """Return the fields of `RunDetails` in a row of a subject or of a run."""
    details = {name: getattr(row, name) for name in DETAILS}
    return {**details, "reason": Reason(row.reason) if row.reason else None}
