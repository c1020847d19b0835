"""gunicorn's configuration file: `gunicorn -c config/gunicorn.conf.py`."""

from badge.gunicorn_config import gunicorn_values

globals().update(gunicorn_values())
