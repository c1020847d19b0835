"""Sessions of those who have logged in: a signed cookie, and the key that signs it."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from flask import Flask

from badge.settings import Settings

KEY_FILE = "session.key"
KEY_BYTES = 32


def use_sessions(site: Flask, settings: Settings) -> None:
    """Have the application keep sessions. Cookies are made for log-ins alone; badges never set one."""
    site.secret_key = signing_key(settings)
    # Browsers send such cookies back over https, and to this machine itself.
    is_secure = not (settings.public_url or "").startswith("http://")
    site.config.update(
        # The prefix has browsers refuse the cookie from a sibling domain (RFC 6265bis, section 4.1.3.2).
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


def signing_key(settings: Settings) -> str:
    """What log-ins are signed with, and the tokens of private subjects."""
    return settings.secret_key.get_secret_value() if settings.secret_key else kept_key(settings.data_dir)


def kept_key(folder: Path) -> str:
    """The key in this folder, made at first use; all processes on it get the same one."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii").strip()


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}")  # of mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
        # Whole or not at all, and the first of several processes wins.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
