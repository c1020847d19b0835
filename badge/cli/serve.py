"""`badge serve`: run the service."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from badge.cli.command import BadgeCommand, Fault, examples
from badge.private_files import open_private
from badge.settings_file import SettingsFile, find_file

VARIABLE = "BADGE_DASHBOARD_TOKEN_FILE"


@click.command(cls=BadgeCommand, epilog=examples("badge serve", "BADGE_BIND=127.0.0.1:8001 badge serve"))
@click.option(
    "--create-token",
    is_flag=True,
    help=f"With BADGE_DASHBOARD=token: if the file named by {VARIABLE} does not exist, create it with a random "
    "token, and print the token.",
)
def serve(*, create_token: bool) -> None:
    """Run the service until it is stopped with Ctrl-C or SIGTERM."""
    if create_token and (file := token_file(os.environ, find_file(os.environ))):
        _create_token(file)
    # To save memory, replace this process, which has loaded the modules of every command.
    command = [sys.executable, "-m", "badge.gunicorn_app"]
    # The working directory may hold modules of the same names, such as a checkout of another version.
    os.execve(sys.executable, command, {**os.environ, "PYTHONSAFEPATH": "1"})  # noqa: S606 - without a shell, on purpose


def token_file(environment: Mapping[str, str], settings_file: SettingsFile | None) -> Path | None:
    """Return the file that the dashboard's token is read from; None if the dashboard uses no such file."""
    in_file = settings_file.values if settings_file else {}
    if (environment.get("BADGE_DASHBOARD") or in_file.get("BADGE_DASHBOARD")) != "token":
        return None
    if name := environment.get(VARIABLE):
        return Path(name)
    return settings_file.path.parent / in_file[VARIABLE] if settings_file and in_file.get(VARIABLE) else None


def _create_token(file: Path) -> None:
    try:
        token = new_token_in(file, lambda: secrets.token_urlsafe(24))
    except OSError as error:
        raise Fault(f"{VARIABLE}: {file} can't be created: {error.strerror}.") from None
    if token:
        click.echo(f"The dashboard's token, shown only now and stored in {file}:\n\n  {token}\n", err=True)


def new_token_in(file: Path, make: Callable[[], str]) -> str:
    """Write a token to a file that does not exist or is empty, and return it; otherwise, return an empty string."""
    # An empty file is left behind if the machine stops between creating and writing it.
    if file.exists() and file.stat().st_size:
        return ""
    token = make()
    with os.fdopen(open_private(file), "w") as stream:
        stream.write(f"{token}\n")
        stream.flush()
        os.fsync(stream.fileno())
    return token
