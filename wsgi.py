"""The application for any WSGI server: `gunicorn -c config/gunicorn.conf.py wsgi:application`."""

from badge.app import create_app
from badge.settings import load

application = create_app(load())
