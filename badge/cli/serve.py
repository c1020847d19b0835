"""`badge serve`: run the service."""

from __future__ import annotations

import os
import sys

import click

from badge.cli.command import BadgeCommand, examples

MODULE = ["-P", "-m", "badge.gunicorn_app"]
"""-P leaves the working directory out of the path of modules: it may be a checkout of another version."""


@click.command(cls=BadgeCommand, epilog=examples("badge serve", "BADGE_BIND=127.0.0.1:8001 badge serve"))
def serve() -> None:
    """Run the service until it is stopped with Ctrl-C or SIGTERM."""
    # In place of this process, which has loaded every command; the service's processes share memory from a fresh start.
    os.execv(sys.executable, [sys.executable, *MODULE])  # noqa: S606 - without a shell, on purpose
