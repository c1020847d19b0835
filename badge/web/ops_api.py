"""The native contract, served from the embedded catalogue; always with an API key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, request

from badge.catalogue.events import InvalidEvent
from badge.catalogue.keys import ApiKeys, KeyVerdict, Scope
from badge.catalogue.store import Catalogue
from badge.contract import format_time, status_document
from badge.model import BackupStatus, InvalidSubject, Report, Subject
from badge.ports import Clock
from badge.web.errors import PROBLEM_TYPE, as_json, problem
from badge.web.ops_body import BadBody, read_event

KEY_HEADER = "X-API-Key"
SUBJECT_PARAMETERS = ("platform", "account", "subjectType", "subjectName")

# Answers are for the key's holder alone, and are to be confirmed by their ETag each time.
OPS_HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


class Refusal(Exception):
    """An answer other than what was asked for: a problem document with any further members."""

    def __init__(self, status: int, code: str, detail: str, **members: object) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.members = status, code, detail, members


@dataclass(frozen=True, slots=True)
class OpsApi:
    """The views of /ops."""

    catalogue: Catalogue
    keys: ApiKeys
    clock: Clock
    on_change: Callable[[Subject], None]
    """Hears of each subject whose status changed."""

    def status(self) -> Response:
        """GET /ops/status: one subject's status, or 304 for the ETag that the caller has."""
        self._admit(Scope.READ)
        subject = _subject_asked_for()
        report = self.catalogue.report_for(subject)
        if report is None:
            raise Refusal(404, "NOT_FOUND", "There is no such subject.")
        if report.status is BackupStatus.DELETED:
            raise _gone(report)
        if request.if_none_match.contains_weak(str(report.revision)):
            return Response(status=304, headers={**OPS_HEADERS, "ETag": _validator(report)})
        return _json(status_document(subject, report), ETag=_validator(report))

    def report(self) -> Response:
        """POST /ops/status/report: a backup began, ended or is queued; its subject was deleted."""
        self._admit(Scope.REPORT)
        if not request.is_json:
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
        try:
            event = read_event(request.get_data(), now=self.clock())
            recorded = self.catalogue.record(event)
        except (BadBody, InvalidEvent) as bad:
            raise Refusal(400, "INVALID_REPORT", str(bad)) from None
        if recorded.applied:
            self.on_change(event.subject)
        return _json({"applied": recorded.applied, **status_document(event.subject, recorded.report)})

    def _admit(self, scope: Scope) -> None:
        match self.keys.check(request.headers.get(KEY_HEADER, ""), scope, self.clock()):
            case KeyVerdict.OK:
                return
            case KeyVerdict.LACKS_SCOPE:
                raise Refusal(403, "FORBIDDEN", f"This key lacks the scope {scope.value!r}.")
            case _:
                raise Refusal(401, "UNAUTHENTICATED", f"Send a valid API key as {KEY_HEADER}.")


def blueprint(api: OpsApi) -> Blueprint:
    """/ops/status and /ops/status/report."""
    ops = Blueprint("ops", __name__, url_prefix="/ops")
    ops.add_url_rule("/status", "status", api.status, methods=["GET"])
    ops.add_url_rule("/status/report", "report", api.report, methods=["POST"])
    ops.register_error_handler(Refusal, _refused)
    return ops


def _refused(refusal: Refusal) -> Response:
    body = problem(refusal.status, refusal.code, refusal.detail, **refusal.members)
    response = Response(body, refusal.status, OPS_HEADERS, content_type=PROBLEM_TYPE)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = f'ApiKey realm="backup status", header="{KEY_HEADER}"'
    return response


def _validator(report: Report) -> str:
    # Weak: observedAt moves on while the revision, and so the meaning, stays.
    return f'W/"{report.revision}"'


def _subject_asked_for() -> Subject:
    missing = [name for name in SUBJECT_PARAMETERS if not request.args.get(name)]
    if missing:
        raise Refusal(400, "INVALID_SUBJECT", f"Missing: {', '.join(missing)}.")
    try:
        return Subject.parse(*(request.args[name] for name in SUBJECT_PARAMETERS))
    except InvalidSubject as invalid:
        raise Refusal(400, "INVALID_SUBJECT", f"{invalid}.") from None


def _gone(report: Report) -> Refusal:
    deleted_at = format_time(report.deleted_at) if report.deleted_at else None
    return Refusal(
        410,
        "GONE",
        "The repository or its backup definition was deleted.",
        backupStatus=report.status,
        deletedAt=deleted_at,
        visibility=report.visibility,
        revision=report.revision,
    )


def _json(document: Mapping[str, object], **headers: str) -> Response:
    return Response(as_json(document), 200, {**OPS_HEADERS, **headers}, content_type="application/json")
