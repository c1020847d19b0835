"""The service as gunicorn runs it: `gunicorn -c config/gunicorn.conf.py`, which names this application."""

from badge.app import create_edge
from badge.settings import load

application = create_edge(load())
