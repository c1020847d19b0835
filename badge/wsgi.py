"""The application for any WSGI server, without the edge: `gunicorn badge.wsgi:application`."""

from badge.app import create_app
from badge.settings import load

application = create_app(load())
