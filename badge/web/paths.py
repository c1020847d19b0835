"""The paths that leave the service, in links, forms, redirects and snippets: each is built here. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from badge.model import Subject
from badge.web.badges.request import SUFFIXES, Format
from badge.web.raw_path import BADGE_ROOT

DASHBOARD = "/dashboard"
DASHBOARD_ROOT = f"{DASHBOARD}/"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where browsers find what the application has at a path of its own."""

    prefix: str = ""
    """What a proxy puts in front of each path, such as `/backups`; empty at the root of a host."""

    def to(self, own_path: str) -> str:
        """The path outside for one of the application's own, which begins with `/`; a query may follow."""
        return self.prefix + own_path

    def badge(self, subject_path: str, format: Format = Format.SVG) -> str:
        """The path of the image for a subject's own path."""
        return self.to(badge_path(subject_path, format))

    def page(self, subject: Subject) -> str:
        """The path of a subject's page on the dashboard."""
        return self.to(f"{DASHBOARD_ROOT}{subject.path}")


AT_ROOT = Paths()


def badge_path(subject_path: str, format: Format = Format.SVG) -> str:
    """The application's own path of the image, such that it is taken for nothing else.

    A name that ends in a format's suffix gets one more, which is taken off again.
    """
    needs_suffix = format is not Format.SVG or subject_path.endswith(tuple(f".{suffix}" for suffix in SUFFIXES))
    return f"{BADGE_ROOT}{subject_path}.{format}" if needs_suffix else f"{BADGE_ROOT}{subject_path}"
