"""Each snippet is parsed back by a real parser of its syntax: one image, its alternative text, one link."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag

import bbcode
import docutils.core
import docutils.nodes
import pypandoc
import pytest
import wikitextparser
from bs4 import BeautifulSoup
from bs4.element import Tag
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from badge.artwork import svg
from badge.model import Badge, InvalidSubject, Style, Subject, Theme
from badge.web.badges.request import Format, read_badge_request
from badge.web.links import Link, repository_url
from badge.web.snippets import SYNTAX_NAMES, Snippet, Syntax, snippet
from tests.hostile import MARKUP, PAYLOADS
from tests.parsers.node import node
from tests.servers import needs
from tests.unit.test_subject import subjects

BASE = "https://badges.example.org"
LOOKS: list[Mapping[str, str]] = [
    {},
    {"style": "for-the-badge"},
    {"label": "nächtlich & co", "copy": "1", "lang": "de"},
    {"label": "__x__ ~y~ *z* (c) ]!|", "max_age": "26h"},
]


@dataclass(frozen=True)
class Read:
    """What a parser should find: one image within one link, and nothing else."""

    image: str
    alt: str | None
    page: str


def named(name: str) -> Subject | None:
    try:
        return Subject.parse("GitHub", "acme", "Repository", name)
    except InvalidSubject:
        return None


SUBJECTS = [subject for name in ("web", "Web Shop", *PAYLOADS, *MARKUP) if (subject := named(name))]
SNIPPETS = [
    snippet(subject, BASE, format=format, query=look)
    for number, subject in enumerate(SUBJECTS)
    for look in (LOOKS if number < 2 else LOOKS[number % 2 :: 2])
    for format in ((Format.SVG, Format.PNG) if number < 2 else (Format.SVG,))
]


UNLINKED = [
    snippet(subject, BASE, format=format, query=LOOKS[number % len(LOOKS)], link=Link.NONE)
    for number, subject in enumerate(SUBJECTS)
    for format in (Format.SVG, Format.PNG)
]


def expected(made: Snippet) -> Read:
    return Read(made.image_url, made.alt, made.page_url)


def words(alt: str) -> str:
    """Reduce an alternative text to what a syntax can hold."""
    return "".join(character for character in alt if character.isalnum())


def height_of(made: Snippet) -> str | None:
    return str(made.height) if made.height else None


def test_there_are_enough_names() -> None:
    assert len(SUBJECTS) > 40


# --- Markdown and HTML ---


def in_markdown(text: str) -> Read:
    link, image, _ = MarkdownIt().parseInline(text)[0].children or []
    return Read(str(image.attrs["src"]), text_of(image), str(link.attrs["href"]))


def text_of(image: Token) -> str:
    return "".join(part.content for part in image.children or [])


def shown_height(html: str) -> object:
    image = BeautifulSoup(html, "html.parser").img
    assert image is not None
    return image.get("height")


def in_html(text: str) -> Read:
    page = BeautifulSoup(text, "html.parser")
    assert [tag.name for tag in page.find_all()] in (["a", "img"], ["a", "picture", "source", "img"])
    link, image = page.a, page.img
    assert link is not None
    assert image is not None
    return Read(str(image["src"]), str(image["alt"]), str(link["href"]))


def markdown_is_read_back(snippets: Sequence[Snippet]) -> None:
    for made in snippets:
        assert in_markdown(made.written_in(Syntax.MARKDOWN)) == expected(made)


def is_one_linked_image(html: str, made: Snippet) -> None:
    page = BeautifulSoup(html, "html.parser")
    assert [tag.name for tag in page.find_all()] == ["p", "a", "img"], made.alt
    link, image = page.a, page.img
    assert link is not None
    assert image is not None
    assert Read(str(image["src"]), str(image["alt"]), str(link["href"])) == expected(made)


def markdown_is_read_back_by_marked(snippets: Sequence[Snippet]) -> None:
    answers = read_by_node([(Syntax.MARKDOWN, made.written_in(Syntax.MARKDOWN)) for made in snippets])
    for made, answer in zip(snippets, answers, strict=True):
        is_one_linked_image(answer, made)


CMARK = ["cmark-gfm", "-e", "table", "-e", "strikethrough", "-e", "autolink", "-e", "tasklist"]


def markdown_is_read_back_by_cmark_gfm(snippets: Sequence[Snippet]) -> None:
    """Check with the parser that GitHub's is based on."""
    needs("cmark-gfm", is_there=shutil.which("cmark-gfm") is not None)
    text = "\n\n".join(made.written_in(Syntax.MARKDOWN) for made in snippets)
    done = subprocess.run(CMARK, input=text, capture_output=True, text=True, check=True)
    paragraphs = re.findall(r"<p>.*?</p>", done.stdout, re.DOTALL)
    for made, paragraph in zip(snippets, paragraphs, strict=True):
        is_one_linked_image(paragraph, made)


@given(subjects())
def test_the_markdown_of_any_subject_is_one_linked_image_within_its_line(subject: Subject) -> None:
    made = snippet(subject, BASE)
    paragraph = MarkdownIt().parse(f"before {made.written_in(Syntax.MARKDOWN)} after")[1]
    before, link, image, _, after = paragraph.children or []
    assert (before.content, after.content) == ("before ", " after")
    assert Read(str(image.attrs["src"]), text_of(image), str(link.attrs["href"])) == expected(made)


def html_is_read_back(snippets: Sequence[Snippet]) -> None:
    for made in snippets:
        text = made.written_in(Syntax.HTML)
        assert in_html(text) == expected(made)
        assert shown_height(text) == height_of(made)


def picture_is_read_back(snippets: Sequence[Snippet]) -> None:
    """Check for one image for dark pages and one for light ones."""
    for made in snippets:
        text = made.written_in(Syntax.PICTURE)
        dark = BeautifulSoup(text, "html.parser").source
        assert isinstance(dark, Tag)
        separator = "&" if "?" in made.image_url else "?"
        assert dark["srcset"] == f"{made.image_url}{separator}theme=dark"
        assert shown_height(text) == height_of(made)
        assert in_html(text) == Read(f"{made.image_url}{separator}theme=light", made.alt, made.page_url)


# --- reStructuredText, by docutils ---


def in_rst(text: str, height: str | None = None) -> Read:
    document = docutils.core.publish_doctree(text, settings_overrides={"report_level": 2, "halt_level": 2})
    (link,) = document.children
    (image,) = link.children
    assert isinstance(link, docutils.nodes.reference)
    assert isinstance(image, docutils.nodes.image)
    assert image.get("height") == (f"{height}px" if height else None)
    return Read(image["uri"], image["alt"], link["refuri"])


def rst_is_read_back(snippets: Sequence[Snippet]) -> None:
    for made in snippets:
        assert in_rst(made.written_in(Syntax.RST), height_of(made)) == expected(made)


@given(subjects())
def test_the_rst_of_any_subject_is_one_linked_image(subject: Subject) -> None:
    made = snippet(subject, BASE)
    assert in_rst(made.written_in(Syntax.RST)) == expected(made)


# --- Org, Textile and Confluence, by pandoc ---


def parsed_by_pandoc(snippets: Sequence[Snippet], syntax: Syntax, reader: str) -> Iterator[tuple[Snippet, list[Any]]]:
    """Return each snippet with the inline elements of its paragraph."""
    text = "\n\n".join(made.written_in(syntax) for made in snippets)
    document = json.loads(pypandoc.convert_text(text, "json", format=reader))
    paragraphs = [block["c"] for block in document["blocks"] if block["t"] == "Para"]
    assert len(paragraphs) == len(snippets)
    return iter(zip(snippets, paragraphs, strict=True))


def linked(inline: list[Any]) -> tuple[dict[str, str], str, str, str]:
    """Return attributes, text, source and link of the only image."""
    (link,) = inline
    assert link["t"] == "Link"
    _, (inner,), (page, _) = link["c"]
    assert inner["t"] == "Image"
    (_, _, pairs), description, (source, title) = inner["c"]
    described = "".join(part.get("c", " ") for part in description)
    assert title in ("", described)
    return dict(pairs), described, source, page


def textile_is_read_back(snippets: Sequence[Snippet]) -> None:
    for made, inline in parsed_by_pandoc(snippets, Syntax.TEXTILE, "textile"):
        attributes, alt, source, page = linked(inline)
        assert attributes == ({"height": f"{height_of(made)}px"} if made.height else {})
        # Percent-encoding unreserved characters doesn't change a URL (RFC 3986, section 6.2.2.2).
        page = re.sub("%2E$", ".", page)
        assert (source, words(alt), page) == (made.image_url, words(made.alt), made.page_url)


def confluence_is_read_back(snippets: Sequence[Snippet]) -> None:
    for made, inline in parsed_by_pandoc(snippets, Syntax.CONFLUENCE, "jira"):
        attributes, _, source, page = linked(inline)
        assert attributes.get("height") == height_of(made)
        assert set(attributes) <= {"alt", "height"}
        assert (source, words(attributes["alt"]), page) == (made.image_url, words(made.alt), made.page_url)


def org_is_read_back(snippets: Sequence[Snippet]) -> None:
    found = list(parsed_by_pandoc(snippets, Syntax.ORG, "org"))
    attributes = read_by_node([(Syntax.ORG, made.written_in(Syntax.ORG)) for made, _ in found])
    for (made, inline), blocks in zip(found, attributes, strict=True):
        _, _, source, page = linked(inline)
        assert (urldefrag(source).url, page) == (made.image_url, made.page_url)
        assert len(blocks) == 1
        (text,) = blocks[0] if isinstance(blocks[0], list) else [blocks[0]]
        size = f":height {height_of(made)} " if made.height else ""
        assert text.startswith(f"{size}:alt ")
        alt = text.removeprefix(f"{size}:alt ")
        assert " :" not in alt
        assert words(alt) == words(made.alt)


# --- MediaWiki ---


def mediawiki_is_read_back(snippets: Sequence[Snippet]) -> None:
    """Check a link around a URL that MediaWiki recognises as an image."""
    for made in snippets:
        (link,) = wikitextparser.parse(made.written_in(Syntax.MEDIAWIKI)).external_links
        assert link.text is not None
        assert (urldefrag(link.text).url, link.url) == (made.image_url, made.page_url)
        # MediaWiki's EXT_IMAGE_REGEX.
        assert re.fullmatch(r"https?://.+/[A-Za-z0-9_.,~%\-+&;#*?!=()@]+\.(png|svg)", link.text)


# --- AsciiDoc, by Asciidoctor ---


def read_by_node(snippets: list[tuple[str, str]]) -> list[Any]:
    return node("read.mjs", snippets)


def asciidoc_is_read_back(snippets: Sequence[Snippet]) -> None:
    answers = read_by_node([(Syntax.ASCIIDOC, made.written_in(Syntax.ASCIIDOC)) for made in snippets])
    for made, answer in zip(snippets, answers, strict=True):
        paragraph = BeautifulSoup(answer, "html.parser").p
        assert paragraph is not None
        assert [tag.name for tag in paragraph.find_all()] == ["span", "a", "img"]
        image, link = paragraph.img, paragraph.a
        assert image is not None
        assert link is not None
        assert image["alt"] == made.alt
        assert image.get("height") == height_of(made)
        # Percent-encoding unreserved characters doesn't change a URL (RFC 3986, section 6.2.2.2).
        assert unquote(str(image["src"])) == unquote(made.image_url)
        assert unquote(str(link["href"])) == unquote(made.page_url)


# --- BBCode ---


def bbcode_is_read_back(snippets: Sequence[Snippet]) -> None:
    parser = bbcode.Parser(escape_html=True, replace_links=False, replace_cosmetic=False)
    parser.add_simple_formatter("img", '<img src="%(value)s" alt="">', replace_links=False, replace_cosmetic=False)
    for made in snippets:
        found = in_html(parser.format(made.written_in(Syntax.BBCODE)))
        assert found == Read(made.image_url, "", made.page_url)


# --- all of them ---

READ_BACK = [
    markdown_is_read_back,
    markdown_is_read_back_by_marked,
    markdown_is_read_back_by_cmark_gfm,
    html_is_read_back,
    picture_is_read_back,
    rst_is_read_back,
    textile_is_read_back,
    confluence_is_read_back,
    org_is_read_back,
    mediawiki_is_read_back,
    asciidoc_is_read_back,
    bbcode_is_read_back,
]


@pytest.mark.parametrize("is_read_back", READ_BACK, ids=lambda check: check.__name__)
def test_each_snippet_is_one_linked_image_to_a_parser_of_its_syntax(
    is_read_back: Callable[[Sequence[Snippet]], None],
) -> None:
    is_read_back(SNIPPETS)


PUNCTUATED = st.text("aZ1 .-_~!?:;,'\"*()[]{}<>|&#%=+^@`$\\/é", min_size=1, max_size=12)
"""Names made mostly of special characters. They are parsed in batches, because parsers are slow to start."""


@settings(max_examples=5, deadline=None)
@given(st.lists(PUNCTUATED.map(named).filter(bool), min_size=20, max_size=40))
def test_names_full_of_punctuation_survive_every_syntax(subjects: list[Subject]) -> None:
    for is_read_back in READ_BACK:
        is_read_back([snippet(subject, BASE) for subject in subjects])


@pytest.mark.parametrize("style", Style)
def test_a_png_of_any_scale_is_shown_as_high_as_the_svg(style: Style) -> None:
    made = snippet(Subject.legacy("acme", "web"), BASE, format=Format.PNG, query={"style": style, "scale": "3"})
    drawn = svg.draw(Badge(label="backup", message="succeeded", colour="#2b7a2b", style=style))
    assert f'height="{made.height}"'.encode() in drawn
    assert shown_height(made.written_in(Syntax.HTML)) == height_of(made)
    assert snippet(Subject.legacy("acme", "web"), BASE, query={"style": style}).height is None


def test_every_syntax_has_a_name_and_links_to_the_page_except_the_bare_url() -> None:
    made = snippet(Subject.legacy("acme", "web"), BASE)
    assert set(SYNTAX_NAMES) == set(Syntax)
    for syntax in Syntax:
        written = made.written_in(syntax)
        assert made.image_url in written
        assert (made.page_url in written) is (syntax is not Syntax.URL)


# --- without a link ---


def html_of(syntax: Syntax, snippets: Sequence[Snippet]) -> list[str]:
    """Return what a parser of the syntax makes of each snippet."""
    written = [made.written_in(syntax) for made in snippets]
    if syntax in (Syntax.ORG, Syntax.TEXTILE, Syntax.CONFLUENCE):
        reader = "jira" if syntax is Syntax.CONFLUENCE else syntax.value
        html = pypandoc.convert_text("\n\n".join(written), "html", format=reader)
        return re.findall(r"<p>.*?</p>|<figure>.*?</figure>", html, re.DOTALL)
    if syntax is Syntax.ASCIIDOC:
        return read_by_node([(syntax, text) for text in written])
    return [_UNLINKED_READERS[syntax](text) for text in written]


_UNLINKED_READERS: dict[Syntax, Callable[[str], str]] = {
    Syntax.MARKDOWN: lambda text: MarkdownIt().render(text),
    Syntax.HTML: str,
    Syntax.PICTURE: str,
    Syntax.RST: lambda text: docutils.core.publish_parts(text, writer="html5")["body"],
}


@pytest.mark.parametrize("syntax", [one for one in Syntax if one not in (Syntax.URL, Syntax.MEDIAWIKI, Syntax.BBCODE)])
def test_without_a_link_each_snippet_is_one_image(syntax: Syntax) -> None:
    pages = [BeautifulSoup(html, "html.parser") for html in html_of(syntax, UNLINKED)]
    assert len(pages) == len(UNLINKED)
    for made, page in zip(UNLINKED, pages, strict=True):
        assert page.find_all("a") == [], made.alt
        (image,) = page.find_all("img")
        source = made.themed(Theme.LIGHT) if syntax is Syntax.PICTURE else made.image_url
        assert unquote(urldefrag(str(image["src"])).url) == unquote(source)
        assert words(str(image["alt"])) == words(made.alt)


def test_without_a_link_wikis_and_forums_get_the_bare_image() -> None:
    for made in UNLINKED:
        assert made.written_in(Syntax.BBCODE) == f"[img]{made.image_url}[/img]"
        assert made.written_in(Syntax.MEDIAWIKI) == f"{made.image_url}#.{made.format}"


# --- what they link to ---


def test_a_badge_links_to_its_status_page_with_the_token_of_a_private_one() -> None:
    web = Subject.legacy("acme", "web")
    assert snippet(web, BASE).page_url == f"{BASE}/status/GitHub/acme/Repository/web"
    assert snippet(web, BASE, is_short=True).page_url == f"{BASE}/status/acme/web"
    query = {"token": "bst_x-Y_z", "style": "plastic"}
    assert snippet(web, BASE, query=query).page_url == f"{BASE}/status/GitHub/acme/Repository/web?token=bst_x-Y_z"
    image = Subject.legacy("acme", "site.png")
    assert snippet(image, BASE).page_url == f"{BASE}/status/GitHub/acme/Repository/site.png"


@pytest.mark.parametrize(
    ("subject", "url"),
    [
        ("acme/web", "https://github.com/acme/web"),
        ("acme/Web%20%3Fx", "https://github.com/acme/Web%20%3Fx"),
        ("GitLab/group%2Fsub/Repository/web", "https://gitlab.com/group/sub/web"),
        ("Bitbucket/acme/Repository/web", "https://bitbucket.org/acme/web"),
        ("Codeberg/acme/Repository/web", "https://codeberg.org/acme/web"),
        ("AzureDevOps/org/Repository/Web%20Shop/front", "https://dev.azure.com/org/Web%20Shop/_git/front"),
        ("AzureDevOps/org/Repository/front", None),
        ("GitHub/acme/Project/roadmap", None),
        ("Forgejo/acme/Repository/web", None),
    ],
)
def test_a_badge_can_link_to_its_repository(subject: str, url: str | None) -> None:
    parsed = Subject.from_path(subject)
    assert repository_url(parsed) == url
    assert snippet(parsed, BASE, link=Link.REPOSITORY).page_url == (url or "")


@given(subjects(), st.sampled_from([Format.SVG, Format.PNG]))
def test_the_image_url_of_any_subject_names_it_again(subject: Subject, format: Format) -> None:
    read = read_badge_request({"RAW_URI": snippet(subject, "", format=format).image_url}, {}, "backup")
    assert (read.subject, read.format) == (subject, format)
