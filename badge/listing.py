"""Lists of subjects: filters, orders, pages, totals, and the cursors that lead from page to page."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Protocol

from badge.events import FailureKind
from badge.model import (
    FINISHED,
    BackupStatus,
    PastRun,
    Report,
    Subject,
    SubjectScope,
    VerificationOutcome,
    unless_ahead,
)
from badge.ports import SourceUnavailable
from badge.subject_pattern import NamePattern

# The largest integer a database column holds.
_LARGEST_INTEGER = 2**63 - 1

_EPOCH = datetime.fromtimestamp(0, UTC)

# Marks a cursor that leads backwards. A list, because no sort value is one.
_BEFORE = ["before"]


class ListUnavailable(SourceUnavailable):
    """None of the sources that can list their subjects answered."""

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(FailureKind.NO_LIST)
        self.sources = sources


class NoList(Exception):
    """The source can't list its subjects. A definitive answer: there is no point in retrying."""


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Which subjects to list; `None` means all."""

    platform: str | None = None
    account: str | None = None
    status: BackupStatus | None = None
    updated_since: datetime | None = None
    shown_as: BackupStatus | None = None
    """The status on the badge: an outdated report counts as unknown, whatever its status was."""
    words: Sequence[str] = ()
    """Each must occur in the subject's coordinates, ignoring case."""
    is_public_only: bool = False
    failed_since: datetime | None = None
    """Only subjects whose badge shows a failure at or after this time. A failure without a time counts as recent."""
    no_success_since: datetime | None = None
    """Only subjects without a success since this time, and no deleted ones."""

    @property
    def is_unrestricted(self) -> bool:
        """Whether all subjects pass, or all public ones."""
        return self == ListingFilter(is_public_only=self.is_public_only)

    @property
    def scope(self) -> SubjectScope | None:
        """The account, if the filter selects all of one account's subjects or all of its public ones; else None."""
        if self.platform is None or self.account is None:
            return None
        of_account = ListingFilter(self.platform, self.account, is_public_only=self.is_public_only)
        return SubjectScope(self.platform, self.account) if self == of_account else None


class ListingOrder(StrEnum):
    """How a listing is sorted."""

    NAME = "name"
    """By subject key, which keeps an account's subjects together."""
    LATEST = "latest"
    """Most recently updated first."""
    WORST = "worst"
    """Most in need of attention first, by `attention_rank`."""


class Need(IntEnum):
    """How much a subject needs attention, most first."""

    FAILED = 0
    OVERDUE = 1
    OUTDATED = 2
    """Its report is outdated, so it is shown as unknown."""
    UNKNOWN = 3
    NONE = 4
    DELETED = 5


NEEDS = {
    BackupStatus.FAILED: Need.FAILED,
    BackupStatus.UNKNOWN: Need.UNKNOWN,
    BackupStatus.IN_PROGRESS: Need.NONE,
    BackupStatus.SCHEDULED: Need.NONE,
    BackupStatus.SUCCEEDED: Need.NONE,
    BackupStatus.DELETED: Need.DELETED,
}
"""The need of subjects by their recorded status, unless they are overdue or their report is outdated."""


class Standing(StrEnum):
    """How a subject counts in totals. Each one has exactly one standing, except deleted ones, which don't count."""

    PROTECTED = "protected"
    """The last finished backup succeeded, the next one is not overdue, and the source still confirms it."""
    FAILED = "failed"
    """The last finished backup failed, even if another one is running.

    In summaries that require a verification, also if the latest verification failed.
    """
    OVERDUE = "overdue"
    """The next backup is overdue, or the last success is too old."""
    UNKNOWN = "unknown"
    """Never backed up, or its status is unknown."""
    UNVERIFIED = "unverified"
    """Only in summaries that require a verification: protected, but without a recent enough one."""


def standing_of(
    recorded: BackupStatus, shown: BackupStatus, last_finished: BackupStatus | None, *, is_overdue: bool
) -> Standing | None:
    """Return the standing of a subject, given its recorded status and the one on its badge; None if it was deleted."""
    if recorded is BackupStatus.DELETED:
        return None
    if is_overdue:
        return Standing.OVERDUE
    if shown is BackupStatus.UNKNOWN:
        return Standing.UNKNOWN
    if BackupStatus.FAILED in (recorded, last_finished):
        return Standing.FAILED
    return Standing.PROTECTED if BackupStatus.SUCCEEDED in (recorded, last_finished) else Standing.UNKNOWN


def standing_if_verified(
    standing: Standing | None, outcome: VerificationOutcome | None, *, is_recent: bool
) -> Standing | None:
    """Return a subject's standing in a summary that requires verifications.

    `outcome` is the outcome of the subject's latest verification; `is_recent` tells whether that one is recent enough.
    """
    if standing is not None and outcome is VerificationOutcome.FAILED:
        return Standing.FAILED
    is_verified = is_recent and outcome is VerificationOutcome.PASSED
    return Standing.UNVERIFIED if standing is Standing.PROTECTED and not is_verified else standing


@dataclass(frozen=True, slots=True)
class ListedSubject:
    """One row of a listing."""

    subject: Subject
    report: Report
    overdue_since: datetime | None = None
    """When its check became overdue; the report's status is then "failed"."""
    overdue_at: datetime | None = None
    """When its check will be overdue, if the source says so."""
    has_check: bool = False
    """Whether it has a check in this service's catalogue."""


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Rows in the requested order, and cursors of the pages before and after them, if there are any."""

    items: Sequence[ListedSubject]
    next_cursor: str | None = None
    previous_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ListingTotals:
    """Numbers of subjects."""

    by_status: Mapping[BackupStatus, int]
    """By the status that their badges show; an overdue backup counts as failed."""
    by_standing: Mapping[Standing, int]
    is_whole: bool = True
    """False if there may be more subjects than were counted."""
    silent: Sequence[str] = ()
    """Sources whose subjects are missing because they did not answer."""
    read: Mapping[str, bool] | None = None
    """Names of the sources whose lists were read, and whether each was read to its end; None for a single source."""
    changes_at: datetime | None = None
    """In a summary: when one of these numbers would change by itself."""

    @property
    def all(self) -> int:
        """All subjects, including deleted ones."""
        return sum(self.by_status.values())

    @property
    def need_attention(self) -> int:
        """Subjects whose backup failed or is overdue, or whose status is unknown."""
        return self.by_status.get(BackupStatus.FAILED, 0) + self.by_status.get(BackupStatus.UNKNOWN, 0)

    @property
    def protected(self) -> int:
        """Subjects that are protected."""
        return self.by_standing.get(Standing.PROTECTED, 0)

    @property
    def to_protect(self) -> int:
        """Subjects that should be protected: all that are not deleted, including those never backed up."""
        return sum(self.by_standing.values())


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """Which subjects a summary counts, and as what."""

    scope: SubjectScope | None
    """None for all subjects."""
    name: NamePattern | None = None
    max_age: timedelta | None = None
    """An otherwise protected subject whose last success is older than this counts as overdue."""
    verified_within: timedelta | None = None
    """An otherwise protected subject counts as unverified unless a verification passed within this time.

    After a failed verification, a subject counts as failed.
    """
    is_public_only: bool = True


@dataclass(frozen=True, slots=True)
class KnownTotals:
    """The totals of a summary, as of some time."""

    totals: ListingTotals
    as_of: datetime
    is_fresh: bool = True
    """Whether there is no need to refresh the list."""
    is_failing: bool = False
    """Whether the last attempt to refresh it failed."""


class SubjectFacts(NamedTuple):
    """The facts about a subject that metrics show: a few plain values, because thousands of subjects are read at once.

    Times are in microseconds since 1970; unknown values are None.
    """

    platform: str
    account: str
    type: str
    name: str
    status: str
    """The `BackupStatus` on its badge."""
    is_overdue: bool | None
    """None without a check."""
    last_finished: str | None
    """Outcome of the last finished backup; failed if the subject is overdue."""
    succeeded_at: int | None
    took: int | None
    """How long the last run took, in microseconds; None if it hasn't finished, or if the subject is overdue."""
    size_bytes: int | None
    verification: str | None
    """The `VerificationOutcome` of the latest verification."""
    verified_how: str | None
    verified_at: int | None
    """When the latest verification passed; None if it failed."""


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """The facts about all subjects, or about as many as were requested."""

    batches: Iterable[Sequence[SubjectFacts]]
    """Can be read once. Raises `SourceUnavailable` during iteration if the source fails."""
    number: int
    """Number of all subjects."""
    is_whole: bool = True
    """False if there may be more subjects."""
    read: Mapping[str, bool] | None = None
    """As in `ListingTotals`."""


class StatusListing(Protocol):
    """A source that can list its subjects."""

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """Return one page.

        Raises `ValueError` for a cursor it did not issue, `SourceUnavailable` if the source fails, and `NoList`
        if the source turns out to have no list.
        """
        ...

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """Return the totals over all pages. Raises `SourceUnavailable` and `NoList`."""
        ...


class SummaryListing(StatusListing, Protocol):
    """A listing that can also count the subjects of a summary."""

    @property
    def is_snapshot(self) -> bool:
        """Whether `summary` is as of the last `refresh`, rather than as of now."""
        ...

    def summary(self, query: SummaryQuery) -> KnownTotals | None:
        """Return the totals of a summary without calling a remote source; None if there is no snapshot yet.

        Raises `SourceUnavailable` if a local source fails.
        """
        ...

    def facts(self, most: int) -> KnownFacts | None:
        """Return the facts about at most `most` subjects, without calling a remote source.

        Returns None if there is no snapshot, or only an old one, or if the last attempt to refresh it failed. Raises
        `SourceUnavailable` if a local source fails.
        """
        ...

    def refresh(self) -> None:
        """Take a new snapshot unless the last one is recent; may take many seconds.

        Raises `SourceUnavailable` and `NoList`.
        """
        ...


class RunHistory(Protocol):
    """A source that keeps a history of runs."""

    def history(self, subject: Subject, limit: int, *, skip: int = 0, public_only: bool = False) -> Sequence[PastRun]:
        """Return the latest runs, newest first, without the first `skip` of them.

        Returns an empty sequence for an unknown subject, or a private one if `public_only`. Raises `SourceUnavailable`.
        """
        ...

    def histories(self, subjects: Sequence[Subject], limit: int) -> Mapping[Subject, Sequence[PastRun]]:
        """Return the latest runs of several subjects at once, for one page of a list."""
        ...


def search_texts(subject: Subject) -> tuple[str, str]:
    """Return the strings that searches look in: the coordinates in lower case, with and without the type."""
    short = f"{subject.platform}/{subject.account}/{subject.name}"
    return str(subject).lower(), short.lower()


def attention_rank(need: Need, *, has_time: bool) -> int:
    """Return the first sort value of `ListingOrder.WORST`; the second is a time, oldest first.

    That time is when the subject became overdue or its report outdated, otherwise when it last succeeded. Subjects
    without such a time come first among those with the same need.
    """
    return 2 * need + has_time


def attention_of(item: ListedSubject, now: datetime) -> tuple[int, int]:
    """Return a subject's sort values in `ListingOrder.WORST`: its rank, and a time in microseconds since 1970."""
    report = item.report
    need, moment = NEEDS[report.status], report.succeeded_at(now)
    if item.overdue_since is not None:
        need, moment = Need.OVERDUE, item.overdue_since
    elif report.status_at(now) is not report.status:
        need, moment = Need.OUTDATED, report.stale_after
    return attention_rank(need, has_time=moment is not None), microseconds(moment) if moment else 0


def totals_of(
    items: Iterable[ListedSubject],
    now: datetime,
    max_age: timedelta | None = None,
    verified_within: timedelta | None = None,
) -> ListingTotals:
    """Return the totals of subjects, counted one by one, and when they change; the limits are as in `SummaryQuery`."""
    by_status: Counter[BackupStatus] = Counter()
    by_standing: Counter[Standing] = Counter()
    changes: list[datetime] = []
    for item in items:
        report, shown = item.report, item.report.status_at(now)
        by_status[shown] += 1
        standing = standing_of(report.status, shown, report.last_finished, is_overdue=item.overdue_since is not None)
        if standing is None:
            continue
        # A subject whose report is already outdated can still become overdue.
        changes += [at for at in (report.stale_after, item.overdue_at) if at is not None and at > now]
        standing, changes_at = _limited(standing, report, now, max_age, verified_within)
        changes += changes_at
        by_standing[standing] += 1
    return ListingTotals(by_status, by_standing, changes_at=min(changes, default=None))


def facts_of(item: ListedSubject, now: datetime) -> SubjectFacts:
    """Return the facts about a subject."""
    subject, report, is_overdue = item.subject, item.report, item.overdue_since is not None
    # Sources may omit the outcome of the last finished backup if it is the status.
    finished = report.last_finished or (report.status if report.status in FINISHED else None)
    verification = report.verification
    return SubjectFacts(
        subject.platform,
        subject.account,
        subject.type,
        subject.name,
        status=report.status_at(now).value,
        is_overdue=is_overdue if item.has_check else None,
        last_finished=None if finished is None else finished.value,
        succeeded_at=_microseconds(report.succeeded_at(now)),
        took=None if is_overdue else _took(report, now),
        size_bytes=report.size_bytes,
        verification=None if verification is None else verification.outcome.value,
        verified_how=None if verification is None or verification.how is None else verification.how.value,
        verified_at=_microseconds(report.verified_at(now)),
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


def _took(report: Report, now: datetime) -> int | None:
    started, finished = report.started_at, unless_ahead(report.finished_at, now)
    # Without a reported start, the catalogue stores the end as the start.
    if started is None or finished is None or started >= finished:
        return None
    return microseconds(finished) - microseconds(started)


def _limited(
    standing: Standing, report: Report, now: datetime, max_age: timedelta | None, verified_within: timedelta | None
) -> tuple[Standing, Sequence[datetime]]:
    """Return the standing in a summary with these limits, and the times at which the limits change it."""
    if verified_within is not None and report.has_failed_verification:
        return Standing.FAILED, ()
    if standing is not Standing.PROTECTED:
        return standing, ()
    changes = []
    if max_age is not None:
        succeeded_at = report.succeeded_at(now)
        if succeeded_at is None or succeeded_at <= now - max_age:
            return Standing.OVERDUE, ()
        changes.append(succeeded_at + max_age)
    if verified_within is not None:
        verified_at = report.verified_at(now)
        if verified_at is None or verified_at <= now - verified_within:
            return Standing.UNVERIFIED, changes
        changes.append(verified_at + verified_within)
    return Standing.PROTECTED, changes


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970, which cursors can hold."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a listing, after or before a row with these sort values (numbers and strings)."""

    marks: Sequence[Any]
    is_before: bool = False

    def cursor(self, order: ListingOrder) -> str:
        """Return the cursor of the page that starts, or ends, at this place."""
        direction = [_BEFORE] if self.is_before else []
        return base64.urlsafe_b64encode(json.dumps([order, *direction, *self.marks]).encode()).decode().rstrip("=")


def place_at(cursor: str, order: ListingOrder, kinds: Sequence[type]) -> Place:
    """Return the place that a cursor leads to.

    Raises `ValueError` unless the cursor is for this order and its values have the given types.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found[:1] == [order]:
        is_before = found[1:2] == [_BEFORE]
        marks = found[2:] if is_before else found[1:]
        if list(map(type, marks)) == list(kinds) and all(map(_is_storable, marks)):
            return Place(marks, is_before)
    raise ValueError("this cursor was not issued by this service")


def _is_storable(mark: int | str) -> bool:
    """Whether every database accepts this value: JSON can also express NUL, lone surrogates and huge integers."""
    if isinstance(mark, int):
        return abs(mark) <= _LARGEST_INTEGER
    return "\0" not in mark and not any("\ud800" <= each <= "\udfff" for each in mark)
