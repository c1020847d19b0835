"""The HTML pages: dashboard, details of a subject, badge builder, doctor, API documentation; and static files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from badge.web.login.access import Access, Viewer
from badge.web.pages.api_docs import api_docs
from badge.web.pages.builder import Builder
from badge.web.pages.dashboard import Dashboard
from badge.web.pages.details import Details
from badge.web.pages.doctor import Doctor
from badge.web.pages.parts import PagesParts
from badge.web.paths import DASHBOARD, DASHBOARD_ROOT

__all__ = ["PagesParts", "blueprint"]

STATIC_FOLDER = Path(__file__).parent.with_name("static")


def blueprint(parts: PagesParts) -> Blueprint:
    """Routes for /, /badges, /doctor, /docs, /dashboard, the pages of subjects, login and logout, and static files."""
    pages = Blueprint("pages", "badge.web", template_folder="templates")
    builder, access = Builder(parts), parts.authentication.access
    dashboard = _for_viewers(access, Dashboard(parts).dashboard)
    pages.add_url_rule("/", "home", builder.home)
    pages.add_url_rule("/badges", "sheet", builder.sheet)
    pages.add_url_rule("/doctor", "doctor", Doctor(parts).doctor)
    pages.add_url_rule("/docs", "api_docs", api_docs)
    for path in (DASHBOARD, DASHBOARD_ROOT):
        pages.add_url_rule(path, "dashboard", dashboard)
    # The view reads the raw path, because the routed one has lost its `%2F`.
    details = Details(parts)
    pages.add_url_rule(f"{DASHBOARD_ROOT}<any_path:_>", "details", _for_viewers(access, details.details))
    change_tokens = _for_viewers(access, details.change_tokens)
    pages.add_url_rule(f"{DASHBOARD_ROOT}<any_path:_>", "change_tokens", change_tokens, methods=["POST"])
    pages.add_url_rule("/static/<name>", "static", _static)
    if parts.authentication.log_in is not None:
        parts.authentication.log_in.add_routes(pages)
    return pages


def _for_viewers(access: Access, view: Callable[[Viewer], AnyResponse]) -> Callable[..., AnyResponse]:
    """Restrict a view to those who may see the dashboard."""

    def admitted(**_: object) -> AnyResponse:
        viewer = access.viewer()
        return access.refusal() if viewer is None else view(viewer)

    return admitted


def _static(name: str) -> Response:
    response = send_from_directory(STATIC_FOLDER, name, max_age=3600)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
