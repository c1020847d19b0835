"""The URL of a login link."""

from __future__ import annotations

from urllib.parse import urlencode

from badge.web.paths import AT_ROOT, LOGIN, Paths

LINK = "link"
"""The query parameter with the link's secret."""


def link_url(address: str, secret: str, paths: Paths = AT_ROOT) -> str:
    """Return the URL that logs in once; `address` is the service's origin, to which `paths` adds the path prefix."""
    return f"{address}{paths.to(LOGIN)}?{urlencode({LINK: secret})}"


def secret_in(text: str) -> str:
    """Return the secret in a pasted link; the secret alone is accepted too."""
    return text.strip().rpartition(f"{LINK}=")[2]


def is_link(text: str) -> bool:
    """Whether pasted text is the URL of a login link, or the end of one."""
    return f"{LOGIN}?{LINK}=" in text
