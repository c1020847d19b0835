"""One subject's page: its status in a sentence, its last backup, its runs, and the badge to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flask import redirect, request
from werkzeug.wrappers import Response as AnyResponse

from badge import appearance
from badge.appearance import Look
from badge.artwork.glyphs import STATUS_GLYPHS
from badge.model import BackupStatus, InvalidSubject, Origin, PastRun, Report, Resolution, Subject, unless_ahead
from badge.ports import SourceUnavailable
from badge.raw_path import raw_path
from badge.web.badges.request import TOKEN
from badge.web.links import Link
from badge.web.login.access import Viewer
from badge.web.page import Moment, exact_length, message, picture_for, sentence, show, size
from badge.web.pages.check_facts import CheckFacts, check_of
from badge.web.pages.choices import BadgeForm, Choices
from badge.web.pages.headline import headline, never_succeeded
from badge.web.pages.history import SHOWN_RUNS, history_page, page_number, reported_start
from badge.web.pages.parts import PagesParts
from badge.web.pages.run_page import RunPage
from badge.web.pages.tokens import SubjectTokens
from badge.web.paths import DASHBOARD_ROOT

if TYPE_CHECKING:
    from badge.catalogue.checks import Check


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
        from badge.web.login.form import forged_form  # noqa: PLC0415 - not needed without a login

        try:
            subject = _subject()
        except InvalidSubject as invalid:
            return _not_a_subject(invalid)
        tokens = SubjectTokens.of(self.parts, subject)
        if tokens.store is None or not viewer.sees_private:
            return message(403, "You can't change tokens here", "Use `badge token` on the server.")
        if (refused := forged_form()) is not None:
            return refused
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - needed only where there is a store

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
        parts, number = self.parts, page_number(request.args.get("page", ""))
        resolution = parts.resolver.resolve(subject, may_see_private=lambda: viewer.sees_private)
        report, now = resolution.report, resolution.now
        runs = self._runs(subject, number) if report.exists else []
        page_path = parts.paths.page(subject)
        if number > 1 and not runs:
            return redirect(page_path, 303)  # there are fewer runs by now
        check = check_of(subject, parts) if report.exists else None
        overdue_since = check.overdue_at if check and check.overdue_at and check.overdue_at <= now else None
        has_history = parts.takes_reports(subject)
        tokens = SubjectTokens.of(parts, subject)
        token = tokens.shown(report, given_token, is_new=bool(created))
        is_private = report.exists and not report.is_public
        return show(
            "details.html",
            subject=subject,
            headline=headline(resolution, overdue_since=overdue_since, has_history=has_history),
            face=appearance.face_of(resolution, Look()),
            glyphs=STATUS_GLYPHS,
            facts=_facts(resolution, has_history=has_history),
            run_page=RunPage.of(report.url, viewer),
            check=self._check(check, viewer, now),
            source=self._source(subject, resolution, viewer),
            resolution=resolution,
            is_private=is_private,
            tokens=tokens.form(token, created, fault) if is_private else None,
            token=token if given_token else "",
            picture=picture_for(resolution, parts.default_label),
            alt=appearance.alt_text(subject),
            history=history_page(number, runs, now, viewer),
            page_path=page_path,
            is_open="dialog" in request.args or request.method == "POST",
            form=self._form(subject, report, token, is_given=bool(given_token)),
            status_path=self._status_path(subject, report),
            report_command=self._report_command(subject, viewer),
            terminal_note=parts.terminal.note,
            sees_private=viewer.sees_private,
        )

    def _status_path(self, subject: Subject, report: Report) -> str | None:
        has_status_page = report.is_public and self.parts.links.has_status_pages
        return self.parts.paths.status(subject.path) if has_status_page else None

    def _check(self, check: Check | None, viewer: Viewer, now: datetime) -> CheckFacts | None:
        """Return the check's facts; None for viewers who may not see them, because its ping URL is a secret."""
        if check is None or not viewer.sees_private:
            return None
        return CheckFacts.of(check, self.parts, now)

    def _source(self, subject: Subject, resolution: Resolution, viewer: Viewer) -> list[Fact]:
        source = self.parts.resolver.routing.source_for(subject)
        return _freshness(resolution, viewer.named(source.name) if source else "no source")

    def _form(self, subject: Subject, report: Report, token: str, *, is_given: bool) -> BadgeForm:
        choices = Choices.read(request.args, self.parts.default_label, self.parts.links)
        also = {TOKEN: token} if token and is_given else {}
        shared = f"{self.parts.paths.page(subject)}?{choices.shared(dialog='open', **also)}"
        parts = self.parts
        offer = choices.offer(subject, parts.public_origin, parts.clock(), parts.paths, token, _closed(report, token))
        return BadgeForm(choices, offer, shared)

    def _report_command(self, subject: Subject, viewer: Viewer) -> str:
        """Return the command that reports a status, or nothing if this viewer can't report one."""
        can_report = viewer.sees_private and self.parts.takes_reports(subject)
        return self.parts.terminal.command("report", subject.path, "succeeded") if can_report else ""

    def _runs(self, subject: Subject, number: int) -> Sequence[PastRun]:
        """Return a page of the history and one older run, or nothing if the history is unavailable."""
        history, skip = self.parts.history, (number - 1) * SHOWN_RUNS
        try:
            return history.history(subject, SHOWN_RUNS + 1, skip=skip) if history else []
        except SourceUnavailable:
            return []


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
class Fact:
    """A fact: words, a time, or both."""

    name: str
    words: str = ""
    moment: Moment | None = None


def _facts(resolution: Resolution, *, has_history: bool) -> list[Fact]:
    """Return what was reported about the last run, and about the next one."""
    report, now = resolution.report, resolution.now
    started, ended = reported_start(report), unless_ahead(report.finished_at, now)
    succeeded = appearance.last_success(resolution)
    is_never = report.exists and has_history and never_succeeded(report)
    is_deleted = report.status is BackupStatus.DELETED
    found = [
        Fact("Reason", appearance.reason_words(report) or ""),
        _timed("Started", started, now),
        _timed("Finished", ended, now),
        Fact("Duration", exact_length(report.finished_at - started) if started and report.finished_at else ""),
        Fact("Size", size(report.size_bytes) if report.size_bytes is not None else ""),
        Fact("Last success", "never") if is_never else _timed("Last success", succeeded, now),
        *_verification(report, now),
        _timed("Next run", None if is_deleted else report.next_run_at, now),
        _timed("Deleted", report.deleted_at, now),
    ]
    return [fact for fact in found if fact.words or fact.moment]


def _verification(report: Report, now: datetime) -> list[Fact]:
    if (known := report.verification) is None:
        return []
    moment = unless_ahead(known.at, now)
    words = "" if moment else appearance.UNKNOWN_TIME
    return [Fact(appearance.VERIFICATIONS[known.outcome, known.how], words, Moment.of(moment, now))]


def _timed(name: str, moment: datetime | None, now: datetime) -> Fact:
    return Fact(name, moment=Moment.of(moment, now))


def _freshness(resolution: Resolution, source: str) -> list[Fact]:
    """Return which source the status came from, when it was last confirmed, and when it will be fetched again."""
    now, again = resolution.now, _timed("Next refresh", resolution.now + resolution.fresh_for, resolution.now)
    checked = _timed("Last confirmed", now - resolution.age, now)
    match resolution.origin:
        case Origin.CACHE | Origin.UPSTREAM:
            return [Fact("Source", source), checked, again]
        case Origin.STALE:
            return [Fact("Source", f"{source}, which did not answer"), checked, again]
        case Origin.FALLBACK:
            return [Fact("Source", source), again]
