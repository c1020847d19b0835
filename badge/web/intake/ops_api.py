"""The native contract, served from the catalogue; always with an API key (docs/reference/native-contract.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.events import InvalidEvent, RunEvent, VerificationEvent
from badge.catalogue.faults import failure
from badge.catalogue.keys import ApiKeys, Grant, KeyRefused, Refusal, Scope
from badge.catalogue.store import Catalogue, MayNotPublish, Recorded
from badge.contract import format_time, status_document
from badge.events import StoredTimesAhead
from badge.model import BackupStatus, InvalidSubject, Report, Subject
from badge.ports import Clock, Events
from badge.web.errors import PROBLEM_TYPE, as_json, problem, problem_document
from badge.web.intake.ops_body import BadBody, Batch, ListQuery, SubjectBody, read_body, read_event
from badge.web.intake.rates import KeyRate

Body = TypeVar("Body", SubjectBody, Batch)

KEY_HEADER = "X-API-Key"

# Answers are only for the holder of the API key, and must be revalidated with their ETag each time.
OPS_HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}

UNAUTHENTICATED_AS = f'ApiKey realm="backup status", header="{KEY_HEADER}"'


class OpsRefused(Exception):
    """Raised to answer with a problem document; `members` are added to it."""

    def __init__(self, status: int, code: str, detail: str, **members: object) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.members = status, code, detail, members

    @property
    def document(self) -> dict[str, object]:
        """The problem document."""
        return problem_document(self.status, self.code, self.detail, **self.members)


@dataclass(frozen=True, slots=True)
class OpsApi:
    """The views of /ops."""

    catalogue: Catalogue
    keys: ApiKeys
    clock: Clock
    events: Events
    rate: KeyRate
    on_change: Callable[[Subject], None]
    """Called with each subject whose status changed."""

    def status(self) -> Response:
        """GET /ops/status: one subject's status, or 304 if the client's ETag still matches."""
        grant = self._admit(Scope.READ)
        subject = _subject_of(SubjectBody.from_query(request.args))
        report = self._report(subject, grant)
        if request.if_none_match.contains_weak(str(report.revision)):
            return Response(status=304, headers={**OPS_HEADERS, "ETag": _validator(report)})
        return _json(status_document(subject, report), ETag=_validator(report))

    def get_status(self) -> Response:
        """POST /ops/status/get: one subject's status, with its coordinates in a JSON body."""
        grant = self._admit(Scope.READ)
        subject = _subject_of(_body(SubjectBody))
        return _json(status_document(subject, self._report(subject, grant)))

    def batch(self) -> Response:
        """POST /ops/status/batch: up to 100 subjects, each with its own outcome, in the same order."""
        grant = self._admit(Scope.READ)
        return _json({"results": [self._result(one, grant) for one in _body(Batch).subjects]})

    def list(self) -> Response:
        """GET /ops/status/list: one page of the known subjects that the API key covers."""
        grant = self._admit(Scope.READ)
        try:
            query = ListQuery.from_query(request.args)
            page = self.catalogue.list(query.filter, query.cursor, query.limit, within=grant.subjects)
        except ValueError as bad:
            raise OpsRefused(400, "INVALID_REQUEST", str(bad)) from None
        items = [status_document(item.subject, item.report) for item in page.items]
        return _json({"items": items, "nextCursor": page.next_cursor})

    def report(self) -> Response:
        """POST /ops/status/report: record a run, a verification or both, or that the subject was deleted."""
        grant = self._admit(Scope.REPORT)
        _require_json()
        try:
            event = read_event(request.get_data())
            recorded = self._record(event, grant)
        except (BadBody, InvalidEvent) as bad:
            raise OpsRefused(400, "INVALID_REPORT", str(bad)) from None
        if recorded.is_ahead:
            self.events.emit(StoredTimesAhead())
        if recorded.changed:
            self.on_change(event.subject)
        # Only with the scope `read`: without it, clients could learn a private subject's status by sending an event
        # that is not applied.
        status = status_document(event.subject, recorded.report) if Scope.READ in grant.scopes else {}
        return _json({"applied": recorded.applied, **status})

    def unavailable(self, error: SQLAlchemyError) -> Response:
        """Answer with a 503, because the catalogue's database failed."""
        self.events.emit(failure((request.endpoint or "").rpartition(".")[2], error))
        body = problem(503, "UNAVAILABLE", "The catalogue is unavailable; try again shortly.")
        return Response(body, 503, {**OPS_HEADERS, "Retry-After": "5"}, content_type=PROBLEM_TYPE)

    def _record(self, event: RunEvent | VerificationEvent, grant: Grant) -> Recorded:
        if not grant.subjects.covers(event.subject):
            raise OpsRefused(403, "FORBIDDEN", "This API key is not for this subject.")
        try:
            return self.catalogue.record(event, may_publish=Scope.VISIBILITY in grant.scopes)
        except MayNotPublish:
            needed = f"Making a private subject public needs an API key with the scope {Scope.VISIBILITY.value!r}."
            raise OpsRefused(403, "FORBIDDEN", needed) from None

    def _admit(self, scope: Scope) -> Grant:
        """Return what the request's API key allows; raises `OpsRefused`."""
        given = request.headers.get(KEY_HEADER, "")
        try:
            grant = self.keys.check(given, scope, self.clock())
        except KeyRefused as refused:
            if refused.refusal is Refusal.LACKS_SCOPE:
                raise OpsRefused(403, "FORBIDDEN", f"This API key lacks the scope {scope.value!r}.") from None
            raise OpsRefused(401, "UNAUTHENTICATED", f"Send a valid API key as {KEY_HEADER}.") from None
        if not self.rate.admits(given):
            raise OpsRefused(429, "RATE_LIMITED", "Too many calls with this API key; try again in a minute.")
        return grant

    def _report(self, subject: Subject, grant: Grant) -> Report:
        """Return the subject's report; subjects that the API key doesn't cover are treated as if they didn't exist."""
        report = self.catalogue.report_for(subject) if grant.subjects.covers(subject) else None
        if report is None:
            raise OpsRefused(404, "NOT_FOUND", "There is no such subject, or this API key is not for it.")
        if report.status is BackupStatus.DELETED:
            raise _gone(report)
        return report

    def _result(self, body: SubjectBody, grant: Grant) -> dict[str, object]:
        """Return one subject's result in a batch; its failure doesn't affect the others."""
        coordinates = body.model_dump(by_alias=True)
        try:
            subject = _subject_of(body)
            status = status_document(subject, self._report(subject, grant))
        except OpsRefused as refusal:
            return {"subject": coordinates, "httpStatus": refusal.status, "problem": refusal.document}
        return {"subject": coordinates, "httpStatus": 200, "status": status}


def blueprint(api: OpsApi) -> Blueprint:
    """The routes under /ops/status."""
    ops = Blueprint("ops", __name__, url_prefix="/ops/status")
    ops.add_url_rule("", "status", api.status, methods=["GET"])
    ops.add_url_rule("/get", "get", api.get_status, methods=["POST"])
    ops.add_url_rule("/batch", "batch", api.batch, methods=["POST"])
    ops.add_url_rule("/list", "list", api.list, methods=["GET"])
    ops.add_url_rule("/report", "report", api.report, methods=["POST"])
    ops.register_error_handler(OpsRefused, _refused)
    ops.register_error_handler(SQLAlchemyError, api.unavailable)
    return ops


def _refused(refusal: OpsRefused) -> Response:
    response = Response(as_json(refusal.document), refusal.status, OPS_HEADERS, content_type=PROBLEM_TYPE)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = UNAUTHENTICATED_AS
    if refusal.status == 429:
        response.headers["Retry-After"] = "60"
    return response


def _validator(report: Report) -> str:
    # Weak: observedAt may advance while the revision, and so the meaning, stays the same.
    return f'W/"{report.revision}"'


def _require_json() -> None:
    if not request.is_json:
        raise OpsRefused(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")


def _body(kind: type[Body]) -> Body:
    _require_json()
    try:
        return read_body(kind, request.get_data())
    except BadBody as bad:
        raise OpsRefused(400, "INVALID_REQUEST", str(bad)) from None


def _subject_of(body: SubjectBody) -> Subject:
    try:
        return body.subject
    except InvalidSubject as invalid:
        raise OpsRefused(400, "INVALID_SUBJECT", f"{invalid}.") from None


def _gone(report: Report) -> OpsRefused:
    return OpsRefused(
        410,
        "GONE",
        "The repository or its backup definition was deleted.",
        backupStatus=report.status,
        deletedAt=format_time(report.deleted_at) if report.deleted_at else None,
        visibility=report.visibility,
        revision=report.revision,
    )


def _json(document: Mapping[str, object], **headers: str) -> Response:
    return Response(as_json(document), 200, {**OPS_HEADERS, **headers}, content_type="application/json")
