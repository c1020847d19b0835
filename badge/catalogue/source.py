"""The catalogue as a source of statuses, lists and histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.faults import failure
from badge.catalogue.store import Catalogue
from badge.deadline import Deadline
from badge.events import FailureKind, StoredTimesAhead
from badge.listing import (
    KnownFacts,
    KnownTotals,
    ListingFilter,
    ListingOrder,
    ListingPage,
    ListingTotals,
    SubjectFacts,
    SummaryQuery,
)
from badge.model import PastRun, Report, Subject, is_ahead
from badge.ports import CacheKey, Events, SourceUnavailable

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """Implements `StatusSource`, `StatusListing` and `RunHistory` with the catalogue."""

    catalogue: Catalogue
    events: Events
    name: str = "catalogue"

    def called(self, name: str) -> CatalogueSource:
        """Return the same source under another name."""
        return replace(self, name=name)

    @property
    def place(self) -> str:
        """The catalogue's identity, which a restore changes."""
        return f"{self.name}:{self.catalogue.database.cache_identity}"

    @property
    def is_snapshot(self) -> bool:
        """Return False: the database is read each time."""
        return False

    def cache_key(self, subject: Subject) -> CacheKey:
        """Return the subject's key; the catalogue compares accounts and names as their platform does."""
        return self.place, *subject.key(fold_case=True)

    def is_local(self, subject: Subject) -> bool:  # noqa: ARG002 - the port's argument
        """Return True: the database is as fast as the cache."""
        return True

    def fetch(
        self,
        subject: Subject,
        known: Report | None,  # noqa: ARG002 - for sources with conditional requests
        deadline: Deadline,  # noqa: ARG002 - the database's own timeouts are shorter than any
    ) -> Report:
        """Return the catalogue's report as of now."""
        report = self._read("fetch", lambda: self.catalogue.report_for(subject))
        if report is None:
            return Report.absent(self.catalogue.clock())
        if is_ahead(report.last_success_at, report.observed_at):
            self.events.emit(StoredTimesAhead())
        return report

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        """Return one page of the catalogue's subjects."""
        return self._read("list", lambda: self.catalogue.list(filter, cursor, limit, order))

    def totals(self, filter: ListingFilter) -> ListingTotals:
        """Return how many subjects the catalogue has, by status."""
        return self._read("totals", lambda: self.catalogue.totals(filter))

    def summary(self, query: SummaryQuery) -> KnownTotals:
        """Return the totals of a summary of the catalogue's subjects as of now."""
        as_of = self.catalogue.clock()
        return KnownTotals(self._read("summary", lambda: self.catalogue.summary(query)), as_of)

    def facts(self, most: int) -> KnownFacts:
        """Return the facts about the catalogue's subjects as of now."""
        return KnownFacts(self._batches(most), self.totals(ListingFilter()).all)

    def _batches(self, most: int) -> Iterator[Sequence[SubjectFacts]]:
        try:
            yield from self.catalogue.facts(most)
        except SQLAlchemyError as error:
            raise self._failure("facts", error) from None

    def refresh(self) -> None:
        """Do nothing: there is no snapshot."""

    def history(self, subject: Subject, limit: int, *, skip: int = 0, public_only: bool = False) -> Sequence[PastRun]:
        """Return the subject's last runs, newest first; with `public_only`, none if the subject is private."""
        read = partial(self.catalogue.past_runs, subject, limit, skip=skip, public_only=public_only)
        return self._read("history", read)

    def histories(self, subjects: Sequence[Subject], limit: int) -> Mapping[Subject, Sequence[PastRun]]:
        """Return the last runs of several subjects, newest first."""
        return self._read("history", lambda: self.catalogue.latest_runs(subjects, limit))

    def _read(self, operation: str, read: Callable[[], _Read]) -> _Read:
        try:
            return read()
        except SQLAlchemyError as error:
            raise self._failure(operation, error) from None

    def _failure(self, operation: str, error: SQLAlchemyError) -> SourceUnavailable:
        self.events.emit(failure(operation, error))
        return SourceUnavailable(FailureKind.DATABASE)
