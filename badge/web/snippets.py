"""What is copied into a README: the image's URL, and what to write around it in each syntax. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from html import escape
from urllib.parse import quote

from badge.appearance import alt_text
from badge.artwork.svg import HEIGHTS
from badge.model import Style, Subject, Theme
from badge.web.badges.request import Format
from badge.web.paths import AT_ROOT, Paths

# What means something within an image's text: CommonMark's own, and GitHub's tables, strikes and formulas.
# CommonMark, section 2.4: a backslash makes each stand for itself.
_MEANINGFUL = re.compile(r"([\\`*_\[\]<>&|~$])")

# What ends or begins something within the attributes of a Confluence image; there is no escape for it.
_CONFLUENCE_MARKS = "!|[]{},='\""


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
    CONFLUENCE = "confluence"


SYNTAX_NAMES = {
    Syntax.URL: "Image URL",
    Syntax.MARKDOWN: "Markdown",
    Syntax.HTML: "HTML",
    Syntax.PICTURE: "HTML for light and dark pages",
    Syntax.RST: "reStructuredText",
    Syntax.ASCIIDOC: "AsciiDoc",
    Syntax.ORG: "Org",
    Syntax.TEXTILE: "Textile",
    Syntax.BBCODE: "BBCode",
    Syntax.MEDIAWIKI: "MediaWiki",
    Syntax.CONFLUENCE: "Confluence",
}


UNSIZED = (Syntax.MARKDOWN, Syntax.BBCODE, Syntax.MEDIAWIKI)
"""What can't say how large a picture is to be shown."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One badge's URL and what to paste. URLs hold only letters, digits and `_.-~%/:?=&`; `&` alone means anything."""

    address: str
    """The image's, without its query."""
    page_url: str
    alt: str
    query: Mapping[str, str] = field(default_factory=dict)
    format: Format = Format.SVG

    @property
    def image_url(self) -> str:
        """The image's address with all that was chosen."""
        return self._with(self.query)

    @property
    def height(self) -> int | None:
        """How high a PNG is to be shown, whatever its scale; None for an SVG, which knows by itself."""
        return HEIGHTS[Style(self.query.get("style", Style.FLAT))] if self.format is Format.PNG else None

    def written_in(self, syntax: Syntax) -> str:
        """The linked image in one of the syntaxes, its alternative text escaped as each wants it."""
        image, page, alt, sized = self.image_url, self.page_url, self.alt, self._sized
        # MediaWiki and Org take an address for an image's by its end alone, and servers never see what follows "#".
        as_file = f"{image}#.{self.format}"
        forms = {
            Syntax.URL: image,
            Syntax.MARKDOWN: f"[![{_markdown_text(alt)}]({image})]({page})",
            Syntax.HTML: f'<a href="{page}">{self._img(image)}</a>',
            Syntax.PICTURE: (
                f'<a href="{page}"><picture>'
                f'<source media="(prefers-color-scheme: dark)" srcset="{escape(self.themed(Theme.DARK))}">'
                f"{self._img(self.themed(Theme.LIGHT))}</picture></a>"
            ),
            # Values of a directive's options are not parsed any further.
            Syntax.RST: f".. image:: {image}\n   :target: {page}\n   :alt: {alt}" + sized("\n   :height: {}px"),
            Syntax.ASCIIDOC: (
                f'image:{_asciidoc_url(image)}["{_asciidoc_text(alt)}",link="{_asciidoc_url(page)}"'
                f"{sized(',height={}')}]"
            ),
            # A colon after a space would begin an attribute of the name's own choosing.
            Syntax.ORG: (
                f"#+ATTR_HTML: {sized(':height {} ')}:alt {re.sub(r'(?<= ):+', '', alt)}\n[[{page}][{as_file}]]"
            ),
            # There is no escape for a closing parenthesis or an exclamation mark, and a full stop ends the sentence.
            Syntax.TEXTILE: (
                f"!{sized('{{height:{}px}}')}{image}({_without(alt, '()!')})!:{re.sub(r'[.]$', '%2E', page)}"
            ),
            Syntax.BBCODE: f"[url={page}][img]{image}[/img][/url]",
            Syntax.MEDIAWIKI: f"[{page} {as_file}]",
            Syntax.CONFLUENCE: f"[!{image}|alt={_without(alt, _CONFLUENCE_MARKS)}{sized(',height={}')}!|{page}]",
        }
        return forms[syntax]

    def themed(self, theme: Theme) -> str:
        """The image's address for pages of this kind alone."""
        return self._with({**self.query, "theme": theme.value})

    def _img(self, address: str) -> str:
        return f'<img src="{escape(address)}" alt="{escape(self.alt)}"' + self._sized(' height="{}"') + ">"

    def _sized(self, form: str) -> str:
        """The height in a syntax's own form; nothing where none is needed."""
        return form.format(self.height) if self.height else ""

    def _with(self, query: Mapping[str, str]) -> str:
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.address}?{pairs}" if pairs else self.address


def _markdown_text(alt: str) -> str:
    return _MEANINGFUL.sub(r"\\\1", alt)


def _asciidoc_text(alt: str) -> str:
    """All punctuation as character references: AsciiDoc finds markup in alternative texts, too."""
    return re.sub(r"[!-.:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", alt)


def _asciidoc_url(url: str) -> str:
    """The same address without what AsciiDoc makes emphasis, subscripts, dashes and ellipses of, also in addresses."""
    encoded = url.replace("_", "%5F").replace("~", "%7E")
    return re.sub(r"(?<=\w)--(?=\w)|\.\.\.", r"\\\g<0>", encoded)


def _without(alt: str, characters: str) -> str:
    return " ".join(re.sub(f"[{re.escape(characters)}]", " ", alt).split())


def without_copies(address: str, now: datetime) -> str:
    """The same badge under an address of which neither proxy nor browser has a copy: `v` means nothing here."""
    return f"{address}{'&' if '?' in address else '?'}v={now:%Y%m%d%H%M%S}"


def snippet(
    subject: Subject,
    origin: str,
    *,
    paths: Paths = AT_ROOT,
    is_short: bool = False,
    format: Format = Format.SVG,
    query: Mapping[str, str] | None = None,
) -> Snippet:
    """The snippet for a subject at a service's origin; the short form is the two-part URL, where there is one."""
    path = (subject.legacy_path if is_short else None) or subject.path
    # Of one line: Unicode has line breaks that are no control characters.
    alt = " ".join(alt_text(subject).split())
    return Snippet(origin + paths.badge(path, format), origin + paths.page(subject), alt, query or {}, format)
