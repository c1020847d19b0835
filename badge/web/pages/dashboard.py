"""The dashboard: a paged list of subjects, and how many of them are protected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from urllib.parse import urlencode

from flask import redirect, request
from werkzeug.wrappers import Response as AnyResponse

from badge import appearance
from badge.appearance import WORDS
from badge.listing import (
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListingTotals,
    ListUnavailable,
    NoList,
    StatusListing,
)
from badge.model import BackupStatus, InvalidSubject, Origin, Resolution, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.web.login.access import Viewer
from badge.web.page import Moment, message, picture_for, sentence, show
from badge.web.pages.parts import PagesParts
from badge.web.pages.repository_url import subject_at, subject_named
from badge.web.paths import DASHBOARD
from badge.web.terminal import EXAMPLE

PAGE_SIZE = 50
LONGEST_SEARCH = 200
MOST_WORDS = 8

_ORDER_NAMES = {
    ListingOrder.NAME: "by name",
    ListingOrder.LATEST: "latest first",
    ListingOrder.WORST: "worst first",
}


@dataclass(frozen=True, slots=True)
class Search:
    """A search on the dashboard."""

    text: str = ""
    status: BackupStatus | None = None
    order: ListingOrder = ListingOrder.NAME

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Search:
        """Read the search from the query; a bad value counts as none."""
        status, order = given.get("status"), given.get("sort")
        return cls(
            text=given.get("q", "")[:LONGEST_SEARCH].strip(),
            status=BackupStatus(status) if status in tuple(BackupStatus) else None,
            order=ListingOrder(order) if order in tuple(ListingOrder) else ListingOrder.NAME,
        )

    def filter(self, viewer: Viewer) -> ListingFilter:
        """Return the filter for the listing."""
        subject = subject_at(self.text)
        words = (str(subject),) if subject else tuple(self.text.split()[:MOST_WORDS])
        return ListingFilter(shown_as=self.status, words=words, is_public_only=not viewer.sees_private)

    def own_path(self, cursor: str | None = None) -> str:
        """Return the application's own path of the results, starting at `cursor`."""
        order = self.order if self.order is not ListingOrder.NAME else None
        chosen = {"q": self.text or None, "status": self.status, "sort": order, "cursor": cursor}
        query = urlencode({name: value for name, value in chosen.items() if value is not None})
        return f"{DASHBOARD}?{query}" if query else DASHBOARD


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The view of /dashboard."""

    parts: PagesParts

    def dashboard(self, viewer: Viewer) -> AnyResponse:
        """Show the list, or redirect to the page of the subject in the query."""
        if "subject" in request.args:
            return self._to_subject(request.args["subject"])
        listing = self.parts.listing
        try:
            return self._listed(listing, Search.read(request.args), viewer) if listing else _unlisted()
        except NoList:
            return _unlisted()
        except ValueError:
            return message(400, "Page not found", "This link is incomplete or no longer valid. Open the dashboard.")
        except SourceUnavailable as unavailable:
            sources = self.parts.resolver.routing.sources
            silent = unavailable.sources if isinstance(unavailable, ListUnavailable) else [one.name for one in sources]
            return _unlisted(_silent(silent, viewer))

    def _listed(self, listing: StatusListing, search: Search, viewer: Viewer) -> AnyResponse:
        cursor = request.args.get("cursor") or None
        wanted = search.filter(viewer)
        page = listing.list(wanted, cursor, PAGE_SIZE, search.order)
        # The chosen status must not change the counts of the others.
        totals = listing.totals(replace(wanted, shown_as=None))
        silent = _silent(totals.silent, viewer)
        if silent and not totals.all and not search.text:
            return _unlisted(silent)
        is_grouped = search.order is ListingOrder.NAME
        groups = groupby(page.items, key=_account if is_grouped else lambda _: "")
        return show(
            "dashboard.html",
            has_list=True,
            search=search,
            totals=totals,
            silent=silent,
            first_steps=self._first_steps(viewer),
            terminal_note=self.parts.terminal.note,
            number=totals.all if search.status is None else totals.by_status.get(search.status, 0),
            statuses=self._status_choices(search, totals),
            orders=_ORDER_NAMES,
            groups=[(title, [self._row(item) for item in items]) for title, items in groups],
            is_grouped=is_grouped,
            first_page=self.parts.paths.to(search.own_path()) if cursor else None,
            next_page=self.parts.paths.to(search.own_path(page.next_cursor)) if page.next_cursor else None,
        )

    def _first_steps(self, viewer: Viewer) -> Sequence[str]:
        """Return the commands `report` and `demo`, which fill an empty list; none for viewers who can't report."""
        can_report = viewer.sees_private and self.parts.takes_reports(Subject.from_path(EXAMPLE))
        command = self.parts.terminal.command
        return (command("report", EXAMPLE, "succeeded"), command("demo")) if can_report else ()

    def _row(self, item: ListedSubject) -> dict[str, object]:
        now = self.parts.clock()
        report = replace(item.report, status=item.report.status_at(now))
        # From the list's own report, because resolving each row could call its source.
        known = Resolution(report=report, origin=Origin.CACHE, age=timedelta(0), fresh_for=timedelta(0), now=now)
        return {
            "subject": item.subject,
            "picture": picture_for(known, self.parts.default_label),
            "page_path": self.parts.paths.page(item.subject),
            "alt": appearance.alt_text(item.subject),
            "status": WORDS[report.status],
            "is_private": report.visibility is Visibility.PRIVATE,
            "last": Moment.of(report.finished_at or report.started_at or report.deleted_at, now),
        }

    def _status_choices(self, search: Search, totals: ListingTotals) -> list[dict[str, object]]:
        """Return a link for each status that occurs, with its count."""
        offered: list[tuple[BackupStatus | None, str, int]] = [(None, "all", totals.all)]
        offered += [(status, WORDS[status], totals.by_status.get(status, 0)) for status in WORDS]
        return [
            {
                "words": words,
                "number": number,
                "address": self.parts.paths.to(replace(search, status=status).own_path()),
                "is_chosen": status is search.status,
            }
            for status, words, number in offered
            if number or status in (None, search.status)
        ]

    def _to_subject(self, typed: str) -> AnyResponse:
        try:
            subject = subject_named(typed)
        except InvalidSubject as invalid:
            return show("dashboard.html", 400, has_list=False, typed=typed, fault=sentence(str(invalid)))
        # A path without a host, built here, so the redirect stays on this service.
        return redirect(self.parts.paths.page(subject), 303)


def _unlisted(silent: str = "") -> AnyResponse:
    """Show the form for one subject instead of a list; `silent` names the sources that did not answer, if any."""
    return show("dashboard.html", 503 if silent else 200, has_list=False, silent=silent)


def _silent(sources: Sequence[str], viewer: Viewer) -> str:
    """Return the names of the sources that did not answer, as this viewer may see them."""
    return viewer.named(*sources) if sources else ""


def _account(item: ListedSubject) -> str:
    return f"{item.subject.platform} · {item.subject.account}"
