"""The routes of badges and summaries: read the URL, resolve, answer.

Errors are answered in the requested format, or as an SVG if the request can't be read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from badge.appearance import Look
from badge.deadline import Deadline
from badge.events import AnswerCrashed, BadgeServed
from badge.finished import FINISHED, MAY_COUNT, FinishedAnswer
from badge.listing import SummaryQuery
from badge.ports import Clock, Events
from badge.raw_path import BADGE_ROOT, SUMMARY, has_token, is_badge_path
from badge.resolving.resolver import Resolver
from badge.telemetry.metrics import Metrics
from badge.web.badges.answer import DRAWN_WITHIN_SECONDS, Answer, AnswerKind, answer, fault_answer, summary_answer
from badge.web.badges.http_cache import COMMON_HEADERS
from badge.web.badges.pictures import Pictures
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.badges.recent_runs import RecentRuns
from badge.web.badges.request import BadgeRequest, Format, read_badge_request
from badge.web.badges.summaries import Summaries
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.prefix import OutsidePrefix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = "GET, HEAD, OPTIONS"

PREFLIGHT_HEADERS = {
    "Allow": METHODS,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "public, max-age=86400",
}


class AnyPath(BaseConverter):
    """Matches the rest of a path, whatever it contains; views read the raw path instead of the match.

    The application registers it as `any_path` before the blueprint.
    """

    regex = ".*"
    part_isolating = False


@dataclass(frozen=True, slots=True)
class BadgeParts:
    """What the badge routes need."""

    resolver: Resolver
    clock: Clock
    events: Events
    metrics: Metrics
    default_label: str
    pictures: Pictures
    tokens: PrivateTokens
    recent_runs: RecentRuns
    summaries: Summaries


def blueprint(parts: BadgeParts) -> Blueprint:
    """The routes under /badge/ and /summary."""
    badges = Blueprint("badges", __name__)
    paths = {f"{BADGE_ROOT}<any_path:_>": "badge", SUMMARY: "all", f"{SUMMARY}/<any_path:_>": "summary"}
    for path, endpoint in paths.items():
        badges.add_url_rule(
            path,
            endpoint=endpoint,
            view_func=lambda **_: show_badge(parts),
            methods=["GET", "OPTIONS"],
            provide_automatic_options=False,
        )
    return badges


def show_badge(parts: BadgeParts) -> Response:
    """Answer a request for a badge or a summary, whatever happens; a request that can't be read gets an SVG."""
    began = time.perf_counter()
    if request.method == "OPTIONS":
        return Response(status=204, headers=PREFLIGHT_HEADERS)
    wanted = None
    try:
        wanted = read_badge_request(request.environ, request.args, parts.default_label)
        made = _resolved(parts, wanted)
    except Exception as error:  # noqa: BLE001 - any error becomes an answer and a log line
        parts.events.emit(AnswerCrashed("badge", error))
        wanted = wanted or _plain_request(parts, has_token=has_token(request.environ.get("QUERY_STRING", "")))
        made = fault_answer(wanted, AnswerKind.CRASHED, parts.clock(), parts.pictures)
    _leave_for_edge(parts, request.environ, wanted, made, time.perf_counter() - began)
    return _response(made)


def _leave_for_edge(
    parts: BadgeParts, environ: WSGIEnvironment, wanted: BadgeRequest, made: Answer, seconds: float
) -> None:
    """Pass the answer to the edge, if any, and count it unless the edge does so or is only refreshing its cache."""
    if MAY_COUNT not in environ or environ[MAY_COUNT]():
        parts.events.emit(BadgeServed(wanted.format, made.status, made.origin, made.http_status, seconds))
    environ[FINISHED] = finished(parts.metrics, wanted, made)


def finished(metrics: Metrics, wanted: BadgeRequest, made: Answer) -> FinishedAnswer:
    """Return the answer in the form that the edge serves."""
    whole = made.cache_policy.lifetime
    return FinishedAnswer(
        http_status=made.http_status,
        headers=list(made.headers.items()),
        body=made.body,
        etag=made.etag,
        fresh_seconds=whole.total_seconds(),
        may_be_stored=made.is_good and not wanted.token,
        headers_later=lambda left: list(made.headers_later(whole - timedelta(seconds=left)).items()),
        count=metrics.edge_counter(wanted.format, made.status, made.origin),
    )


def _resolved(parts: BadgeParts, wanted: BadgeRequest) -> Answer:
    draw_by = Deadline.after(DRAWN_WITHIN_SECONDS)
    if wanted.is_summary and not wanted.fault:
        return _summarised(parts, wanted, draw_by)
    if wanted.subject is None:
        return fault_answer(wanted, AnswerKind.INVALID, parts.clock(), parts.pictures)
    permission = partial(parts.tokens.opens, wanted.subject, wanted.token, draw_by)
    resolution = parts.resolver.resolve(wanted.subject, may_see_private=permission)
    recent_runs = partial(parts.recent_runs.of, wanted.subject, resolution, draw_by)
    return answer(wanted, resolution, parts.pictures, draw_by, recent_runs)


def _summarised(parts: BadgeParts, wanted: BadgeRequest, deadline: Deadline) -> Answer:
    if wanted.scope is None and not parts.summaries.serves_all:
        refused = replace(wanted, fault="use platform/account; the summary of everything needs BADGE_SUMMARY_ALL=on")
        return fault_answer(refused, AnswerKind.INVALID, parts.clock(), parts.pictures)
    name = wanted.name.text if wanted.name else None
    may_see_private = parts.tokens.opens_summary(wanted.scope, name, wanted.token, deadline)
    if may_see_private is None:
        return fault_answer(wanted, AnswerKind.UNAVAILABLE, parts.clock(), parts.pictures)
    look = wanted.look
    query = SummaryQuery(
        wanted.scope, wanted.name, look.max_age, look.verified_within, is_public_only=not may_see_private
    )
    summary, resolution = parts.summaries.of(query, deadline)
    return summary_answer(wanted, summary, resolution, parts.pictures, deadline)


def _plain_request(parts: BadgeParts, *, has_token: bool) -> BadgeRequest:
    """Return a stand-in for a request that can't be read; with a token, so that no shared cache stores the answer."""
    look, token = Look(label=parts.default_label), "unread" if has_token else ""
    return BadgeRequest(subject=None, format=Format.SVG, look=look, is_strict=False, token=token)


def _response(made: Answer) -> Response:
    headers = Headers(list(made.headers.items()))
    # Preconditions apply only to answers that would be 200 (RFC 9110, section 13.2.1).
    if made.http_status == 200 and request.if_none_match.contains_weak(made.etag.strip('"')):
        del headers["Content-Length"], headers["Content-Type"]
        return Response(status=304, headers=headers)
    return Response(made.body, made.http_status, headers)


class ImageWhateverHappens:
    """WSGI middleware that answers requests for badges and summaries with an image even if the application raises."""

    def __init__(self, application: WSGIApplication, parts: BadgeParts) -> None:
        self._application = application
        self._parts = parts
        # Drawn in advance, in case drawing itself fails.
        self._last_resorts = {has_token: self._last_resort(has_token=has_token) for has_token in (False, True)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on; if that raises, answer with the image drawn in advance."""
        if str(environ.get("PATH_INFO", "")).startswith("//") and is_badge_path(environ):
            # Route it as if it began with one slash, instead of redirecting.
            environ["PATH_INFO"] = "/" + environ["PATH_INFO"].lstrip("/")
        try:
            return self._application(environ, start_response)
        except Exception as error:
            self._parts.events.emit(AnswerCrashed("application", error))
            if not is_badge_path(environ):
                raise
            wanted, made = self._last_resorts[has_token(environ.get("QUERY_STRING", ""))]
            _leave_for_edge(self._parts, environ, wanted, made, 0.0)
            start_response("200 OK", list(made.headers.items()))
            return [made.body] if environ.get("REQUEST_METHOD") != "HEAD" else []

    def _last_resort(self, *, has_token: bool) -> tuple[BadgeRequest, Answer]:
        wanted = _plain_request(self._parts, has_token=has_token)
        return wanted, fault_answer(wanted, AnswerKind.CRASHED, self._parts.clock(), self._parts.pictures)


def routing_error_for_badge(parts: BadgeParts, error: HTTPException) -> Response:
    """Answer routing errors and crashes in the requested format, and unsupported methods with a 405."""
    if error.code == 405:
        body = problem(405, "METHOD_NOT_ALLOWED", "Badges support only GET, HEAD and OPTIONS.")
        headers = {**COMMON_HEADERS, "Allow": METHODS, "Cache-Control": "no-store"}
        return Response(body, 405, headers, content_type=PROBLEM_TYPE)
    wanted = read_badge_request(request.environ, request.args, parts.default_label)
    if isinstance(error, OutsidePrefix):
        wanted = replace(wanted, fault=error.fault)
    kind = AnswerKind.CRASHED if (error.code or 500) >= 500 else AnswerKind.INVALID
    made = fault_answer(wanted, kind, parts.clock(), parts.pictures)
    _leave_for_edge(parts, request.environ, wanted, made, 0.0)
    return _response(made)
