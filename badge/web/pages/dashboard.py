"""The dashboard: a paged list of subjects, and how many of them are protected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from flask import redirect, request
from werkzeug.wrappers import Response as AnyResponse

from badge.appearance import WORDS
from badge.listing import (
    ListedSubject,
    ListingOrder,
    ListingPage,
    ListingTotals,
    ListUnavailable,
    NoList,
    StatusListing,
)
from badge.model import KNOWN_PLATFORMS, BackupStatus, InvalidSubject, PastRun, Subject, SubjectScope
from badge.ports import SourceUnavailable
from badge.web.login.access import Viewer
from badge.web.page import message, sentence, show
from badge.web.pages.account_badge import AccountBadge, scope_named
from badge.web.pages.downloads import CONTENT_TYPES, download
from badge.web.pages.parts import PagesParts
from badge.web.pages.repository_url import subject_named
from badge.web.pages.rows import SHOWN_RUNS, Row, row_of
from badge.web.pages.search import ORDER_NAMES, PERIOD_NAMES, Search
from badge.web.terminal import EXAMPLE

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The page's number, and the addresses of the pages around it."""

    number: int
    last: int
    previous: str | None
    following: str | None


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
            return message(400, "This link is not valid", "It is incomplete or out of date. Open the dashboard.")
        except SourceUnavailable as unavailable:
            sources = self.parts.resolver.routing.sources
            silent = unavailable.sources if isinstance(unavailable, ListUnavailable) else [one.name for one in sources]
            return _unlisted(_silent(silent, viewer))

    def _listed(self, listing: StatusListing, search: Search, viewer: Viewer) -> AnyResponse:
        now = self.parts.clock()
        wanted = search.filter(now, self.parts.paths, is_public_only=not viewer.sees_private)
        if (format := request.args.get("format")) in CONTENT_TYPES:
            return download(listing, search, wanted, str(format), now)
        cursor = request.args.get("cursor") or None
        page = listing.list(wanted, cursor, PAGE_SIZE, search.order)
        if cursor and not page.items:
            return redirect(self.parts.paths.to(search.own_path()), 303)  # the rest was deleted
        # The chosen status must not change the counts of the others.
        totals = listing.totals(replace(wanted, shown_as=None))
        silent = _silent(totals.silent, viewer)
        if silent and not totals.all and not search.is_narrowed:
            return _unlisted(silent)
        is_grouped = search.order is ListingOrder.NAME
        groups = groupby(self._rows(page.items, now), key=self._badge_of if is_grouped else lambda _: None)
        number = totals.all if search.status is None else totals.by_status.get(search.status, 0)
        return show(
            "dashboard.html",
            has_list=True,
            has_feed=self.parts.has_feed,
            search=search,
            totals=totals,
            silent=silent,
            first_steps=self._first_steps(viewer),
            terminal_note=self.parts.terminal.note,
            number=number,
            statuses=self._status_choices(search, totals),
            orders=ORDER_NAMES,
            periods=PERIOD_NAMES,
            platforms=KNOWN_PLATFORMS,
            groups=[(badge, [*rows]) for badge, rows in groups],
            account_badge=self._badge_for(wanted.scope),
            is_grouped=is_grouped,
            pages=self._pages(search, page, number, cursor),
            downloads={name.upper(): self.parts.paths.to(search.own_path(format=name)) for name in CONTENT_TYPES},
        )

    def _pages(self, search: Search, page: ListingPage, number: int, cursor: str | None) -> PageLinks:
        last = max(1, -(-number // PAGE_SIZE))
        given = request.args.get("page", "")
        # Only the cursor decides what is on a page; the page number is for people.
        current = min(int(given), last) if cursor and given.isdecimal() and len(given) < 9 else 1
        to = self.parts.paths.to
        previous = {"cursor": page.previous_cursor, "page": current - 1} if current > 2 else {}
        following = {"cursor": page.next_cursor, "page": current + 1}
        return PageLinks(
            number=current,
            last=last,
            previous=to(search.own_path(**previous)) if page.previous_cursor else None,
            following=to(search.own_path(**following)) if page.next_cursor else None,
        )

    def _rows(self, items: Sequence[ListedSubject], now: datetime) -> list[Row]:
        runs = self._runs([item.subject for item in items])
        return [self._row(item, runs.get(item.subject, ()), now) for item in items]

    def _row(self, item: ListedSubject, runs: Sequence[PastRun], now: datetime) -> Row:
        page_path, has_history = self.parts.paths.page(item.subject), self.parts.takes_reports(item.subject)
        return row_of(item, runs, page_path, self.parts.default_label, now, has_history=has_history)

    def _badge_of(self, row: Row) -> AccountBadge | None:
        return self._badge_for(SubjectScope(row.subject.platform, row.subject.account))

    def _badge_for(self, scope: SubjectScope | None) -> AccountBadge | None:
        known = scope_named(scope.platform, scope.account) if scope else None
        return AccountBadge(known, self.parts.paths, self.parts.public_origin) if known else None

    def _runs(self, listed: Sequence[Subject]) -> Mapping[Subject, Sequence[PastRun]]:
        """Return the last runs, or none if they are unavailable: the list is useful without them."""
        try:
            return self.parts.history.histories(listed, SHOWN_RUNS) if self.parts.history else {}
        except SourceUnavailable:
            return {}

    def _first_steps(self, viewer: Viewer) -> Sequence[str]:
        """Return the commands `report` and `demo`, which fill an empty list; none for viewers who can't report."""
        can_report = viewer.sees_private and self.parts.takes_reports(Subject.from_path(EXAMPLE))
        command = self.parts.terminal.command
        return (command("report", EXAMPLE, "succeeded"), command("demo")) if can_report else ()

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
            subject = subject_named(self.parts.paths.own(typed))
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
