"""Checks: expected backups, each with a schedule and a ping URL."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from badge.catalogue.database import Database
from badge.catalogue.expectation import NOTHING_DUE, Expectation, due_columns
from badge.catalogue.schema import checks, runs, subjects
from badge.catalogue.subjects import KEY, change, is_subject, locked, may_be_in, remove, report_of, selected, subject_of
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.ports import Clock
from badge.subject_pattern import EVERY_SUBJECT, Selection

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=365)
SHOWN_CHARACTERS = 8
LONGEST_SLUG = 100
LISTED_AT_ONCE = 500

_SLUG = re.compile(rf"[a-z0-9_-]{{1,{LONGEST_SLUG}}}")


class CheckExists(ValueError):
    """The subject already has a check."""


class NoSuchCheck(LookupError):
    """The subject has no check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check as it is stored, with its subject's report as of now."""

    subject: Subject
    report: Report
    expectation: Expectation
    slug: str | None
    prefix: str
    """The first characters of its UUID."""
    overdue_at: datetime | None
    """When the status becomes "failed" unless a backup finishes before then."""


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks in one database. Raises SQLAlchemy's errors if the database fails."""

    database: Database
    clock: Clock

    def create(
        self,
        subject: Subject,
        every: timedelta,
        grace: timedelta,
        *,
        slug: str | None = None,
        visibility: Visibility | None = None,
    ) -> str:
        """Expect the subject's backups from now on. Returns the UUID to ping, of which only a hash is stored.

        A subject that has never been reported has the status "scheduled" until the first ping. Raises `CheckExists` or
        `ValueError`.
        """
        _refuse_invalid_terms(every, grace, slug)
        now, plain = self.clock(), str(uuid.uuid4())
        expectation = Expectation(every, grace, now)
        with self.database.writing() as connection:
            before = locked(connection, subject, now)
            row = {
                "subject_id": before.id,
                "slug": slug,
                "every_seconds": every // timedelta(seconds=1),
                "grace_seconds": grace // timedelta(seconds=1),
                "since": now,
            }
            try:
                connection.execute(insert(checks).values(**row, **_uuid_columns(plain)))
            except IntegrityError:
                raise CheckExists(f"{subject} already has a check; rotate its ping URL or delete the check.") from None
            status = BackupStatus(before.status)
            if status is BackupStatus.UNKNOWN:
                status = BackupStatus.SCHEDULED
            after: dict[str, Any] = {"status": status.value, **due_columns(expectation, status, None)}
            if visibility is not None:
                after["visibility"] = visibility.value
            change(connection, before, after, now)
        return plain

    def rotate(self, subject: Subject) -> str:
        """Return a new UUID for the check; the old one stops working at once. Raises `NoSuchCheck`."""
        plain = str(uuid.uuid4())
        wanted = select(subjects.c.id).where(is_subject(subject)).scalar_subquery()
        with self.database.writing() as connection:
            done = connection.execute(
                update(checks).where(checks.c.subject_id == wanted).values(**_uuid_columns(plain))
            )
        if done.rowcount == 0:
            raise NoSuchCheck(f"{subject} has no check.")
        return plain

    def delete(self, subject: Subject) -> None:
        """Stop expecting backups; runs and verifications are kept. Raises `NoSuchCheck`."""
        now = self.clock()
        with self.database.writing() as connection:
            wanted = selected(now).where(is_subject(subject)).with_for_update(of=subjects)
            row = connection.execute(wanted).one_or_none()
            if row is None or connection.execute(delete(checks).where(checks.c.subject_id == row.id)).rowcount == 0:
                raise NoSuchCheck(f"{subject} has no check.")
            if _has_runs(connection, row.id) or row.deleted_at is not None:
                change(connection, row, NOTHING_DUE, now)
            elif row.verification is not None:
                change(connection, row, {**NOTHING_DUE, "status": BackupStatus.UNKNOWN.value}, now)
            else:
                # The subject exists only because of the check.
                remove(connection, row)

    def of(self, subject: Subject) -> Check | None:
        """Return the subject's check; None if it has none."""
        now = self.clock()
        wanted = selected(now, checks).join_from(subjects, checks).where(is_subject(subject))
        with self.database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _check(row, now)

    def subject_pinged(self, plain: str) -> Subject | None:
        """Return the subject whose check has this UUID; None if there is none.

        The UUID is looked up by its hash, so the time this takes reveals nothing about other UUIDs.
        """
        wanted = _with_checks(subjects).where(checks.c.digest == _digest(plain))
        with self.database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else subject_of(row)

    def subjects_with_slug(self, slug: str, within: Selection = EVERY_SUBJECT) -> list[Subject]:
        """Return at most two subjects in `within` whose checks have this slug, which need not be unique."""
        if not _SLUG.fullmatch(slug):
            return []
        wanted = _with_checks(subjects).where(checks.c.slug == slug, *may_be_in(within))
        with self.database.reading() as connection:
            rows = connection.execution_options(yield_per=LISTED_AT_ONCE).execute(wanted)
            return list(islice(filter(within.covers, map(subject_of, rows)), 2))

    def list(self) -> Iterator[Check]:
        """Yield all checks, sorted by subject, reading them from the database in batches."""
        now = self.clock()
        wanted = selected(now, checks).join_from(subjects, checks).order_by(*KEY)
        with self.database.reading() as connection:
            for row in connection.execution_options(yield_per=LISTED_AT_ONCE).execute(wanted):
                yield _check(row, now)


def expectation_of(connection: Connection, subject_id: int) -> Expectation | None:
    """Return the terms of the subject's check; None if it has none."""
    row = connection.execute(select(checks).where(checks.c.subject_id == subject_id)).one_or_none()
    return None if row is None else _expectation(row)


def slug_for(subject: Subject) -> str | None:
    """Return the default slug for a subject; None if its name has no ASCII letter, digit or underscore."""
    return re.sub(r"[^a-z0-9_]+", "-", subject.name.lower())[:LONGEST_SLUG].strip("-") or None


def _refuse_invalid_terms(every: timedelta, grace: timedelta, slug: str | None) -> None:
    rules = {
        "the interval must be between a minute and 365 days": not SHORTEST <= every <= LONGEST,
        "the grace period must be between a minute and 365 days": not SHORTEST <= grace <= LONGEST,
        f"a slug has up to {LONGEST_SLUG} characters from a-z, 0-9, - and _": slug is not None
        and not _SLUG.fullmatch(slug),
    }
    if faults := [fault for fault, is_broken in rules.items() if is_broken]:
        raise ValueError("; ".join(faults) + ".")


def _uuid_columns(plain: str) -> dict[str, str]:
    return {"digest": _digest(plain), "prefix": plain[:SHOWN_CHARACTERS]}


def _digest(plain: str) -> str:
    """SHA-256 is enough, because a UUID has 122 random bits and can't be guessed."""
    return hashlib.sha256(plain.encode()).hexdigest()


def _with_checks(*tables: Any) -> Any:
    return select(*tables).join_from(checks, subjects)


def _has_runs(connection: Connection, subject_id: int) -> bool:
    return bool(connection.execute(select(func.count()).where(runs.c.subject_id == subject_id)).scalar_one())


def _expectation(row: Row[Any]) -> Expectation:
    return Expectation(timedelta(seconds=row.every_seconds), timedelta(seconds=row.grace_seconds), row.since)


def _check(row: Row[Any], now: datetime) -> Check:
    return Check(
        subject=subject_of(row),
        report=report_of(row, now),
        expectation=_expectation(row),
        slug=row.slug,
        prefix=row.prefix,
        overdue_at=row.overdue_at_now,
    )
