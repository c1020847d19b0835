"""`python -m badge.gunicorn_app`: the service on gunicorn, without gunicorn's command line and configuration file.

Unlike the `gunicorn` command, this needs no file outside the package.
"""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.util import import_app

from badge.gunicorn_config import gunicorn_values


class Service(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """The service as a gunicorn application (gunicorn's documentation, "Custom Application")."""

    def load_config(self) -> None:
        """Set gunicorn's values; called again on a reload."""
        for name, value in gunicorn_values().items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application."""
        return import_app(self.cfg.wsgi_app)


if __name__ == "__main__":
    sys.argv = sys.orig_argv[1:]  # on SIGUSR2, gunicorn starts its successor with these
    Service().run()
