"""The same as `badge.app.create_app`, under a shorter name."""

from badge.app import create_app

__all__ = ["create_app"]
