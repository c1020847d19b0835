"""The catalogue as a place to ask, and as a list of what there is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.store import Catalogue
from badge.model import Report, Subject
from badge.ports import Deadline, ListingFilter, ListingPage, SourceUnavailable

UNAVAILABLE = "database"


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """`StatusSource` and `StatusListing` over the embedded catalogue."""

    catalogue: Catalogue
    name: str = "catalogue"

    def called(self, name: str) -> CatalogueSource:
        """The same under another name."""
        return replace(self, name=name)

    def folds_case(self, subject: Subject) -> bool:
        """It compares accounts and names as their platform does."""
        del subject
        return True

    def is_local(self, subject: Subject) -> bool:
        """The database is as near as the cache."""
        del subject
        return True

    def fetch(self, subject: Subject, known: Report | None, deadline: Deadline) -> Report:
        """What the catalogue says; the database's own busy timeout keeps it within any deadline."""
        del known, deadline
        try:
            report = self.catalogue.report_for(subject)
        except SQLAlchemyError:
            raise SourceUnavailable(UNAVAILABLE) from None
        return report if report is not None else Report.absent(self.catalogue.clock())

    def list(self, filter: ListingFilter, cursor: str | None = None, limit: int = 100) -> ListingPage:
        """One page of the catalogue."""
        try:
            return self.catalogue.list(filter, cursor, limit)
        except SQLAlchemyError:
            raise SourceUnavailable(UNAVAILABLE) from None
