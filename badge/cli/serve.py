"""`badge serve`: run the service."""

from __future__ import annotations

import os
import sys

import click

from badge.cli.command import BadgeCommand, examples


@click.command(cls=BadgeCommand, epilog=examples("badge serve", "BADGE_BIND=127.0.0.1:8001 badge serve"))
def serve() -> None:
    """Run the service until it is stopped with Ctrl-C or SIGTERM."""
    # Replaces this process, which has loaded every command, so that the service starts with as little as possible.
    command = [sys.executable, "-m", "badge.gunicorn_app"]
    # The working directory may hold modules of the same names, such as a checkout of another version.
    os.execve(sys.executable, command, {**os.environ, "PYTHONSAFEPATH": "1"})  # noqa: S606 - without a shell, on purpose
