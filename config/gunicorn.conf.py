"""gunicorn's configuration: `gunicorn -c config/gunicorn.conf.py wsgi:application`."""

from badge.gunicorn_config import gunicorn_values

globals().update(gunicorn_values())  # called each time this file is loaded, so that a reload reads the settings again
