"""The API's documentation: Swagger UI over the service's own OpenAPI description."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flask import Response, abort, send_from_directory

from badge.web.page import show

# Only the package's files are used: its blueprint writes inline scripts, which our policy forbids.
RENDERER_FOLDER = Path(str(files("flask_swagger_ui") / "dist"))
RENDERER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})


def api_docs() -> Response:
    """Show the API documentation."""
    return show("docs.html")


def renderer_file(name: str) -> Response:
    """Serve one of Swagger UI's files."""
    if name not in RENDERER_FILES:
        abort(404)
    response = send_from_directory(RENDERER_FOLDER, name, max_age=3600)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
