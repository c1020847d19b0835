"""The service with a wrong clock, whose error in seconds is read from a file."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from badge.app import create_app, utc_now
from badge.settings import load


def skewed_now() -> datetime:
    """Return the time by the wrong clock."""
    return utc_now() + timedelta(seconds=float(Path(os.environ["OFFSET_FILE"]).read_text()))


application = create_app(load(), clock=skewed_now)
