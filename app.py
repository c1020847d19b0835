"""The application factory, for `flask --app app` and similar tools."""

from badge.app import create_app

__all__ = ["create_app"]
