"""gunicorn's configuration file: `gunicorn -c config/gunicorn.conf.py wsgi:application`."""

from badge.gunicorn_config import gunicorn_values

globals().update(gunicorn_values())  # runs each time this file is loaded, so a reload reads the settings again
