"""Log-in to the dashboard at an OpenID Connect provider, by Authlib."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, redirect, request, session
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response as AnyResponse

from badge.events import LogInEnd, LogInTried
from badge.ports import Events
from badge.web.login.access import SessionAccess
from badge.web.login.form import NEXT, forged_form, offer_log_out, wanted_page
from badge.web.page import message, show

CALLBACK = "/login/callback"
PROVIDER_PATIENCE_SECONDS = 5
ANYBODY = "*"

# What Authlib lets through of a provider that is down, or answers with something else than it should.
_PROVIDER_FAULTS = (RequestException, ValueError, KeyError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider, and whom of those that it knows are let in."""

    issuer: str
    client_id: str
    client_secret: str | None
    allowed: Collection[str]
    """E-mail addresses, `@domain` for all of one, `*` for anybody."""

    def lets_in(self, claims: Mapping[str, Any]) -> bool:
        """Whether somebody with these claims may see the dashboard."""
        if ANYBODY in self.allowed:
            return True
        # An address that the provider has not verified is whatever somebody typed there.
        if claims.get("email_verified") is not True:
            return False
        email = str(claims.get("email", "")).lower()
        return email in self.allowed or f"@{email.rpartition('@')[2]}" in self.allowed


class OidcLogIn:
    """Whoever the provider knows and the operator allows: the authorisation code flow with PKCE."""

    def __init__(self, access: SessionAccess, provider: Provider, public_url: str, events: Events) -> None:
        self.access = access
        self.provider = provider
        self.public_url = public_url
        self.events = events
        self._oauth = OAuth()
        # Asks the provider nothing before somebody logs in.
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
        """/login, /login/start, the way back, and /logout."""
        offer_log_out(pages, self.access)
        pages.record_once(lambda state: self._oauth.init_app(state.app))
        pages.add_url_rule("/login", "login", self.form)
        pages.add_url_rule("/login/start", "log_in", self.start)
        pages.add_url_rule(CALLBACK, "callback", self.callback)
        pages.add_url_rule("/logout", "log_out", self.log_out, methods=["POST"])

    def form(self) -> AnyResponse:
        """The way to the provider; who is logged in already goes on."""
        if self.access.viewer() is not None:
            return redirect(self.access.paths.to(wanted_page(request.args)), 303)
        return show("login.html", way="oidc", next=wanted_page(request.args), fault="")

    def start(self) -> AnyResponse:
        """Redirect to the provider."""
        session.clear()  # of ways that were begun and left
        session[NEXT] = wanted_page(request.args)
        try:
            answer: AnyResponse = self._client.authorize_redirect(self.public_url + self.access.paths.to(CALLBACK))
        except (OAuthError, *_PROVIDER_FAULTS):
            return self._no_provider()
        return answer

    def callback(self) -> AnyResponse:
        """Let in whoever comes back from the provider and may see the dashboard."""
        wanted = wanted_page(session)
        try:
            token = self._client.authorize_access_token()
            claims = token.get("userinfo") or {}
            if "email" not in claims and ANYBODY not in self.provider.allowed:
                claims = {**claims, **self._client.userinfo(token=token)}
        except (OAuthError, JoseError):
            self._emit(LogInEnd.FORGED)
            again = f"Begin again at {self.access.paths.to('/login')}."
            return message(403, "You are not logged in", f"The provider did not vouch for you. {again}")
        except _PROVIDER_FAULTS:
            return self._no_provider()
        if not self.provider.lets_in(claims):
            session.clear()
            self._emit(LogInEnd.REFUSED)
            return message(403, "You may not see this dashboard", "The operator has not named your address.")
        self._emit(LogInEnd.ADMITTED)
        self.access.admit()
        return redirect(self.access.paths.to(wanted), 303)

    def log_out(self) -> AnyResponse:
        """End the session here, if it goes on still, and show how to end the provider's."""
        if self.access.viewer() is None:
            return redirect(self.access.paths.to("/login"), 303)
        if (refused := forged_form()) is not None:
            return refused
        session.clear()
        try:
            after = self.public_url + self.access.paths.to("/login")
            logged_out = self._client.create_logout_url(
                post_logout_redirect_uri=after, client_id=self.provider.client_id
            )
        except (OAuthError, *_PROVIDER_FAULTS):
            return redirect(self.access.paths.to("/login"), 303)
        return show("logged_out.html", provider_log_out=logged_out["url"])

    def _no_provider(self) -> AnyResponse:
        self._emit(LogInEnd.NO_PROVIDER)
        return message(503, "The log-in can't be had just now", "The provider did not answer as it should. Try again.")

    def _emit(self, end: LogInEnd) -> None:
        self.events.emit(LogInTried(end))
