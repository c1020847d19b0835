"""One subject's page: its last backup, its history, and the badge to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import redirect, request
from werkzeug.wrappers import Response as AnyResponse

from badge import appearance
from badge.contract import https_url
from badge.model import BackupStatus, InvalidSubject, Origin, PastRun, Report, Resolution, Subject
from badge.ports import SourceUnavailable
from badge.raw_path import raw_path
from badge.web.badges.request import TOKEN
from badge.web.links import Link
from badge.web.login.access import Viewer
from badge.web.page import Moment, exact_length, length, message, picture_for, sentence, show, size
from badge.web.pages.choices import BadgeForm, Choices
from badge.web.pages.history import SHOWN_RUNS, history_picture
from badge.web.pages.parts import PagesParts
from badge.web.pages.tokens import SubjectTokens
from badge.web.paths import DASHBOARD_ROOT


@dataclass(frozen=True, slots=True)
class Details:
    """The view of a subject's page."""

    parts: PagesParts

    def details(self, viewer: Viewer) -> AnyResponse:
        """Show the page; `dialog` in the query opens the dialog."""
        try:
            subject = _subject()
        except InvalidSubject as invalid:
            return _not_a_subject(invalid)
        return self._page(subject, viewer, request.args.get(TOKEN, ""))

    def change_tokens(self, viewer: Viewer) -> AnyResponse:
        """Create or revoke a private token, as requested by the dialog's forms."""
        from badge.web.login.form import forged_form  # noqa: PLC0415 - 1.6 MB that not every way to log in needs

        try:
            subject = _subject()
        except InvalidSubject as invalid:
            return _not_a_subject(invalid)
        tokens = SubjectTokens.of(self.parts, subject)
        if tokens.store is None or not viewer.sees_private:
            return message(403, "You can't change tokens here", "Use `badge token` on the server.")
        if (refused := forged_form()) is not None:
            return refused
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - loaded where there is a store

        try:
            if (revoked := request.form.get("revoke")) is not None:
                tokens.revoke(revoked)
                return redirect(f"{self.parts.paths.page(subject)}?dialog=open#badge-dialog", 303)
            name = request.form.get("name", "").strip()
            token, fault = tokens.create(name)
        except SQLAlchemyError as error:
            tokens.failed(error)
            return message(503, "The catalogue is unavailable", "Nothing was changed. Try again shortly.")
        return self._page(subject, viewer, token, created=name if token else "", fault=fault)

    def _page(
        self, subject: Subject, viewer: Viewer, given_token: str, *, created: str = "", fault: str = ""
    ) -> AnyResponse:
        source = self.parts.resolver.routing.source_for(subject)
        resolution = self.parts.resolver.resolve(subject, may_see_private=lambda: viewer.sees_private)
        report = resolution.report
        runs = self._runs(subject) if report.exists else []
        tokens = SubjectTokens.of(self.parts, subject)
        token = tokens.shown(report, given_token)
        is_private = report.exists and not report.is_public
        has_status_page = report.is_public and self.parts.links.has_status_pages
        return show(
            "details.html",
            subject=subject,
            moments=self._moments(resolution),
            facts=_facts(resolution),
            run_page=RunPage.of(report, viewer),
            freshness=_freshness(resolution, viewer.named(source.name) if source else "no source"),
            status_words=appearance.message_for(resolution) if report.exists else "nothing known",
            resolution=resolution,
            is_private=is_private,
            tokens=tokens.form(token, created, fault) if is_private else None,
            token=token if given_token else "",
            picture=picture_for(resolution, self.parts.default_label),
            alt=appearance.alt_text(subject),
            history=history_picture(runs, resolution.now),
            page_path=self.parts.paths.page(subject),
            is_open="dialog" in request.args or request.method == "POST",
            form=self._form(subject, report, token, is_given=bool(given_token)),
            status_path=self.parts.paths.status(subject.path) if has_status_page else None,
            report_command=self._report_command(subject, viewer),
            terminal_note=self.parts.terminal.note,
        )

    def _form(self, subject: Subject, report: Report, token: str, *, is_given: bool) -> BadgeForm:
        choices = Choices.read(request.args, self.parts.default_label, self.parts.links)
        also = {TOKEN: token} if token and is_given else {}
        shared = f"{self.parts.paths.page(subject)}?{choices.shared(dialog='open', **also)}"
        parts = self.parts
        offer = choices.offer(subject, parts.public_url, parts.clock(), parts.paths, token, _closed(report, token))
        return BadgeForm(choices, offer, shared)

    def _report_command(self, subject: Subject, viewer: Viewer) -> str:
        """Return the command that reports a status, or nothing if this viewer can't report one."""
        can_report = viewer.sees_private and self.parts.takes_reports(subject)
        return self.parts.terminal.command("report", subject.path, "succeeded") if can_report else ""

    def _runs(self, subject: Subject) -> Sequence[PastRun]:
        """Return the history, or nothing if it is unavailable: the page is useful without it."""
        try:
            return self.parts.history.history(subject, SHOWN_RUNS) if self.parts.history else []
        except SourceUnavailable:
            return []

    def _moments(self, resolution: Resolution) -> list[tuple[str, Moment]]:
        report = resolution.report
        moments = {
            "Started": _reported_start(report),
            "Finished": report.finished_at,
            "Last success": appearance.last_success(resolution),
            "Next run": None if report.status is BackupStatus.DELETED else report.next_run_at,
            "Deleted": report.deleted_at,
        }
        return [(name, shown) for name, moment in moments.items() if (shown := Moment.of(moment, resolution.now))]


def _closed(report: Report, token: str) -> dict[Link, str]:
    """Return what to say about links that not every reader can open."""
    if not report.exists:
        return {Link.STATUS: "Readers can't open the status page until a backup is reported."}
    if report.is_public:
        return {}
    closed = {Link.REPOSITORY: "Only readers with access to the repository can open this link."}
    return closed if token else {**closed, Link.STATUS: "Readers can't open the status page without a token."}


def _subject() -> Subject:
    return Subject.from_path(raw_path(request.environ).removeprefix(DASHBOARD_ROOT))


def _not_a_subject(invalid: InvalidSubject) -> AnyResponse:
    return message(400, "This URL does not name a repository", sentence(str(invalid)))


@dataclass(frozen=True, slots=True)
class RunPage:
    """The link to a run's own page."""

    url: str
    host: str

    @classmethod
    def of(cls, report: Report, viewer: Viewer) -> RunPage | None:
        """Return the link, or None if there is none or this viewer must not learn the upstream's URL."""
        url = https_url(report.url)
        return cls(url, urlsplit(url).hostname or "") if url and viewer.sees_private else None


def _reported_start(report: Report) -> datetime | None:
    """Return the start if it was reported; if not, the catalogue has the event's time in its place."""
    started, finished = report.started_at, report.finished_at
    is_made_up = report.status is BackupStatus.SCHEDULED or (started and finished and started >= finished)
    return None if is_made_up else started


def _facts(resolution: Resolution) -> list[tuple[str, str]]:
    report = resolution.report
    facts = []
    if words := appearance.reason_words(report):
        facts.append(("Reason", words))
    started = _reported_start(report)
    if started and report.finished_at:
        facts.append(("Duration", exact_length(report.finished_at - started)))
    if report.size_bytes is not None:
        facts.append(("Size", size(report.size_bytes)))
    return facts


def _freshness(resolution: Resolution, source: str) -> str:
    """Say which source the status came from, when it was fetched and when it will be fetched again."""
    checked = "just now" if resolution.age < timedelta(seconds=1) else f"{length(resolution.age)} ago"
    again = f"in {max(1, round(resolution.fresh_for.total_seconds()))} s"
    match resolution.origin:
        case Origin.CACHE | Origin.UPSTREAM:
            return f"{source}, checked {checked}, next check {again}"
        case Origin.STALE:
            return f"{source} does not answer; this status was confirmed {checked}. Next attempt {again}"
        case Origin.FALLBACK:
            return f"{source} does not answer, and no status is cached. Next attempt {again}"
