"""What is copied into a README: the image's URL, and the Markdown around it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from badge.appearance import alt_text
from badge.model import Subject

# What means something within an image's text: CommonMark's own, and GitHub's tables, strikes and formulas.
# CommonMark, section 2.4: a backslash makes each stand for itself.
_MEANINGFUL = re.compile(r"([\\`*_\[\]<>&|~$])")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One badge's URL and what to paste. `base` is the service's address, or empty for paths alone."""

    image_url: str
    page_url: str
    alt: str

    @property
    def markdown(self) -> str:
        """The image, with its alternative text, linked to the subject's page."""
        alt = _MEANINGFUL.sub(r"\\\1", self.alt)
        return f"[![{alt}]({self.image_url})]({self.page_url})"


def badge_path(path: str) -> str:
    """The path of the image for a subject's own path, such that it is taken for nothing else.

    A name that ends in a format's suffix gets one more, which is taken off again.
    """
    ends_like_a_format = path.endswith((".svg", ".png", ".json", ".txt"))
    return f"/badge/{path}{'.svg' if ends_like_a_format else ''}"


def page_path(subject: Subject) -> str:
    """The path of a subject's page on the dashboard."""
    return f"/dashboard/{subject.path}"


def snippet(subject: Subject, base: str, *, is_short: bool = False) -> Snippet:
    """The snippet for a subject; the short form is the two-part URL, where there is one."""
    path = (subject.legacy_path if is_short else None) or subject.path
    return Snippet(base + badge_path(path), base + page_path(subject), alt_text(subject))
