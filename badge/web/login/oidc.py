"""Login to the dashboard with an OpenID Connect provider, using Authlib."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, request, session
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response as AnyResponse

from badge.events import LogInEnd, LogInTried
from badge.ports import Events
from badge.web.login.form import LOGOUT, NEXT, FormLogIn, end_session, wanted_page
from badge.web.page import message, see_other, show
from badge.web.paths import LOGIN

CALLBACK = "/login/callback"
PROVIDER_PATIENCE_SECONDS = 5
ANYBODY = "*"

# Exceptions that Authlib does not handle if the provider is down or sends an unexpected response.
_PROVIDER_FAULTS = (RequestException, ValueError, KeyError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider, and which of its users may see the dashboard."""

    issuer: str
    client_id: str
    client_secret: str | None
    allowed: Collection[str]
    """Email addresses, `@domain` for a whole domain, `*` for every user."""

    def lets_in(self, claims: Mapping[str, Any]) -> bool:
        """Whether a user with these claims may see the dashboard."""
        if ANYBODY in self.allowed:
            return True
        # Anybody could have entered an address that the provider has not verified.
        if claims.get("email_verified") is not True:
            return False
        email = str(claims.get("email", "")).lower()
        return email in self.allowed or f"@{email.rpartition('@')[2]}" in self.allowed


class OidcLogIn:
    """Logs in users of the provider whom the operator allows, by the authorisation code flow with PKCE.

    Operators can log in with a link too, even if the provider is down.
    """

    def __init__(self, by_link: FormLogIn, provider: Provider, public_origin: str, events: Events) -> None:
        self.by_link = by_link
        self.access = by_link.access
        self.provider = provider
        self.public_origin = public_origin
        self.events = events
        self._oauth = OAuth()
        # Sends no request to the provider until somebody logs in.
        self._client = self._oauth.register(
            "oidc",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email",
                "code_challenge_method": "S256",
                "default_timeout": PROVIDER_PATIENCE_SECONDS,
            },
        )

    def add_routes(self, pages: Blueprint) -> None:
        """Add /login, /login/start, the callback and /logout."""
        self.by_link.add_login(pages)
        pages.record_once(lambda state: self._oauth.init_app(state.app))
        pages.add_url_rule("/login/start", "start", self.start)
        pages.add_url_rule(CALLBACK, "callback", self.callback)
        pages.add_url_rule(LOGOUT, "log_out", self.log_out, methods=["POST"])

    def start(self) -> AnyResponse:
        """Redirect to the provider, unless already logged in: a link on another site must not end a session."""
        self.access.require_key()
        wanted = wanted_page(request.args)
        if self.access.viewer() is not None:
            return see_other(self.access.paths.to(wanted))
        session.clear()  # drops the state of abandoned logins
        session[NEXT] = wanted
        try:
            answer: AnyResponse = self._client.authorize_redirect(self.public_origin + self.access.paths.to(CALLBACK))
        except (OAuthError, *_PROVIDER_FAULTS):
            return self._no_provider()
        return answer

    def callback(self) -> AnyResponse:
        """Complete the login of a user who returns from the provider."""
        wanted = wanted_page(session)
        try:
            token = self._client.authorize_access_token()
            claims = token.get("userinfo") or {}
            if "email" not in claims and ANYBODY not in self.provider.allowed:
                claims = {**claims, **self._client.userinfo(token=token)}
        except (OAuthError, JoseError):
            self._emit(LogInEnd.FORGED)
            again = f"Start again at {self.access.paths.to(LOGIN)}."
            return message(403, "You are not logged in", f"The provider did not confirm your login. {again}")
        except _PROVIDER_FAULTS:
            return self._no_provider()
        if not self.provider.lets_in(claims):
            session.clear()
            self._emit(LogInEnd.REFUSED)
            why = "Your email address is not on the operator's list, or the provider has not verified it."
            return message(403, "You may not see this dashboard", why)
        self.access.admit()
        self._emit(LogInEnd.ADMITTED)
        return see_other(self.access.paths.to(wanted))

    def log_out(self) -> AnyResponse:
        """End the session here, if there is one, and offer to end the provider's session too."""
        if (response := end_session(self.access, self.events)) is not None:
            return response
        try:
            after = self.public_origin + self.access.paths.to(LOGIN)
            logged_out = self._client.create_logout_url(
                post_logout_redirect_uri=after, client_id=self.provider.client_id
            )
        except (OAuthError, *_PROVIDER_FAULTS):
            return see_other(self.access.paths.to(LOGIN))
        return show("logged_out.html", provider_log_out=logged_out["url"])

    def _no_provider(self) -> AnyResponse:
        self._emit(LogInEnd.NO_PROVIDER)
        return message(503, "Login is temporarily unavailable", "The provider did not respond correctly. Try again.")

    def _emit(self, end: LogInEnd) -> None:
        self.events.emit(LogInTried(end))
