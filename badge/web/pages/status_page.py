"""The public status page of a subject: what readers see when they click its badge.

It says no more than the badge's JSON does, except for the link to the last run if the operator turns that on, and is
cached like a badge. It has a blueprint of its own, because other pages look for a session, and their answers differ by
cookie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from badge.appearance import alt_text
from badge.artwork.glyphs import STATUS_GLYPHS
from badge.deadline import Deadline
from badge.model import BackupStatus, InvalidSubject, Origin, Resolution, Subject
from badge.raw_path import STATUS_ROOT, is_too_long, status_path
from badge.resolving.resolver import absent_resolution
from badge.web.badges.answer import DRAWN_WITHIN_SECONDS
from badge.web.badges.http_cache import CachePolicy, cache_status
from badge.web.badges.request import TOKEN, Format
from badge.web.login.access import Viewer
from badge.web.page import PAGE_HEADERS, picture_for, with_etag
from badge.web.pages.parts import PagesParts
from badge.web.pages.run_page import RunPage
from badge.web.pages.status_facts import StatusFacts
from badge.web.snippets import Snippet, Syntax, snippet

HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}
PREVIEW = {"scale": "4"}
"""Parameters of the image that chats show: the largest scale."""


def blueprint(parts: PagesParts) -> Blueprint:
    """The routes under /status/."""
    pages = Blueprint("status", "badge.web", template_folder="templates")
    view = StatusPage(parts).page
    pages.add_url_rule(f"{STATUS_ROOT}<any_path:_>", "page", lambda _: view())
    return pages


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The view of a status page."""

    parts: PagesParts

    def page(self) -> Response:
        """Show the page; the same "not found" for private and absent subjects and for invalid paths."""
        token, deadline = request.args.get(TOKEN, ""), Deadline.after(DRAWN_WITHIN_SECONDS)
        try:
            subject = _subject()
        except InvalidSubject:
            absent = absent_resolution(self.parts.resolver.lifetimes, self.parts.clock())
            return self._missing(absent, is_shared=not token)
        permission = partial(self.parts.tokens.opens, subject, token, deadline)
        resolution = self.parts.resolver.resolve(subject, may_see_private=permission)
        if not (resolution.is_known and resolution.report.exists):
            return self._missing(resolution, is_shared=not token)
        return self._found(subject, resolution, token, deadline)

    def _found(self, subject: Subject, resolution: Resolution, token: str, deadline: Deadline) -> Response:
        parts, report = self.parts, resolution.report
        # The JSON of a deleted subject has no runs either.
        is_deleted = resolution.status is BackupStatus.DELETED
        runs = None if is_deleted else parts.recent_runs.of(subject, resolution, deadline)
        facts = StatusFacts.of(resolution, runs or ())
        return _response(
            "status.html",
            200,
            resolution.origin,
            replace(CachePolicy.of(resolution, facts.holds_for), is_shared=not token),
            subject=subject,
            facts=facts,
            glyph=STATUS_GLYPHS[facts.icon],
            picture=picture_for(resolution, parts.default_label),
            alt=alt_text(subject),
            is_private=not report.is_public,
            run_page=RunPage.of(report.url, Viewer()) if parts.shows_run_links else None,
            builder_path=parts.paths.to(f"/?{urlencode({'subject': subject.path})}"),
            embedded=self._embedded(subject, {} if report.is_public else {TOKEN: token}),
        )

    def _embedded(self, subject: Subject, query: dict[str, str]) -> Embedded | None:
        """Return what needs absolute URLs; None without a public URL."""
        parts = self.parts
        if not parts.public_origin:
            return None
        made = snippet(subject, parts.public_origin, paths=parts.paths, query=query)
        preview = {**query, **PREVIEW}
        image = snippet(subject, parts.public_origin, paths=parts.paths, format=Format.PNG, query=preview).image_url
        return Embedded(made, image)

    @staticmethod
    def _missing(resolution: Resolution, *, is_shared: bool) -> Response:
        """Say that there is no such subject, or that the status can't be determined now; the page names no subject."""
        policy = replace(CachePolicy.of(resolution, timedelta.max), is_shared=is_shared)
        response = _response(
            "status_missing.html",
            404 if resolution.is_known else 503,
            resolution.origin,
            policy,
            is_known=resolution.is_known,
        )
        if not resolution.is_known:
            response.headers["Retry-After"] = str(policy.max_age)
        return response


@dataclass(frozen=True, slots=True)
class Embedded:
    """The badge and its page, as others embed them."""

    snippet: Snippet
    preview_url: str
    """The image for chats."""

    @property
    def markdown(self) -> str:
        """The badge in Markdown, linked to this page."""
        return self.snippet.written_in(Syntax.MARKDOWN)


def _subject() -> Subject:
    if is_too_long(request.environ):
        raise InvalidSubject
    return Subject.from_path(status_path(request.environ))


def _response(template: str, http_status: int, origin: Origin, policy: CachePolicy, **values: object) -> Response:
    body = render_template(template, **values).encode()
    headers = {
        **HEADERS,
        "Cache-Control": policy.cache_control,
        "Cache-Status": cache_status(origin, policy),
    }
    return with_etag(body, http_status, headers, "text/html; charset=utf-8")
