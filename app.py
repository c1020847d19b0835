"""The application factory, for `flask --app app` and other WSGI tools."""

from badge.app import create_app

__all__ = ["create_app"]
