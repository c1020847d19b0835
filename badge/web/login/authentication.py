"""Builds the dashboard authentication that `BADGE_DASHBOARD` selects."""

from __future__ import annotations

from dataclasses import dataclass

from badge.ports import Events
from badge.settings import Settings
from badge.web.login.access import Access, LocalAccess, LogIn, NoAccess, OpenAccess, SessionAccess
from badge.web.paths import Paths


@dataclass(frozen=True, slots=True)
class DashboardAuthentication:
    """Who may see the dashboard, and how they log in."""

    access: Access
    log_in: LogIn | None = None
    """None if nobody needs to log in, or nobody can."""


def dashboard_authentication(settings: Settings, events: Events, paths: Paths) -> DashboardAuthentication:
    """Return the dashboard authentication for these settings; makes no connections."""
    match settings.dashboard:
        case "local":
            return DashboardAuthentication(LocalAccess(paths))
        case "open":
            return DashboardAuthentication(OpenAccess())
        case "off":
            return DashboardAuthentication(NoAccess())
        case "token":
            return _by_token(settings, events, paths)
        case "oidc":
            return _by_provider(settings, events, paths)


def _by_token(settings: Settings, events: Events, paths: Paths) -> DashboardAuthentication:
    from badge.web.login.form import SharedTokenLogIn  # noqa: PLC0415 - 1.6 MB that the other ways don't need

    assert settings.dashboard_token is not None
    token = settings.dashboard_token.get_secret_value().strip()
    access = SessionAccess(token, paths)
    return DashboardAuthentication(access, SharedTokenLogIn(access, token, events))


def _by_provider(settings: Settings, events: Events, paths: Paths) -> DashboardAuthentication:
    from badge.web.login.oidc import OidcLogIn, Provider  # noqa: PLC0415 - costs 16 MB and 0.1 s

    issuer, client_id, allowed = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_allow
    assert issuer is not None
    assert client_id is not None
    assert allowed is not None
    assert settings.public_url is not None
    secret = settings.oidc_client_secret
    provider = Provider(issuer, client_id, secret.get_secret_value() if secret else None, allowed.split(","))
    access = SessionAccess(f"{issuer} {client_id} {allowed}", paths)
    return DashboardAuthentication(access, OidcLogIn(access, provider, settings.public_url, events))
