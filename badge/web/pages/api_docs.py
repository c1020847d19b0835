"""The API's documentation: Swagger UI over the service's own OpenAPI description."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flask import Response, abort, send_from_directory

from badge.web.page import show

# The package is there for its files alone; its blueprint writes scripts into the page.
RENDERER_FOLDER = Path(str(files("flask_swagger_ui") / "dist"))
RENDERER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})


def api_docs() -> Response:
    """Show the documentation."""
    return show("docs.html")


def renderer_file(name: str) -> Response:
    """One of the renderer's files."""
    if name not in RENDERER_FILES:
        abort(404)
    response = send_from_directory(RENDERER_FOLDER, name, max_age=3600)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
