"""What is copied into a README: the image's URL, and the Markdown around it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from badge.appearance import alt_text
from badge.model import Subject

# What means something within an image's text: CommonMark's own, and GitHub's tables, strikes and formulas.
# CommonMark, section 2.4: a backslash makes each stand for itself.
_MEANINGFUL = re.compile(r"([\\`*_\[\]<>&|~$])")


class Syntax(StrEnum):
    """What a snippet is written in."""

    URL = "url"
    MARKDOWN = "markdown"
    HTML = "html"
    PICTURE = "picture"
    """HTML again, with a picture for dark pages and one for light ones, by the host's theme (GitHub, GitLab)."""
    RST = "rst"
    ASCIIDOC = "asciidoc"
    ORG = "org"
    TEXTILE = "textile"
    BBCODE = "bbcode"
    MEDIAWIKI = "mediawiki"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One badge's URL and what to paste. URLs hold only letters, digits and `_.-~%/:`, which mean nothing anywhere."""

    image_url: str
    page_url: str
    alt: str

    @property
    def markdown(self) -> str:
        """The image, with its alternative text, linked to the subject's page."""
        return self.written_in(Syntax.MARKDOWN)

    @property
    def picture(self) -> str:
        """The same for pages that are light or dark by their readers' choice."""
        return self.written_in(Syntax.PICTURE)

    def written_in(self, syntax: Syntax) -> str:
        """The linked image in one of the syntaxes, its alternative text escaped as each wants it."""
        image, page, alt = self.image_url, self.page_url, self.alt
        forms = {
            Syntax.URL: image,
            Syntax.MARKDOWN: f"[![{_markdown_text(alt)}]({image})]({page})",
            Syntax.HTML: f'<a href="{page}"><img src="{image}" alt="{escape(alt)}"></a>',
            Syntax.PICTURE: (
                f'<a href="{page}"><picture>'
                f'<source media="(prefers-color-scheme: dark)" srcset="{image}?theme=dark">'
                f'<img src="{image}?theme=light" alt="{escape(alt)}"></picture></a>'
            ),
            # Values of a directive's options are not parsed any further.
            Syntax.RST: f".. image:: {image}\n   :target: {page}\n   :alt: {alt}",
            Syntax.ASCIIDOC: f'image:{image}["{_asciidoc_text(alt)}",link="{page}"]',
            Syntax.ORG: f"#+ATTR_HTML: :alt {alt}\n[[{page}][{image}]]",
            # There is no escape for a closing parenthesis or an exclamation mark.
            Syntax.TEXTILE: f"!{image}({re.sub(r'[()!]', ' ', alt)})!:{page}",
            Syntax.BBCODE: f"[url={page}][img]{image}[/img][/url]",
            Syntax.MEDIAWIKI: f"[{page} {image}]",
        }
        return forms[syntax]


def _markdown_text(alt: str) -> str:
    return _MEANINGFUL.sub(r"\\\1", alt)


def _asciidoc_text(alt: str) -> str:
    return re.sub(r'(["\]])', r"\\\1", alt)


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
