"""Login sessions: an ID in a signed cookie, valid as long as the database has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Flask, Request, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from badge.catalogue.on_demand import LoginsUnavailable
from badge.raw_path import raw_path
from badge.settings import Settings
from badge.web.login.access import Viewer
from badge.web.loopback import is_loopback_host
from badge.web.page import see_other
from badge.web.paths import LOGIN, Paths
from badge.web.signing_key import NoSigningKey, signing_key

if TYPE_CHECKING:
    from badge.catalogue.logins import Logins

SESSION_ID = "session-id"


@dataclass(frozen=True, slots=True)
class SessionAccess:
    """Access for people who have logged in. Methods raise `LoginsUnavailable` if the database can't be used."""

    logins: Callable[[], Logins]
    """Opens the database on first use."""
    credential: str
    """What logins are verified against; changing it ends all sessions."""
    lifetime: timedelta
    paths: Paths

    def viewer(self) -> Viewer | None:
        """Admit open sessions; the database is queried once per request, even if the query fails."""
        if "is_logged_in" not in g:
            g.is_logged_in = False  # the page that explains a failure must not wait for the database again
            session_id = session.get(SESSION_ID)
            g.is_logged_in = session_id is not None and self.logins().has_session(session_id, self.credential)
        return Viewer() if g.is_logged_in else None

    @property
    def has_cookie(self) -> bool:
        """Whether the browser sent a session cookie; the session itself may have ended."""
        return SESSION_ID in session

    @property
    def can_log_out(self) -> bool:
        """Whether to show a logout button, even on pages that need no login."""
        try:
            return self.viewer() is not None
        except LoginsUnavailable:
            return False

    @staticmethod
    def require_key() -> None:
        """Raise `NoSigningKey` if no cookie can be set."""
        assert isinstance(current_app.session_interface, Cookies)
        current_app.session_interface.load_key(current_app)

    def refusal(self) -> AnyResponse:
        """Redirect to the login page, which returns to the requested page."""
        query = request.query_string.decode("latin-1")
        wanted = raw_path(request.environ) + (f"?{query}" if query else "")
        return see_other(self.paths.to(f"{LOGIN}?{urlencode({'next': wanted})}"))

    def admit(self) -> None:
        """Start a new session for this browser."""
        self._set_cookie(self.logins().open_session(self.credential, self.lifetime))

    def admit_by_link(self, link: str) -> bool:
        """Use up a login link and start a new session for this browser; returns whether the link was valid."""
        session_id = self.logins().open_session_by_link(link, self.credential, self.lifetime)
        if session_id is not None:
            self._set_cookie(session_id)
        return session_id is not None

    def end(self) -> None:
        """End the session; the cookie is deleted, and copies of it become worthless."""
        session_id = session.get(SESSION_ID)
        session.clear()
        g.is_logged_in = False
        if session_id is not None:
            self.logins().end_session(session_id, self.credential)

    @staticmethod
    def _set_cookie(session_id: str) -> None:
        session.clear()
        session.permanent = True
        session[SESSION_ID] = session_id
        g.is_logged_in = True


class Cookies(SecureCookieSessionInterface):
    """Session cookies. Their key is read or created when it is first needed, so that badges work even if that fails."""

    def __init__(self, key: Callable[[], str], paths: Paths) -> None:
        self._key = key
        self._paths = paths

    def load_key(self, app: Flask) -> None:
        """Make sure that there is a signing key; raises `NoSigningKey`."""
        if app.secret_key is None:
            app.secret_key = self._key()

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Load the key first; without one, there are no sessions."""
        with contextlib.suppress(NoSigningKey):
            self.load_key(app)
        return super().get_signing_serializer(app)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Skip verification if the request has no cookie; requests for badges usually have none."""
        has_cookie = self.get_cookie_name(app) in request.cookies
        return super().open_session(app, request) if has_cookie else self.session_class()

    def get_cookie_secure(self, app: Flask) -> bool:
        """Without a public URL, decide by the address in the browser: Safari rejects `Secure` on http://127.0.0.1."""
        configured = app.config["SESSION_COOKIE_SECURE"]
        return not is_loopback_host(request.host) if configured is None else bool(configured)

    def get_cookie_name(self, app: Flask) -> str:
        """Return a name with `__Host-` for a secure cookie: browsers then refuse it from sibling domains.

        The path prefix is part of the name, so that services under different prefixes of one host don't end each
        other's sessions.
        """
        name = "badge" + self._paths.prefix.replace("/", "+")
        return f"__Host-{name}" if self.get_cookie_secure(app) else name

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path prefix, or "/" for a secure cookie: `__Host-` requires it (RFC 6265bis, section 4.1.3.2)."""
        return "/" if self.get_cookie_secure(app) else self._paths.prefix or "/"


def use_sessions(site: Flask, settings: Settings) -> None:
    """Enable sessions. Only the login pages set a cookie for anonymous visitors; badges never set one."""
    site.session_interface = Cookies(lambda: signing_key(settings), Paths(settings.path_prefix))
    site.config.update(
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://") if settings.public_url else None,
        SESSION_COOKIE_HTTPONLY=True,
        # Not Strict, because an OpenID Connect provider sends the browser back from another site.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=settings.session_lifetime,
        SESSION_REFRESH_EACH_REQUEST=False,
        # Forms stay valid as long as their session.
        WTF_CSRF_TIME_LIMIT=None,
    )
