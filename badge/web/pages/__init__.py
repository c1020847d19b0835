"""The dashboard: which subjects there are, each one's page, and the badge to copy from it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from flask import Blueprint, Response, redirect, render_template, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from badge import appearance
from badge.appearance import COLOURS, TONES, WORDS, Palette
from badge.artwork import svg
from badge.contract import format_time
from badge.model import BackupStatus, Badge, InvalidSubject, Resolution, Style, Subject, Visibility
from badge.ports import Clock, ListedSubject, ListingFilter, SourceUnavailable, StatusListing
from badge.resolver import Resolver
from badge.web.badge_request import raw_path
from badge.web.local_only import is_local
from badge.web.snippets import badge_path, page_path, snippet

PAGE_SIZE = 50
DASHBOARD_ROOT = "/dashboard/"

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
STATIC_FOLDER = Path(__file__).with_name("static")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as pages show it: exact for machines and hovering, in words for people."""

    exact: str
    words: str

    @classmethod
    def of(cls, moment: datetime | None, now: datetime) -> Moment | None:
        """None stays None."""
        return cls(format_time(moment.replace(microsecond=0)), relative(moment - now)) if moment else None


@dataclass(frozen=True, slots=True)
class PagesParts:
    """What the pages need."""

    resolver: Resolver
    listing: StatusListing | None
    clock: Clock
    public_url: str
    """Empty where none is set; the browser's own address then serves."""
    who_may_see: str


@dataclass(frozen=True, slots=True)
class Pages:
    """The views."""

    parts: PagesParts

    def home(self) -> Response:
        """What this is, for anybody."""
        return _page("home.html")

    def sheet(self) -> Response:
        """Every status in every look, for eyes.

        The pictures are in the page itself: under an address of its own each would be a badge that
        says "succeeded" without anybody having said so.
        """
        response = _page("badges.html", palettes=[(palette, _sheet_rows(palette)) for palette in Palette])
        response.headers["Content-Security-Policy"] = PAGE_HEADERS["Content-Security-Policy"].replace(
            "img-src 'self'", "img-src 'self' data:"
        )
        return response

    def dashboard(self) -> AnyResponse:
        """The subjects there are, a page at a time."""
        if (refused := self._refused()) is not None:
            return refused
        if "subject" in request.args:
            return self._to_subject(request.args["subject"])
        if self.parts.listing is None:
            return _page("dashboard.html", groups=None)
        try:
            page = self.parts.listing.list(ListingFilter(), request.args.get("cursor") or None, PAGE_SIZE)
        except ValueError:
            return _message(400, "This page does not exist", "Its address was cut or changed. Begin at the dashboard.")
        except SourceUnavailable:
            return _message(503, "The list can't be had just now", "The catalogue did not answer. Reload in a moment.")
        groups = groupby(page.items, key=lambda item: f"{item.subject.platform} · {item.subject.account}")
        rows = [(title, [self._row(item) for item in items]) for title, items in groups]
        return _page("dashboard.html", groups=rows, next_cursor=page.next_cursor)

    def details(self) -> Response:
        """One subject: its last backup, and the badge to copy."""
        if (refused := self._refused()) is not None:
            return refused
        try:
            subject = Subject.from_path(raw_path(request.environ).removeprefix(DASHBOARD_ROOT))
        except InvalidSubject as invalid:
            return _message(400, "This address names no repository", f"{str(invalid).capitalize()}.")
        resolution = self.parts.resolver.resolve(subject, may_see_private=True)
        snippets = {"long": snippet(subject, self.parts.public_url)}
        if subject.legacy_path:
            snippets["short"] = snippet(subject, self.parts.public_url, is_short=True)
        return _page(
            "details.html",
            subject=subject,
            facts=self._facts(resolution),
            status_words=appearance.message_for(resolution) if resolution.report.exists else "nothing known",
            is_known=resolution.report.exists,
            is_private=resolution.report.visibility is Visibility.PRIVATE,
            badge_path=badge_path(subject.path),
            alt=appearance.alt_text(subject),
            snippets=snippets,
            needs_origin=not self.parts.public_url,
        )

    def _refused(self) -> Response | None:
        if self.parts.who_may_see == "off":
            return _message(404, "There is no dashboard here", "The operator has switched it off.")
        if not is_local(request.environ):
            explained = (
                "The dashboard is shown on the machine that runs the service, at a loopback address such as "
                "http://127.0.0.1:8000/dashboard. From elsewhere, forward a port to it: "
                "ssh -L 8000:127.0.0.1:8000 your-server"
            )
            return _message(403, "Only from the machine itself", explained)
        return None

    def _to_subject(self, typed: str) -> AnyResponse:
        try:
            subject = Subject.from_path(typed.strip().strip("/"))
        except InvalidSubject as invalid:
            return _message(400, "This names no repository", f"{str(invalid).capitalize()}.")
        # To a path of our own making, on whichever host the browser is.
        return redirect(page_path(subject), 303)

    def _row(self, item: ListedSubject) -> dict[str, object]:
        now, report = self.parts.clock(), item.report
        last = Moment.of(report.finished_at or report.started_at or report.deleted_at, now)
        return {
            "subject": item.subject,
            "badge_path": badge_path(item.subject.path),
            "page_path": page_path(item.subject),
            "alt": appearance.alt_text(item.subject),
            "status": WORDS[report.status],
            "is_private": report.visibility is Visibility.PRIVATE,
            "last": last,
        }

    def _facts(self, resolution: Resolution) -> list[tuple[str, Moment]]:
        now, report = self.parts.clock(), resolution.report
        facts = {
            "Started": report.started_at,
            "Finished": report.finished_at,
            "Last success": report.last_success_at,
            "Next run": report.next_run_at,
            "Deleted": report.deleted_at,
            "Source asked": resolution.confirmed_at if report.exists else None,
        }
        return [(name, shown) for name, moment in facts.items() if (shown := Moment.of(moment, now))]


def blueprint(parts: PagesParts) -> Blueprint:
    """/, /dashboard, the subjects' pages and what they load."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    views = Pages(parts)
    pages.add_url_rule("/", "home", views.home)
    pages.add_url_rule("/badges", "sheet", views.sheet)
    pages.add_url_rule("/dashboard", "dashboard", views.dashboard)
    pages.add_url_rule(f"{DASHBOARD_ROOT}<any_path:_>", "details", _ignoring_path(views.details))
    pages.add_url_rule("/static/<name>", "static", _static)
    return pages


def _sheet_rows(palette: Palette) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each style with its pictures: the statuses without and with their glyphs, as (source, words)."""
    looks = [(icon, status) for icon in (False, True) for status in WORDS]
    return [(style.value, [_sheet_picture(palette, style, status, icon) for icon, status in looks]) for style in Style]


def _sheet_picture(palette: Palette, style: Style, status: BackupStatus, icon: object) -> tuple[str, str]:
    badge = Badge(
        label="backup",
        message=WORDS[status],
        colour=COLOURS[palette][TONES[status]],
        style=style,
        icon=status.value if icon else None,
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.draw(badge)).decode()}", f"backup: {WORDS[status]}"


def relative(distance: timedelta) -> str:
    """A distance from now in words: "in 5 minutes", "3 hours ago"."""
    seconds = round(abs(distance.total_seconds()))
    if seconds < 1:
        return "just now"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size:
            number = seconds // size
            words = f"{number} {unit}{'s' if number > 1 else ''}"
            return f"in {words}" if distance > timedelta(0) else f"{words} ago"
    raise AssertionError(seconds)


def _ignoring_path(view: Callable[[], Response]) -> Callable[[str], Response]:
    """The view reads the raw path itself, for the routed one has lost its `%2F`."""
    return lambda _: view()


def _static(name: str) -> Response:
    response = send_from_directory(STATIC_FOLDER, name, max_age=3600)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _page(template: str, status: int = 200, **values: object) -> Response:
    return Response(render_template(template, **values), status, PAGE_HEADERS, content_type="text/html; charset=utf-8")


def _message(status: int, title: str, text: str) -> Response:
    return _page("message.html", status, title=title, text=text)
