"""The service with the edge in front, as gunicorn runs it."""

from badge.app import create_edge
from badge.settings import load

application = create_edge(load())
