"""Turns the resolution of a badge, or a summary, into an answer in the requested format: status code, headers and body.

Independent of Flask, so that the layers around the application can use it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from badge import appearance
from badge.appearance import Face, Tone
from badge.artwork import png, svg
from badge.artwork.png import PngUnavailable
from badge.contract import coordinates_of, format_time, outcomes_document, verification_fields
from badge.deadline import Deadline
from badge.model import BackupStatus, Badge, Origin, Outcomes, Report, Resolution, is_ahead, unless_ahead
from badge.summary import Summary
from badge.web.badges.http_cache import COMMON_HEADERS, CachePolicy, cache_status, etag
from badge.web.badges.pictures import Pictures
from badge.web.badges.recent_runs import RecentRun, RunReader, no_runs
from badge.web.badges.request import BadgeRequest, Format
from badge.web.errors import PROBLEM_TYPE, as_json
from badge.web.errors import problem as problem_document

JSON_VERSION = 1
SVG_TYPE = "image/svg+xml; charset=utf-8"
PNG_TYPE = "image/png"


class AnswerKind(Enum):
    """The kind of an answer. It decides the problem document and, except for plain images, the HTTP status."""

    KNOWN = auto()
    DELETED = auto()
    ABSENT = auto()
    INVALID = auto()
    UNAVAILABLE = auto()
    UNEXPECTED = auto()
    CRASHED = auto()


@dataclass(frozen=True, slots=True)
class Problem:
    """The error that programs get for a kind of answer."""

    http_status: int
    code: str
    detail: str


PROBLEMS = {
    AnswerKind.DELETED: Problem(410, "GONE", "The repository or its backup definition was deleted."),
    AnswerKind.ABSENT: Problem(404, "NOT_FOUND", "There is no such subject, or it is private."),
    AnswerKind.INVALID: Problem(400, "INVALID_SUBJECT", "This path does not name a subject."),
    AnswerKind.UNAVAILABLE: Problem(503, "UNAVAILABLE", "The status could not be determined; try again later."),
    AnswerKind.UNEXPECTED: Problem(
        503, "NOT_SUCCEEDED", "The last finished backup did not succeed, is too old, or was not verified as required."
    ),
    AnswerKind.CRASHED: Problem(500, "INTERNAL", "Something went wrong."),
}

SUMMARY_PROBLEMS = PROBLEMS | {
    AnswerKind.ABSENT: Problem(404, "NOT_FOUND", "There are no such subjects, or they are private."),
    AnswerKind.INVALID: Problem(400, "INVALID_SUMMARY", "This path does not name a summary."),
    AnswerKind.UNAVAILABLE: Problem(503, "UNAVAILABLE", "The backups could not be listed; try again later."),
    AnswerKind.UNEXPECTED: Problem(503, "NOT_PROTECTED", "Not all backups are protected, or not all could be listed."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: status code, headers and body."""

    http_status: int
    content_type: str
    body: bytes
    status: BackupStatus
    origin: Origin
    cache_policy: CachePolicy
    etag: str
    """Including its quotes."""
    kind: AnswerKind
    has_retry_after: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the answer shows a source's report, and so may be stored for other clients.

        "No such subject" is never stored: its headers must not reveal when it was last requested.
        """
        return self.http_status == 200 and self.kind in (AnswerKind.KNOWN, AnswerKind.DELETED)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer when it is first sent."""
        return self._headers(self.origin, self.cache_policy)

    def headers_later(self, by: timedelta) -> dict[str, str]:
        """Return the headers for sending the answer again this much later."""
        is_stale = self.origin is Origin.STALE
        return self._headers(Origin.STALE if is_stale else Origin.CACHE, self.cache_policy.aged(by))

    def _headers(self, origin: Origin, cache_policy: CachePolicy) -> dict[str, str]:
        headers = {
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Cache-Control": cache_policy.cache_control,
            "ETag": self.etag,
            "Cache-Status": cache_status(origin, cache_policy),
            **COMMON_HEADERS,
        }
        return {**headers, "Retry-After": str(cache_policy.max_age)} if self.has_retry_after else headers


# Never a success, even if `last_finished` is one: that success may be outdated by now.
NO_SUCCESS = frozenset({BackupStatus.FAILED, BackupStatus.UNKNOWN, BackupStatus.DELETED})


def _kind_of(request: BadgeRequest, resolution: Resolution, face: Face) -> AnswerKind:
    """Return the kind of answer for a resolution."""
    kind = _kind_without_expectation(resolution)
    if kind is AnswerKind.KNOWN and request.expects_success and not _is_as_expected(resolution, face):
        return AnswerKind.UNEXPECTED
    return kind


def _is_as_expected(resolution: Resolution, face: Face) -> bool:
    """Whether the last finished backup succeeded, is neither in the future nor outdated, and meets the look's limits.

    After a failed verification it is never as expected, even if the look has no limits.
    """
    report = resolution.report
    if resolution.status in NO_SUCCESS or (report.last_finished or report.status) is not BackupStatus.SUCCEEDED:
        return False
    if is_ahead(report.last_success_at or report.finished_at, resolution.now) or report.has_failed_verification:
        return False
    return face.tone is not Tone.ORANGE  # orange: older than `max_age`, or unverified


def _kind_without_expectation(resolution: Resolution) -> AnswerKind:
    if not resolution.is_known:
        return AnswerKind.UNAVAILABLE
    if not resolution.report.exists:
        return AnswerKind.ABSENT
    return AnswerKind.DELETED if resolution.status is BackupStatus.DELETED else AnswerKind.KNOWN


def unknown_for(fresh_for: timedelta, now: datetime) -> Resolution:
    """Return the resolution for an answer without a status: an invalid path, a crash, an overload or a missing list."""
    report = Report(status=BackupStatus.UNKNOWN, observed_at=now, exists=False)
    return Resolution(report=report, origin=Origin.FALLBACK, age=timedelta(0), fresh_for=fresh_for, now=now)


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a format may show."""

    request: BadgeRequest
    resolution: Resolution
    kind: AnswerKind
    face: Face
    badge: Badge
    recent_runs: RunReader = no_runs
    summary: Summary | None = None
    """None for a badge, and for a summary that could not be determined."""

    @property
    def problem(self) -> Problem | None:
        """The error to send instead of a status, if the request asks for the true HTTP status."""
        problems = SUMMARY_PROBLEMS if self.request.is_summary else PROBLEMS
        return problems.get(self.kind) if self.request.shows_true_code else None


# Counted from the start of a request. If it has not got its turn to draw by then, or after waiting for
# `png.PATIENCE_SECONDS`, it gets a predrawn picture. Drawing takes 2 to 50 ms, depending on the text, and about 150 for
# the first picture of a process.
DRAWN_WITHIN_SECONDS = 1.8


def answer(
    request: BadgeRequest,
    resolution: Resolution,
    pictures: Pictures,
    draw_by: Deadline | None = None,
    recent_runs: RunReader = no_runs,
) -> Answer:
    """Return the answer to a request. The same resolution and runs always give the same bytes, except for PNGs.

    `draw_by`: when to stop waiting for a turn to draw a PNG and use a predrawn one instead.
    """
    face = appearance.face_of(resolution, request.look)
    kind = _kind_of(request, resolution, face)
    content = replace(_content(request, resolution, kind, face), recent_runs=recent_runs)
    return _answer_showing(content, pictures, draw_by)


def summary_answer(
    request: BadgeRequest,
    summary: Summary | None,
    resolution: Resolution,
    pictures: Pictures,
    draw_by: Deadline | None = None,
) -> Answer:
    """Return the answer to a request for a summary; `summary` is None if it could not be determined.

    `resolution` says where the numbers come from and how long they are fresh.
    """
    face = appearance.face_of_summary(summary, resolution, request.look)
    content = _content(request, resolution, _kind_of_summary(request, summary, resolution), face)
    return _answer_showing(replace(content, summary=summary), pictures, draw_by)


def _kind_of_summary(request: BadgeRequest, summary: Summary | None, resolution: Resolution) -> AnswerKind:
    if summary is None or not resolution.is_known:
        return AnswerKind.UNAVAILABLE
    if summary.is_empty:
        return AnswerKind.ABSENT
    return AnswerKind.UNEXPECTED if request.expects_success and not summary.is_all_protected else AnswerKind.KNOWN


FAULT_LIFETIMES = {
    AnswerKind.INVALID: timedelta(seconds=60),
    AnswerKind.CRASHED: timedelta(seconds=15),
    AnswerKind.UNAVAILABLE: timedelta(seconds=5),
}


def fault_answer(request: BadgeRequest, kind: AnswerKind, now: datetime, pictures: Pictures) -> Answer:
    """Return an answer that needs no source: `kind` is INVALID, CRASHED or UNAVAILABLE."""
    resolution = unknown_for(FAULT_LIFETIMES[kind], now)
    face = appearance.face_of(resolution, request.look)
    return _answer_showing(_content(request, resolution, kind, face), pictures)


def _content(request: BadgeRequest, resolution: Resolution, kind: AnswerKind, face: Face) -> Content:
    return Content(request, resolution, kind, face, appearance.badge_with(face, request.look))


def _answer_showing(content: Content, pictures: Pictures, draw_by: Deadline | None = None) -> Answer:
    request, resolution, problem = content.request, content.resolution, content.problem
    draw_by = draw_by or Deadline.after(DRAWN_WITHIN_SECONDS)
    content_type, body = (
        _png(content, pictures, draw_by) if request.format is Format.PNG else _DRAWN[request.format](content)
    )
    # The face's lifetime applies to every format: a monitor's answer changes when the image's text does.
    policy = CachePolicy.of(resolution, content.face.holds_for, request.at_least, is_for_program=request.is_for_program)
    return Answer(
        http_status=problem.http_status if problem else 200,
        content_type=content_type,
        body=body,
        status=resolution.status,
        origin=resolution.origin,
        # With a token, no shared cache may store the answer: some ignore the query.
        cache_policy=replace(policy, is_shared=not request.token),
        etag=f'"{etag(body)}"',
        kind=content.kind,
        has_retry_after=content.kind is AnswerKind.UNAVAILABLE and problem is not None,
    )


def _svg(content: Content) -> tuple[str, bytes]:
    return SVG_TYPE, svg.draw(content.badge)


def _png(content: Content, pictures: Pictures, draw_by: Deadline) -> tuple[str, bytes]:
    """Draw the badge as a PNG, or fall back to the plain predrawn one of its status."""
    request = content.request
    is_shared, patience = not request.has_own_label, min(png.PATIENCE_SECONDS, draw_by.remaining)
    try:
        return PNG_TYPE, pictures.png(content.badge, request.scale, is_shared=is_shared, patience=patience)
    except PngUnavailable:
        # A predrawn picture can't show an age, so an old status becomes unknown.
        return PNG_TYPE, png.predrawn(BackupStatus.UNKNOWN if content.resolution.is_old else content.face.icon)


def _json(content: Content) -> tuple[str, bytes]:
    request, report, problem = content.request, content.resolution.report, content.problem
    if problem is None:
        document = _status_document if content.summary is None else _summary_document
        return "application/json", as_json(document(content))
    # The reason for refusing a path is our own text and reveals nothing about a source.
    detail = f"{problem.detail} ({request.fault})" if request.fault else problem.detail
    last_backup = {
        "backupStatus": report.status,
        "lastFinished": report.last_finished,
        "lastSuccessAt": _time(unless_ahead(report.last_success_at, content.resolution.now)),
        **_verification(content.resolution),
    }
    members: Mapping[str, object] = last_backup if report.exists else {"backupStatus": report.status}
    if request.is_summary:
        members = _numbers(content.summary) if content.summary else {}
    return PROBLEM_TYPE, problem_document(problem.http_status, problem.code, detail, **members)


def _txt(content: Content) -> tuple[str, bytes]:
    words = content.face.message if content.request.is_summary else content.resolution.status
    return "text/plain; charset=utf-8", f"{words}\n".encode()


def _shields(content: Content) -> tuple[str, bytes]:
    """JSON for shields' endpoint badge, which refuses unknown keys (shields.io/badges/endpoint-badge)."""
    document = {
        "schemaVersion": 1,
        "label": content.badge.label,
        "message": content.badge.message,
        "color": content.badge.colour.removeprefix("#"),
        "isError": not content.resolution.is_known,
        "cacheSeconds": 300,  # the shortest that shields accepts
    }
    return "application/json", as_json(document)


_DRAWN: dict[Format, Callable[[Content], tuple[str, bytes]]] = {
    Format.SVG: _svg,
    Format.JSON: _json,
    Format.TXT: _txt,
    Format.SHIELDS: _shields,
}


def _status_document(content: Content) -> dict[str, object]:
    subject, resolution, badge = content.request.subject, content.resolution, content.badge
    report, runs = resolution.report, content.recent_runs()
    assert subject is not None
    return {
        "version": JSON_VERSION,
        **coordinates_of(subject),
        "status": resolution.status,
        "label": badge.label,
        "message": badge.message,
        "stale": resolution.is_stale,
        "confirmedAt": _time(resolution.confirmed_at),
        "startedAt": _time(unless_ahead(report.started_at, resolution.now)),
        "finishedAt": _time(unless_ahead(report.finished_at, resolution.now)),
        "lastSuccessAt": _time(unless_ahead(report.last_success_at, resolution.now)),
        "lastFinished": report.last_finished,
        "nextRunAt": _time(report.next_run_at),
        **_verification(resolution),
        "reason": appearance.reason_of(report),
        "history": None if report.outcomes is None else outcomes_document(report.outcomes),
        "rate": None if report.outcomes is None else _rate_document(report.outcomes),
        "recentRuns": None if runs is None else [_run_document(run) for run in runs],
    }


def _summary_document(content: Content) -> dict[str, object]:
    request, resolution, summary = content.request, content.resolution, content.summary
    assert summary is not None
    scope = request.scope
    return {
        "version": JSON_VERSION,
        "platform": scope and scope.platform,
        "account": scope and scope.account,
        "subjectType": scope and scope.type,
        "name": request.name and request.name.text,
        **_numbers(summary),
        "label": content.badge.label,
        "message": content.badge.message,
        "stale": resolution.is_stale,
        "confirmedAt": _time(resolution.confirmed_at),
    }


def _numbers(summary: Summary) -> dict[str, object]:
    return {
        "protected": summary.protected,
        "total": summary.total,
        "failed": summary.failed,
        "overdue": summary.overdue,
        "unknown": summary.unknown,
        "unverified": summary.unverified,
        "silent": summary.silent,
        "complete": summary.is_complete,
    }


def _rate_document(outcomes: Outcomes) -> dict[str, int]:
    return {"succeeded": outcomes.succeeded, "finished": outcomes.total}


def _verification(resolution: Resolution) -> dict[str, object]:
    known = resolution.report.verification
    return verification_fields(known and replace(known, at=unless_ahead(known.at, resolution.now)))


def _run_document(run: RecentRun) -> dict[str, object]:
    return {"status": run.status, "finishedAt": _time(run.finished_at)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
