"""Snippets to paste into a README: the image URL, and the markup around it in each syntax. No I/O."""

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
from badge.web.badges.request import TOKEN, Format
from badge.web.links import Link, repository_url
from badge.web.paths import AT_ROOT, Paths

# Characters with a meaning inside an image's alternative text: CommonMark's, and those of GitHub's tables,
# strikethrough and formulas. A backslash escapes each of them (CommonMark, section 2.4); those that the parser `marked`
# misreads even when escaped are written as character references instead.
_MEANINGFUL = re.compile(r"[\\`*_\[\]<>&|~$]")
_MISREAD_ESCAPED = "\\[]&"

# Characters with a meaning inside the attributes of a Confluence image; they can't be escaped.
_CONFLUENCE_MARKS = "!|[]{},='\""


class Syntax(StrEnum):
    """The markup language of a snippet."""

    URL = "url"
    MARKDOWN = "markdown"
    HTML = "html"
    PICTURE = "picture"
    """HTML with separate images for light and dark pages, chosen by the host's theme (GitHub, GitLab)."""
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


COMMON = (Syntax.URL, Syntax.MARKDOWN, Syntax.HTML)
"""The syntaxes that most people need."""

UNSIZED = (Syntax.MARKDOWN, Syntax.BBCODE, Syntax.MEDIAWIKI)
"""Syntaxes that can't set the size of an image."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One badge to paste.

    Its URLs hold only letters, digits and `_.-~%/:?=&`. Of these, HTML needs only `&` escaped; AsciiDoc and Textile
    have rules of their own.
    """

    address: str
    """The image URL without its query."""
    page_url: str
    """What the image links to; empty for no link."""
    alt: str
    query: Mapping[str, str] = field(default_factory=dict)
    format: Format = Format.SVG

    @property
    def image_url(self) -> str:
        """The image URL with all chosen parameters."""
        return self._with(self.query)

    @property
    def height(self) -> int | None:
        """The display height of a PNG in pixels, regardless of its scale; None for an SVG, which has its own size."""
        return HEIGHTS[Style(self.query.get("style", Style.FLAT))] if self.format is Format.PNG else None

    def written_in(self, syntax: Syntax) -> str:
        """Return the image in this syntax, with its link if it has one and its alternative text escaped."""
        return self._linked(syntax) if self.page_url else self._unlinked(syntax)

    def _linked(self, syntax: Syntax) -> str:
        image, page, alt, sized = self.image_url, self.page_url, self.alt, self._sized
        forms = {
            Syntax.URL: image,
            Syntax.MARKDOWN: f"[{self._unlinked(syntax)}]({page})",
            Syntax.HTML: f'<a href="{page}">{self._unlinked(syntax)}</a>',
            Syntax.PICTURE: f'<a href="{page}">{self._unlinked(syntax)}</a>',
            Syntax.RST: f".. image:: {image}\n   :target: {page}\n   :alt: {alt}" + sized("\n   :height: {}px"),
            Syntax.ASCIIDOC: (
                f'image:{_asciidoc_url(image)}["{_asciidoc_text(alt)}",link="{_asciidoc_url(page)}"'
                f"{sized(',height={}')}]"
            ),
            Syntax.ORG: f"{self._org_attributes()}[[{page}][{self._as_file}]]",
            # A final full stop would not be part of the URL.
            Syntax.TEXTILE: f"{self._unlinked(syntax)}:{re.sub(r'[.]$', '%2E', page)}",
            Syntax.BBCODE: f"[url={page}]{self._unlinked(syntax)}[/url]",
            Syntax.MEDIAWIKI: f"[{page} {self._as_file}]",
            Syntax.CONFLUENCE: f"[{self._unlinked(syntax)}|{page}]",
        }
        return forms[syntax]

    def _unlinked(self, syntax: Syntax) -> str:
        image, alt, sized = self.image_url, self.alt, self._sized
        forms = {
            Syntax.URL: image,
            Syntax.MARKDOWN: f"![{_markdown_text(alt)}]({image})",
            Syntax.HTML: self._img(image),
            Syntax.PICTURE: (
                f'<picture><source media="(prefers-color-scheme: dark)" srcset="{escape(self.themed(Theme.DARK))}">'
                f"{self._img(self.themed(Theme.LIGHT))}</picture>"
            ),
            # Option values of a directive are not parsed as markup, so they need no escaping.
            Syntax.RST: f".. image:: {image}\n   :alt: {alt}" + sized("\n   :height: {}px"),
            Syntax.ASCIIDOC: f'image:{_asciidoc_url(image)}["{_asciidoc_text(alt)}"{sized(",height={}")}]',
            Syntax.ORG: f"{self._org_attributes()}[[{self._as_file}]]",
            # Parentheses and exclamation marks can't be escaped.
            Syntax.TEXTILE: f"!{sized('{{height:{}px}}')}{image}({_without(alt, '()!')})!",
            Syntax.BBCODE: f"[img]{image}[/img]",
            Syntax.MEDIAWIKI: self._as_file,
            Syntax.CONFLUENCE: f"!{image}|alt={_without(alt, _CONFLUENCE_MARKS)}{sized(',height={}')}!",
        }
        return forms[syntax]

    @property
    def _as_file(self) -> str:
        """The image URL with a fragment such as `#.svg`, by which MediaWiki and Org recognise images."""
        return f"{self.image_url}#.{self.format}"

    def _org_attributes(self) -> str:
        # A colon after a space would start another attribute, so a name could inject one.
        return f"#+ATTR_HTML: {self._sized(':height {} ')}:alt {re.sub(r'(?<= ):+', '', self.alt)}\n"

    def themed(self, theme: Theme) -> str:
        """Return the image URL for one theme."""
        return self._with({**self.query, "theme": theme.value})

    def _img(self, address: str) -> str:
        return f'<img src="{escape(address)}" alt="{escape(self.alt)}"' + self._sized(' height="{}"') + ">"

    def _sized(self, form: str) -> str:
        """Format the height as a syntax needs it; empty for an SVG."""
        return form.format(self.height) if self.height else ""

    def _with(self, query: Mapping[str, str]) -> str:
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.address}?{pairs}" if pairs else self.address


def _markdown_text(alt: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        return f"&#{ord(found[0])};" if found[0] in _MISREAD_ESCAPED else f"\\{found[0]}"

    return _MEANINGFUL.sub(escaped, alt)


def _asciidoc_text(alt: str) -> str:
    """Write all punctuation as character references, because AsciiDoc parses markup in alternative texts."""
    return re.sub(r"[!-.:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", alt)


def _asciidoc_url(url: str) -> str:
    """Encode or escape what AsciiDoc, even in URLs, turns into emphasis, subscripts, dashes and ellipses."""
    encoded = url.replace("_", "%5F").replace("~", "%7E")
    return re.sub(r"(?<=\w)--(?=\w)|\.\.\.", r"\\\g<0>", encoded)


def _without(alt: str, characters: str) -> str:
    return " ".join(re.sub(f"[{re.escape(characters)}]", " ", alt).split())


def cache_busting_url(address: str, now: datetime) -> str:
    """Return the badge's URL with a new `v` parameter, which this service ignores and no cache has seen."""
    return f"{address}{'&' if '?' in address else '?'}v={now:%Y%m%d%H%M%S}"


def snippet(  # noqa: PLR0913 - all choices that the form offers
    subject: Subject,
    origin: str,
    *,
    paths: Paths = AT_ROOT,
    is_short: bool = False,
    format: Format = Format.SVG,
    query: Mapping[str, str] | None = None,
    link: Link = Link.STATUS,
    server: str = "",
) -> Snippet:
    """Return the snippet for a subject. `is_short`: use the two-part URLs, if the subject has them.

    A `token` in the query is also added to the URL of the status page. A link to a repository whose URL is not known is
    left out. `server`: start of the repository server's URLs, if the platform does not imply the server.
    """
    query = query or {}
    path = (subject.legacy_path if is_short else None) or subject.path
    # On one line: some Unicode line breaks are not control characters, so names may hold them.
    alt = " ".join(alt_text(subject).split())
    links = {
        Link.STATUS: status_url(path, origin, paths, query.get(TOKEN, "")),
        Link.REPOSITORY: repository_url(subject, server) or "",
        Link.NONE: "",
    }
    return Snippet(origin + paths.badge(path, format), links[link], alt, query, format)


def status_url(path: str, origin: str, paths: Paths, token: str = "") -> str:
    """Return the URL of the status page for a subject's path."""
    return origin + paths.status(path) + (f"?{TOKEN}={quote(token, safe='')}" if token else "")
