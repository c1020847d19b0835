"""`badge login-link`: log in to the dashboard."""

from __future__ import annotations

from datetime import timedelta

import click
from sqlalchemy.exc import SQLAlchemyError

from badge.catalogue.faults import why_unusable
from badge.catalogue.logins import Logins, LoginsUnavailable
from badge.catalogue.migration import SchemaTooNew, migrate
from badge.cli.command import BadgeCommand, Fault, examples, local_parts
from badge.web.login.link import link_url

LIFETIME = timedelta(minutes=10)


@click.command(cls=BadgeCommand, epilog=examples("badge login-link"))
def login_link() -> None:
    """Print a link that logs a browser in to the dashboard: once, within 10 minutes."""
    with local_parts() as parts:
        settings = parts.settings
        if parts.database is None or not settings.has_logins:
            raise Fault(f"Nobody logs in to the dashboard if BADGE_DASHBOARD is {settings.dashboard}.")
        try:
            migrate(parts.database.url)
            secret = Logins(parts.database, parts.clock).make_link(LIFETIME)
        except (SQLAlchemyError, OSError, SchemaTooNew, LoginsUnavailable) as error:
            cause = error.__cause__ if isinstance(error, LoginsUnavailable) else error
            assert isinstance(cause, Exception)
            raise Fault(f"The database {settings.catalogue_name} can't be used: {why_unusable(cause)}.", 1) from None
        click.echo(link_url(settings.address or "", secret, parts.paths))
        click.echo(f"Open it within 10 minutes; it works once.{_advice(settings.address)}", err=True)


def _advice(address: str | None) -> str:
    return "" if address else " Put the service's address in front; BADGE_PUBLIC_URL does that."
