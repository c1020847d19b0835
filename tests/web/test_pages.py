"""The pages: who may see them, what stands in them, nothing unescaped, a strict policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from hypothesis import given
from markdown_it import MarkdownIt
from markdown_it.token import Token
from werkzeug.test import TestResponse

from app import build_app, build_parts
from badge.appearance import WORDS, Palette
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.database import migrate
from badge.catalogue.events import RunEvent
from badge.model import BackupStatus, Style, Subject, Visibility
from badge.settings import load
from badge.web.local_only import is_local
from badge.web.snippets import Snippet, Syntax, snippet
from tests.doubles import START, ManualClock
from tests.site import SUCCEEDED, Site
from tests.unit.test_subject import subjects

HOSTILE = '<script>alert(1)</script>"](javascript:alert(1))'


class Dashboard:
    """A service with a catalogue, asked from this machine."""

    def __init__(self, folder: Path, **settings: str) -> None:
        clock = ManualClock()
        wired = load({"BADGE_DATA_DIR": str(folder), **settings})
        self.parts = build_parts(wired, cache=MemoryStatusCache(clock), clock=clock)
        migrate(wired.catalogue_location)
        self.client: FlaskClient = build_app(self.parts).test_client()

    def tell(
        self, subject: Subject, status: BackupStatus = BackupStatus.SUCCEEDED, visibility: Visibility | None = None
    ) -> None:
        assert self.parts.own is not None
        event = RunEvent(subject=subject, status=status, at=START, visibility=visibility)
        self.parts.own.catalogue.record(event)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def soup(self, path: str) -> BeautifulSoup:
        answer = self.get(path)
        assert answer.status_code == 200
        return BeautifulSoup(answer.data, "html.parser")


@pytest.fixture
def dashboard(tmp_path: Path) -> Dashboard:
    return Dashboard(tmp_path)


def test_an_empty_dashboard_says_how_to_report_the_first_backup(dashboard: Dashboard) -> None:
    assert "flask badge report GitHub/acme/Repository/web succeeded" in dashboard.soup("/dashboard").get_text()


def test_subjects_are_grouped_with_live_badges_and_links(dashboard: Dashboard) -> None:
    dashboard.tell(Subject.legacy("acme", "web"))
    dashboard.tell(Subject.parse("AzureDevOps", "org", "Repository", "my project/web"), BackupStatus.FAILED)
    page = dashboard.soup("/dashboard")
    assert [title.get_text() for title in page.select("h2")] == ["AzureDevOps · org", "GitHub · acme"]
    images = [str(image["src"]) for image in page.select(".subjects img")]
    assert images == ["/badge/AzureDevOps/org/Repository/my%20project/web", "/badge/GitHub/acme/Repository/web"]
    for link in page.select(".subjects a"):
        assert dashboard.get(str(link["href"])).status_code == 200
    assert "just now" in page.get_text()


def test_a_long_list_has_pages(dashboard: Dashboard) -> None:
    for number in range(60):
        dashboard.tell(Subject.legacy("acme", f"repo-{number:02}"))
    first = dashboard.soup("/dashboard")
    assert len(first.select(".subjects li")) == 50
    second = dashboard.soup(str(first.select_one("a[rel=next]")["href"]))  # type: ignore[index] # fails if missing
    assert len(second.select(".subjects li")) == 10
    assert dashboard.get("/dashboard?cursor=nonsense").status_code == 400


def test_the_details_page_has_settings_with_the_dialog(dashboard: Dashboard) -> None:
    dashboard.tell(Subject.legacy("acme", "web"))
    page = dashboard.soup("/dashboard/GitHub/acme/Repository/web")
    assert "Settings" in [title.get_text() for title in page.select("h2")]
    assert page.select_one("#open-badge-dialog").get_text() == "Get badge URL"  # type: ignore[union-attr] # as above
    assert page.select_one("dialog #image-url-long")["value"] == "/badge/GitHub/acme/Repository/web"  # type: ignore[index] # as above
    assert page.select_one("dialog #image-url-short")["value"] == "/badge/acme/web"  # type: ignore[index] # as above


def test_a_private_subject_shows_its_status_here_only(dashboard: Dashboard) -> None:
    dashboard.tell(Subject.legacy("acme", "web"), visibility=Visibility.PRIVATE)
    text = dashboard.soup("/dashboard/acme/web").get_text()
    assert "private" in text
    assert "succeeded" in text
    assert dashboard.get("/badge/acme/web.txt").status_code == 404


def test_a_name_full_of_markup_stands_as_text(dashboard: Dashboard) -> None:
    subject = Subject.legacy("acme", HOSTILE.replace("/", "-"))
    dashboard.tell(subject)
    for path in ("/dashboard", f"/dashboard/{subject.path}"):
        page = dashboard.soup(path)
        assert subject.name in page.get_text()
        assert all(script.get("src") for script in page.select("script"))


def test_addresses_are_absolute_where_a_public_one_is_set(tmp_path: Path) -> None:
    dashboard = Dashboard(tmp_path, BADGE_PUBLIC_URL="https://badges.example.org/")
    page = dashboard.soup("/dashboard/acme/web")
    field = page.select_one("#markdown-short")
    assert field is not None
    assert field.get_text() == (
        "[![Backup status of acme/web](https://badges.example.org/badge/acme/web)]"
        "(https://badges.example.org/dashboard/GitHub/acme/Repository/web)"
    )


def test_the_style_sheet_shows_every_look_once(site: Site) -> None:
    page = BeautifulSoup(site.get("/badges").data, "html.parser")
    pictures = [str(image["src"]) for image in page.select("table img")]
    assert len(pictures) == len(Palette) * len(Style) * len(WORDS) * 2
    assert all(picture.startswith("data:image/svg+xml;base64,") for picture in pictures)
    assert {str(image["alt"]) for image in page.select("table img")} == {f"backup: {words}" for words in WORDS.values()}


@pytest.mark.parametrize("path", ["/", "/badges", "/dashboard", "/dashboard/acme/web", "/dashboard/a/b/c"])
def test_every_page_has_a_strict_policy_and_no_inline_code(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["Cache-Control"] == "no-store"
    page = BeautifulSoup(answer.data, "html.parser")
    assert not page.select("[style], style, [onclick], script:not([src])")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/acme/web"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "badges.example.org"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Real_IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_from_elsewhere_the_dashboard_is_closed(dashboard: Dashboard, path: str, headers: dict[str, str]) -> None:
    dashboard.tell(Subject.legacy("acme", "web"))
    answer = dashboard.get(path, **headers)
    assert answer.status_code == 403
    assert "acme" not in answer.text


def test_the_dashboard_can_be_switched_off(tmp_path: Path) -> None:
    assert Dashboard(tmp_path, BADGE_DASHBOARD="off").get("/dashboard").status_code == 404


def test_a_source_that_can_not_list_offers_to_name_one(site: Site) -> None:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    page = BeautifulSoup(site.get("/dashboard").data, "html.parser")
    assert page.select_one("form input[name=subject]") is not None
    found = site.get("/dashboard?subject=acme/we%20b")
    assert (found.status_code, found.headers["Location"]) == (303, "/dashboard/GitHub/acme/Repository/we%20b")
    assert site.get("/dashboard?subject=acme").status_code == 400


def test_a_lost_catalogue_is_told(tmp_path: Path) -> None:
    parts = build_parts(load({"BADGE_DATA_DIR": str(tmp_path / "none")}), cache=MemoryStatusCache(ManualClock()))
    assert build_app(parts).test_client().get("/dashboard").status_code == 503


ENVIRONMENTS = [
    ({}, True),
    ({"HTTP_HOST": "localhost:8000"}, True),
    ({"HTTP_HOST": "[::1]:8000", "REMOTE_ADDR": "::1"}, True),
    ({"HTTP_HOST": "127.1.2.3"}, True),
    ({"REMOTE_ADDR": "10.0.0.1"}, False),
    ({"REMOTE_ADDR": ""}, False),
    ({"HTTP_HOST": ""}, False),
    ({"HTTP_HOST": "localhost.evil.example"}, False),
    ({"HTTP_HOST": "evil.example@127.0.0.1"}, False),
    ({"HTTP_HOST": "127.0.0.1/evil"}, False),
    ({"HTTP_HOST": "127.0.0.1:port"}, False),
    ({"HTTP_HOST": "[::1"}, False),
    ({"HTTP_HOST": "2130706433"}, False),
    ({"HTTP_X_FORWARDED_HOST": "localhost"}, False),
    ({"HTTP_CF_CONNECTING_IP": "127.0.0.1"}, False),
]


@pytest.mark.parametrize(("change", "expected"), ENVIRONMENTS)
def test_local_is_a_loopback_peer_at_a_loopback_host_unforwarded(change: dict[str, str], *, expected: bool) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000", **change}
    assert is_local(environ) is expected


def text_of(image: Token) -> str:
    return "".join(part.content for part in image.children or [])


@given(subjects())
def test_the_markdown_of_any_subject_is_one_linked_image(subject: Subject) -> None:
    made = snippet(subject, "https://badges.example.org")
    paragraph = MarkdownIt().parse(f"before {made.markdown} after")[1]
    before, link, image, _, after = paragraph.children or []
    assert (before.content, after.content) == ("before ", " after")
    assert link.attrs["href"] == made.page_url
    assert image.attrs["src"] == made.image_url
    assert " ".join(text_of(image).split()) == " ".join(made.alt.split())


@given(subjects())
def test_the_image_url_of_any_subject_names_it_again(subject: Subject) -> None:
    site = Site()
    site.get(snippet(subject, "").image_url)
    assert site.source.asked[0][0] == subject


HOSTILE_ALT = Snippet("https://b.example/badge/a/b", "https://b.example/dashboard/a/b", 'Backup status of a/"]()!<b>')


def test_html_is_one_linked_image() -> None:
    link = BeautifulSoup(HOSTILE_ALT.written_in(Syntax.HTML), "html.parser").a
    assert link is not None
    assert link["href"] == HOSTILE_ALT.page_url
    image = link.img
    assert image is not None
    assert (image["src"], image["alt"]) == (HOSTILE_ALT.image_url, HOSTILE_ALT.alt)


@pytest.mark.parametrize("syntax", Syntax)
def test_every_syntax_has_the_image_and_but_for_the_bare_url_the_page(syntax: Syntax) -> None:
    written = HOSTILE_ALT.written_in(syntax)
    assert HOSTILE_ALT.image_url in written
    assert (HOSTILE_ALT.page_url in written) is (syntax is not Syntax.URL)


def test_alternative_texts_can_not_end_early() -> None:
    assert HOSTILE_ALT.written_in(Syntax.ASCIIDOC).startswith(
        'image:https://b.example/badge/a/b["Backup status of a/\\"\\]('
    )
    assert HOSTILE_ALT.written_in(Syntax.TEXTILE).count(")") == 1
