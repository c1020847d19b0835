"""Login to the dashboard with a shared token; logout and form protection for every way to log in."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, redirect, request, session
from flask_wtf.csrf import generate_csrf, validate_csrf
from werkzeug.wrappers import Response as AnyResponse
from wtforms import ValidationError

from badge.events import LogInEnd, LogInTried
from badge.ports import Events
from badge.web.login.access import SessionAccess
from badge.web.page import message, show
from badge.web.paths import DASHBOARD

NEXT = "next"


@dataclass(frozen=True, slots=True)
class SharedTokenLogIn:
    """Logs in those who know the token."""

    access: SessionAccess
    token: str
    events: Events

    def add_routes(self, pages: Blueprint) -> None:
        """Add /login and /logout."""
        offer_log_out(pages, self.access)
        pages.add_url_rule("/login", "login", self.form)
        pages.add_url_rule("/login", "log_in", self.log_in, methods=["POST"])
        pages.add_url_rule("/logout", "log_out", self.log_out, methods=["POST"])

    def form(self) -> AnyResponse:
        """Show the login form, or redirect those who are already logged in."""
        if self.access.viewer() is not None:
            return redirect(self.access.paths.to(wanted_page(request.args)), 303)
        return show("login.html", way="token", next=wanted_page(request.args), fault="")

    def log_in(self) -> AnyResponse:
        """Check the token. A form from an old tab, without this session's CSRF token, is fine if already logged in."""
        if self.access.viewer() is not None:
            return redirect(self.access.paths.to(wanted_page(request.form)), 303)
        if (refused := forged_form()) is not None:
            self.events.emit(LogInTried(LogInEnd.FORGED))
            return refused
        wanted = wanted_page(request.form)
        if not hmac.compare_digest(request.form.get("token", "").strip().encode(), self.token.encode()):
            self.events.emit(LogInTried(LogInEnd.REFUSED))
            return show("login.html", 403, way="token", next=wanted, fault="This token is wrong.")
        self.events.emit(LogInTried(LogInEnd.ADMITTED))
        self.access.admit()
        return redirect(self.access.paths.to(wanted), 303)

    def log_out(self) -> AnyResponse:
        """End the session, if there is one."""
        if self.access.viewer() is None:
            return redirect(self.access.paths.to("/login"), 303)
        if (refused := forged_form()) is not None:
            return refused
        session.clear()
        return redirect(self.access.paths.to("/login"), 303)


def offer_log_out(pages: Blueprint, access: SessionAccess) -> None:
    """Make templates show a logout button to those who are logged in, and put a CSRF token into forms."""
    pages.context_processor(lambda: {"can_log_out": access.viewer() is not None, "csrf_token": generate_csrf})


def wanted_page(given: Mapping[str, Any]) -> str:
    """Return the application's own path to go to after login: a page of the dashboard, never another site."""
    wanted = str(given.get(NEXT, ""))
    return wanted if re.fullmatch(r"/dashboard(?:[/?][\x21-\x5b\x5d-\x7e]*)?", wanted) else DASHBOARD


def forged_form() -> AnyResponse | None:
    """Return an error page if the form's CSRF token is not valid for this session, else None."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        if current_app.config["SESSION_COOKIE_NAME"] not in request.cookies:
            return _no_cookie(is_secure=current_app.config["SESSION_COOKIE_SECURE"])
        return message(400, "This form has expired", "Go back, reload the page and submit the form again.")
    return None


def _no_cookie(*, is_secure: bool) -> AnyResponse:
    """Explain a missing cookie: over plain http, browsers store a secure one only from their own machine."""
    why = "Use https. If that is not possible, set BADGE_PUBLIC_URL to the http:// address in your browser."
    text = why if is_secure else "Allow cookies for this site, go back, reload the page and submit the form again."
    return message(400, "Your browser did not send the cookie back", text)
