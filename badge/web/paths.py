"""Builds the paths in links, forms, redirects and snippets, with the path prefix. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from badge.model import Subject, SubjectScope
from badge.raw_path import BADGE_ROOT, STATUS_ROOT, SUMMARY
from badge.web.badges.request import SUFFIXES, Format

DASHBOARD = "/dashboard"
DASHBOARD_ROOT = f"{DASHBOARD}/"
LOGIN = "/login"
FEED = "/feed.atom"
SUBJECT_ROOTS = (BADGE_ROOT, DASHBOARD_ROOT, STATUS_ROOT)
"""What the paths of badges and of subjects' pages begin with."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Turns the application's own paths into those that browsers use."""

    prefix: str = ""
    """The prefix under which a proxy serves the application, such as `/backups`; empty at the root of a host."""

    def to(self, own_path: str) -> str:
        """Return the external path for one of the application's own, which starts with `/` and may have a query."""
        return self.prefix + own_path

    def own(self, text: str) -> str:
        """Return the text with the prefix removed from the URLs of badges and of subjects' pages.

        For what people paste: a path, a URL with or without its scheme, or a snippet. Any host counts as this service.
        """
        if not self.prefix:
            return text
        roots = "|".join(root.strip("/") for root in SUBJECT_ROOTS)
        return re.sub(rf"(^[^/\s]*|//[^/\s]+){re.escape(self.prefix)}(?=/(?:{roots})/)", r"\1", text.strip())

    def badge(self, subject_path: str, format: Format = Format.SVG) -> str:
        """Return the external path of the badge for a subject's path."""
        return self.to(badge_path(subject_path, format))

    def summary(self, scope: SubjectScope) -> str:
        """Return the external path of a summary."""
        return self.to(_with_suffix(f"{SUMMARY}/{scope.path}", Format.SVG))

    def status(self, subject_path: str) -> str:
        """Return the external path of the status page for a subject's path."""
        return self.to(STATUS_ROOT + subject_path)

    def ping(self, rest: str) -> str:
        """Return the external path of a ping URL, given what follows `/ping/`."""
        return self.to(f"/ping/{rest}")

    def page(self, subject: Subject) -> str:
        """Return the external path of a subject's page on the dashboard."""
        return self.to(f"{DASHBOARD_ROOT}{subject.path}")


AT_ROOT = Paths()


def badge_path(subject_path: str, format: Format = Format.SVG) -> str:
    """Return the application's own path of the badge for a subject's path."""
    return _with_suffix(f"{BADGE_ROOT}{subject_path}", format)


def _with_suffix(path: str, format: Format) -> str:
    """Return the path of an image in this format.

    A name that ends in a format's suffix gets one more, because the last one is removed when the path is read.
    """
    needs_suffix = format is not Format.SVG or path.endswith(tuple(f".{suffix}" for suffix in SUFFIXES))
    return f"{path}.{format}" if needs_suffix else path
