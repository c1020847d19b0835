"""The same as `badge.wsgi`, under a shorter name."""

from badge.wsgi import application

__all__ = ["application"]
