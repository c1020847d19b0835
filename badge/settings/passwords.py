"""URLs for display, without their secrets."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_password(url: str) -> str:
    """Return the URL's scheme, host and path; user, password and query are hidden."""
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'<secret>@' if user else ''}{hosts}{parts.path}"
