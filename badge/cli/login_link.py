"""`badge login-link`: log in to the dashboard."""

from __future__ import annotations

from datetime import timedelta

import click

from badge.catalogue.logins import Logins
from badge.catalogue.on_demand import LoginsUnavailable
from badge.cli.command import BadgeCommand, Fault, examples, local_parts, migrated_database
from badge.web.login.link import link_url

LIFETIME = timedelta(minutes=10)


@click.command(cls=BadgeCommand, epilog=examples("badge login-link"))
def login_link() -> None:
    """Print a link that logs a browser in to the dashboard. It works once, within 10 minutes."""
    with local_parts() as parts:
        settings = parts.settings
        if parts.database is None or not settings.has_logins:
            raise Fault(f"The dashboard has no login if BADGE_DASHBOARD is {settings.dashboard}.")
        with migrated_database(settings):
            try:
                secret = Logins(parts.database.get(), parts.clock).make_link(LIFETIME)
            except LoginsUnavailable as error:
                raise error.cause from None  # reported by `migrated_database`, like every error of the database
    click.echo(link_url(settings.address or "", secret, parts.paths))
    advice = "" if settings.address else " Prefix it with the service's address, or set BADGE_PUBLIC_URL."
    click.echo(f"Open it within 10 minutes; it works once.{advice}", err=True)
