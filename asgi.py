"""The same as `badge.asgi`, under a shorter name."""

from badge.asgi import application

__all__ = ["application"]
