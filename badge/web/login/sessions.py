"""Sessions of those who have logged in: a signed cookie."""

from __future__ import annotations

from flask import Flask

from badge.settings import Settings
from badge.web.signing_key import signing_key


def use_sessions(site: Flask, settings: Settings) -> None:
    """Have the application keep sessions. Cookies are made for log-ins alone; badges never set one."""
    site.secret_key = signing_key(settings)
    # Browsers send such cookies back over https, and to this machine itself.
    is_secure = not (settings.public_url or "").startswith("http://")
    site.config.update(
        # The prefix has browsers refuse the cookie from a sibling domain (RFC 6265bis, section 4.1.3.2), and with
        # any other path than Flask's own, "/": it is the one path that does not begin as `Paths` says.
        SESSION_COOKIE_NAME="__Host-badge" if is_secure else "badge",
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_COOKIE_HTTPONLY=True,
        # Not Strict: the way back from an OpenID Connect provider is a navigation from another site.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=settings.session_lifetime,
        SESSION_REFRESH_EACH_REQUEST=False,
        # Forms hold as long as their session.
        WTF_CSRF_TIME_LIMIT=None,
    )
