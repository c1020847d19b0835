"""Session settings: logins are stored in a signed cookie."""

from __future__ import annotations

from flask import Flask

from badge.settings import Settings
from badge.web.signing_key import signing_key


def use_sessions(site: Flask, settings: Settings) -> None:
    """Enable sessions. Only logins set a cookie; badges never do."""
    site.secret_key = signing_key(settings)
    # Browsers send secure cookies over https, and over http to their own machine.
    is_secure = not (settings.public_url or "").startswith("http://")
    site.config.update(
        # With this prefix, browsers refuse the cookie from a sibling domain (RFC 6265bis, section 4.1.3.2). It also
        # requires the path "/", which is Flask's default; so this is the one path without the prefix of `Paths`.
        SESSION_COOKIE_NAME="__Host-badge" if is_secure else "badge",
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_COOKIE_HTTPONLY=True,
        # Not Strict, because an OpenID Connect provider returns by a navigation from another site.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=settings.session_lifetime,
        SESSION_REFRESH_EACH_REQUEST=False,
        # Forms stay valid as long as their session.
        WTF_CSRF_TIME_LIMIT=None,
    )
