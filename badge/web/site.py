"""The Flask application, put together from parts that are handed in."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from badge.events import AnswerCrashed
from badge.web.badges import routes as badges
from badge.web.badges.edge_cache import EdgeCache, EdgeCacheLimits
from badge.web.badges.routes import AnyPath, BadgeParts, ImageWhateverHappens
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.page import message
from badge.web.paths import Paths
from badge.web.raw_path import is_badge_path
from badge.web.request_names import RequestNames

LARGEST_BODY = 256 * 1024

FOR_PROGRAMS = {"ops", "ping", "metrics", "livez", "readyz", "healthz", "version", "openapi.yaml"}
"""What the paths begin with whose errors are problem documents, whoever asks."""

ERROR_PAGES = {
    404: ("This page does not exist", "Its address was cut or mistyped. The links above lead on."),
    405: ("This page can't be asked that way", "It is there to be looked at. The links above lead on."),
    500: (
        "Something went wrong here",
        "It is no fault of yours. Try again; the service's log tells the operator more.",
    ),
}


def build_site(parts: BadgeParts, blueprints: Sequence[Blueprint], edge_cache: EdgeCacheLimits, paths: Paths) -> Flask:
    """The application with the badge routes and whatever else is handed in."""
    site = Flask(__name__, static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    # Paths are answered where they are: a redirect would be built from a stranger's Host header,
    # and GitHub's image proxy does not follow a 308.
    site.url_map.merge_slashes = False
    site.url_map.strict_slashes = False
    site.url_map.converters["any_path"] = AnyPath
    site.add_template_global(paths.to, "path_to")
    for blueprint in (badges.blueprint(parts), *blueprints):
        site.register_blueprint(blueprint)
    site.url_map.update()  # now, before workers are forked, which then share what it makes of the routes
    site.register_error_handler(HTTPException, lambda error: _error(parts, error))
    # Flask's own handler would log the path, which names a subject, and the exception's text.
    site.register_error_handler(Exception, lambda error: _crash(parts, error))
    named = RequestNames(ImageWhateverHappens(site.wsgi_app, parts))
    site.wsgi_app = EdgeCache(named, edge_cache)  # type: ignore[method-assign] # Flask's own extension point
    return site


def _crash(parts: BadgeParts, error: Exception) -> Response:
    parts.events.emit(AnswerCrashed("application", error))
    return _error(parts, InternalServerError())


def _error(parts: BadgeParts, error: HTTPException) -> Response:
    if is_badge_path(request.environ):
        return badges.routing_error_for_badge(parts, error)
    answer = _page(error) if _is_for_people() else _problem(error)
    if isinstance(allowed := getattr(error, "valid_methods", None), (list, set)):
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _is_for_people() -> bool:
    """Whether a browser asks for a page, rather than a program, or for what is there for programs."""
    accepted = request.accept_mimetypes
    is_browser = accepted["text/html"] > accepted["application/json"]
    return is_browser and request.path.split("/")[1] not in FOR_PROGRAMS


def _page(error: HTTPException) -> Response:
    status = error.code or 500
    title, text = ERROR_PAGES.get(status, (error.name, error.description or ""))
    return message(status, title, text)


def _problem(error: HTTPException) -> Response:
    status = error.code or 500
    body = problem(status, error.name.upper().replace(" ", "_"), error.description or error.name)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(body, status, headers, content_type=PROBLEM_TYPE)
