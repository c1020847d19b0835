"""Links to the pages of runs on other systems."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from badge.contract import https_url
from badge.web.login.access import Viewer


@dataclass(frozen=True, slots=True)
class RunPage:
    """The URL of a run's own page, and its host, which the link names."""

    url: str
    host: str

    @classmethod
    def of(cls, reported: str | None, viewer: Viewer) -> RunPage | None:
        """Return the link, or None if there is none or this viewer must not learn the upstream's URL."""
        url = https_url(reported)
        return cls(url, urlsplit(url).hostname or "") if url and viewer.sees_private else None
