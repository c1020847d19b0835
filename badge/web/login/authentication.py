"""Builds the dashboard authentication that `BADGE_DASHBOARD` selects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badge.ports import Clock, Events
from badge.settings import Settings
from badge.web.login.access import Access, LogIn, NoAccess, OpenAccess
from badge.web.paths import Paths

if TYPE_CHECKING:
    from badge.catalogue.logins import Logins, LoginThrottle
    from badge.catalogue.on_demand import DatabaseOnDemand
    from badge.web.login.form import FormLogIn


@dataclass(frozen=True, slots=True)
class DashboardAuthentication:
    """Who may see the dashboard, and how they log in."""

    access: Access
    log_in: LogIn | None = None
    """None if nobody needs to log in, or nobody can."""


def dashboard_authentication(
    settings: Settings, database: DatabaseOnDemand | None, clock: Clock, events: Events, paths: Paths
) -> DashboardAuthentication:
    """Return the dashboard authentication for these settings; does not open the database.

    The database is required if users have to log in.
    """
    match settings.dashboard:
        case "open":
            return DashboardAuthentication(OpenAccess())
        case "off":
            return DashboardAuthentication(NoAccess())
        case _:
            assert database is not None
            form = _form(settings, database, clock, events, paths)
            log_in = _by_provider(settings, form) if settings.dashboard == "oidc" else form
            return DashboardAuthentication(form.access, log_in)


def _form(settings: Settings, database: DatabaseOnDemand, clock: Clock, events: Events, paths: Paths) -> FormLogIn:
    from badge.web.login.form import FormLogIn  # noqa: PLC0415 - `open` and `off` don't need it
    from badge.web.login.sessions import SessionAccess  # noqa: PLC0415

    token = settings.dashboard_token.get_secret_value().strip() if settings.dashboard_token else None
    credentials = {
        "link": "",
        "token": token or "",
        "oidc": f"{settings.oidc_issuer} {settings.oidc_client_id} {settings.oidc_allow}",
    }
    credential = f"{settings.dashboard} {credentials[settings.dashboard]}"

    def logins() -> Logins:
        from badge.catalogue.logins import Logins  # noqa: PLC0415 - loads SQLAlchemy, like the database

        return Logins(database.get(), clock)

    def throttle() -> LoginThrottle:
        from badge.catalogue.logins import LoginThrottle  # noqa: PLC0415

        return LoginThrottle(database.get(), clock, settings.login_failures)

    access = SessionAccess(logins, credential, settings.session_lifetime, paths)
    return FormLogIn(access, throttle, events, token if settings.dashboard == "token" else None, settings.dashboard)


def _by_provider(settings: Settings, by_link: FormLogIn) -> LogIn:
    from badge.web.login.oidc import OidcLogIn, Provider  # noqa: PLC0415 - costs 16 MB and 0.1 s

    issuer, client_id, allowed = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_allow
    assert issuer is not None
    assert client_id is not None
    assert allowed is not None
    assert settings.public_origin is not None
    secret = settings.oidc_client_secret
    provider = Provider(issuer, client_id, secret.get_secret_value() if secret else None, allowed.split(","))
    return OidcLogIn(by_link, provider, settings.public_origin, by_link.events)
