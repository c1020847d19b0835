"""Assembles the Flask application from the parts that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from badge import __version__
from badge.events import AnswerCrashed
from badge.raw_path import FOR_PROGRAMS, is_badge_path
from badge.web.badges import routes as badges
from badge.web.badges.routes import AnyPath, BadgeParts, ImageWhateverHappens
from badge.web.errors import PROBLEM_TYPE, problem
from badge.web.page import message
from badge.web.paths import Paths
from badge.web.prefix import WithoutPrefix, refuse_outside
from badge.web.request_ids import RequestIds

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LARGEST_BODY = 256 * 1024

ERROR_PAGES = {
    400: ("This request is not valid", "Go back, check what you entered or the URL, and try again."),
    404: ("Page not found", "There is no page at this URL. Check it for typos, or start from one of the pages below."),
    405: (
        "This page can only be viewed",
        "Nothing was changed. Open its URL again, or start from one of the pages below.",
    ),
    413: ("This is too much data", "Nothing was changed. Go back and send less."),
    500: (
        "Something went wrong",
        "This is an error in the service, not in your request. Try again; the operator can find details in the log.",
    ),
    503: ("Temporarily unavailable", "Reload the page shortly."),
}


def build_site(parts: BadgeParts, blueprints: Sequence[Blueprint], paths: Paths, source_url: str = "") -> Flask:
    """Build the application from the badge routes and the given blueprints.

    `source_url`: where the source code is, for the footer of every page.
    """
    site = Flask(__name__, static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    # No redirects for slashes: they would be built from the client's Host header, and GitHub's image
    # proxy does not follow a 308.
    site.url_map.merge_slashes = False
    site.url_map.strict_slashes = False
    site.url_map.converters["any_path"] = AnyPath
    site.add_template_global(paths.to, "path_to")
    site.jinja_env.globals.update(version=__version__, source_url=source_url)
    for blueprint in (badges.blueprint(parts), *blueprints):
        site.register_blueprint(blueprint)
    site.url_map.update()  # before workers are forked, so that they share the compiled routes
    site.register_error_handler(HTTPException, lambda error: _error(parts, error))
    site.after_request(_without_type_of_empty_body)
    # Flask's default handler would log the exception's text and the path, which names a subject.
    site.register_error_handler(Exception, lambda error: _crash(parts, error))
    application: WSGIApplication = ImageWhateverHappens(site.wsgi_app, parts)
    if paths.prefix:
        refuse_outside(site, paths.prefix)
        application = WithoutPrefix(application, paths.prefix)
    site.wsgi_app = RequestIds(application)  # type: ignore[method-assign] # Flask's own extension point
    return site


def _without_type_of_empty_body(response: Response) -> Response:
    """Remove the media type from answers to OPTIONS that have no body."""
    if request.method == "OPTIONS" and response.calculate_content_length() == 0:
        response.headers.pop("Content-Type", None)
    return response


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
    """Whether to answer with a page: a browser is asking, and not for a route meant for programs."""
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
