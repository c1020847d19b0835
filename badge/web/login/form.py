"""The login form, for links and for the shared token; logout and CSRF protection for every way to log in."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, request
from werkzeug.wrappers import Response as AnyResponse

from badge.catalogue.on_demand import LoginsUnavailable
from badge.events import CatalogueFailed, LogInEnd, LogInTried
from badge.ports import Events
from badge.web.login.client import client_address
from badge.web.login.link import LINK, is_link, secret_in
from badge.web.login.sessions import Cookies, SessionAccess
from badge.web.page import length, message, see_other, show
from badge.web.paths import DASHBOARD, LOGIN
from badge.web.signing_key import NoSigningKey

if TYPE_CHECKING:
    from badge.catalogue.logins import LoginThrottle

NEXT = "next"
LOGOUT = "/logout"


@dataclass(frozen=True, slots=True)
class FormLogIn:
    """Logs in people with a login link or, if one is set, with the shared token."""

    access: SessionAccess
    throttle: Callable[[], LoginThrottle]
    """Opens the database on first use."""
    events: Events
    token: str | None = None
    way: str = "link"
    """What the form offers besides links: `token`, `oidc`, or `link` for nothing else."""

    def add_routes(self, pages: Blueprint) -> None:
        """Add /login and /logout."""
        self.add_login(pages)
        pages.add_url_rule(LOGOUT, "log_out", self.log_out, methods=["POST"])

    def add_login(self, pages: Blueprint) -> None:
        """Add /login alone."""
        _prepare_pages(pages, self.access, self.events)
        pages.add_url_rule(LOGIN, "login", self.form)
        pages.add_url_rule(LOGIN, "log_in", self.log_in, methods=["POST"])

    def form(self) -> AnyResponse:
        """Show the login form, or redirect those who are already logged in.

        Only the form's button uses up a link, because messengers and mail filters open links too.
        """
        self.access.require_key()
        if self.access.viewer() is not None:
            return see_other(self.access.paths.to(wanted_page(request.args)))
        return self._page(secret_in(request.args.get(LINK, "")))

    def log_in(self) -> AnyResponse:
        """Check the link or the token.

        A form from an old tab, without this session's CSRF token, is accepted if the browser is logged in already.
        """
        self.access.require_key()
        wanted = self.access.paths.to(wanted_page(request.form))
        if self.access.viewer() is not None:
            return see_other(wanted)
        if (refused := forged_form()) is not None:
            self._emit(LogInEnd.FORGED)
            return refused
        link, token = _link_and_token()
        # Links are checked before the throttle, so that nobody can lock out an operator; links can't be guessed.
        if not (link and self.access.admit_by_link(link)):
            address = client_address(request.environ)
            throttle = self.throttle()
            if (wait := throttle.begin(address)) is not None:
                self._emit(LogInEnd.THROTTLED)
                return _too_many_failures(wait)
            if not self._is_token(token):
                self._emit(LogInEnd.REFUSED)
                is_about_token = self.token is not None and not link
                fault = "This token is wrong." if is_about_token else "This link has been used or has expired."
                return self._page("", 403, fault)
            throttle.succeeded(address)
            self.access.admit()
        self._emit(LogInEnd.ADMITTED)
        return see_other(wanted)

    def log_out(self) -> AnyResponse:
        """End the session, if there is one."""
        return end_session(self.access, self.events) or see_other(self.access.paths.to(LOGIN))

    def _is_token(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.strip().encode(), self.token.encode())

    def _page(self, link: str, status: int = 200, fault: str = "") -> AnyResponse:
        way = "link" if link else self.way
        return show("login.html", status, way=way, link=link, next=wanted_page(request.values), fault=fault)

    def _emit(self, end: LogInEnd) -> None:
        self.events.emit(LogInTried(end))


def _link_and_token() -> tuple[str, str]:
    """Return the secret of the submitted link and the submitted token; a link may be in the token's field."""
    link, token = request.form.get(LINK, ""), request.form.get("token", "")
    return secret_in(token if is_link(token) else link), token


def _prepare_pages(pages: Blueprint, access: SessionAccess, events: Events) -> None:
    """Show a logout button to those who are logged in, put CSRF tokens into forms, and explain an unusable database."""

    def unavailable(error: LoginsUnavailable) -> AnyResponse:
        events.emit(_failure("login", error))
        return message(503, "Login is temporarily unavailable", "The service's database does not answer. Try again.")

    def no_key(_: NoSigningKey) -> AnyResponse:
        text = "The signing key in the data folder can't be used. `badge check-config` on the server says why."
        return message(503, "Login is unavailable", text)

    pages.context_processor(lambda: {"can_log_out": access.can_log_out, "csrf_token": csrf_token})
    pages.register_error_handler(LoginsUnavailable, unavailable)
    pages.register_error_handler(NoSigningKey, no_key)


def end_session(access: SessionAccess, events: Events) -> AnyResponse | None:
    """End the session; returns None, or a response if there was no session or it could not be ended."""
    if not access.has_cookie:
        return see_other(access.paths.to(LOGIN))
    if (refused := forged_form()) is not None:
        return refused
    try:
        access.end()
    except LoginsUnavailable as error:
        events.emit(_failure("logout", error))
        text = (
            "The service's database does not answer, so the session could not be ended on the server. It will "
            "expire by itself."
        )
        return message(503, "Logged out in this browser only", text)
    return None


def _failure(operation: str, error: LoginsUnavailable) -> CatalogueFailed:
    from badge.catalogue.faults import failure  # noqa: PLC0415 - loaded already, with the database that failed

    return failure(operation, error.cause)


def _too_many_failures(wait: timedelta) -> AnyResponse:
    text = f"Try again in {length(wait)}. A login link made on the server, with `badge login-link`, works at once."
    page = message(429, "Too many failed logins", text)
    page.headers["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
    return page


def wanted_page(given: Mapping[str, Any]) -> str:
    """Return the application's own path to go to after login: a page of the dashboard, never another site."""
    wanted = str(given.get(NEXT, ""))
    return wanted if re.fullmatch(r"/dashboard(?:[/?][\x21-\x5b\x5d-\x7e]*)?", wanted) else DASHBOARD


def csrf_token() -> str:
    """Return the CSRF token for this session's forms."""
    from flask_wtf.csrf import generate_csrf  # noqa: PLC0415 - loads WTForms: 1.5 MB, not needed without forms

    token: str = generate_csrf()
    return token


def forged_form() -> AnyResponse | None:
    """Return an error page if the form's CSRF token is not valid for this session, else None."""
    from flask_wtf.csrf import validate_csrf  # noqa: PLC0415 - see `csrf_token`
    from wtforms import ValidationError  # noqa: PLC0415

    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        cookies = current_app.session_interface
        assert isinstance(cookies, Cookies)
        if cookies.get_cookie_name(current_app) not in request.cookies:
            return _no_cookie(is_secure=cookies.get_cookie_secure(current_app))
        return message(400, "This form has expired", "Go back, reload the page and submit the form again.")
    return None


def _no_cookie(*, is_secure: bool) -> AnyResponse:
    """Explain a missing cookie: over plain HTTP, browsers accept a secure one only from their own machine."""
    why = "Use https. If that is not possible, set BADGE_PUBLIC_URL to the http:// address in your browser."
    text = why if is_secure else "Allow cookies for this site, go back, reload the page and submit the form again."
    return message(400, "Your browser did not send the cookie back", text)
