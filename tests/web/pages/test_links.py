"""What the snippets of the dialog and the builder link to, and what the pages say if readers can't open it."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from badge.model import Subject, Visibility
from badge.subject_pattern import PathPattern, Selection
from tests.dashboard import Dashboard, Dashboards
from tests.web.pages.test_pages import one, text

BASE = "https://badges.example.org"
WEB = Subject.legacy("acme", "web")
DIALOG = f"/dashboard/{WEB.path}?dialog=open"
BUILDER = "/?subject=acme/web"
STATUS = f"{BASE}/status/{WEB.path}"
REPOSITORY = "https://github.com/acme/web"


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards(BADGE_PUBLIC_URL=BASE)


def linked(page: BeautifulSoup) -> str:
    """Return the target of the Markdown snippet; empty if it has none."""
    written = text(page, "#snippet-markdown")
    return written.rpartition("](")[2].removesuffix(")") if written.startswith("[![") else ""


def note(page: BeautifulSoup) -> str:
    return text(page, "#link-note") if page.select("#link-note") else ""


@pytest.mark.parametrize("path", [DIALOG, BUILDER])
def test_the_form_offers_the_status_page_the_repository_and_no_link(dashboard: Dashboard, path: str) -> None:
    dashboard.report(WEB)
    page = dashboard.soup(path)
    options = {str(option["value"]): option.get_text() for option in page.select("[name=link] option")}
    assert options == {"status": "status page", "repository": "repository", "none": "no link"}
    assert one(page, "[name=link] option[selected]")["value"] == "status"
    assert [linked(dashboard.soup(f"{path}&link={link}")) for link in ("status", "repository", "none", "x")] == [
        STATUS,
        REPOSITORY,
        "",
        STATUS,
    ]
    assert note(page) == note(dashboard.soup(f"{path}&link=repository")) == ""


def test_a_shared_url_keeps_the_link(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    shared = str(one(dashboard.soup(f"{DIALOG}&link=none"), "#badge-result")["data-shared"])
    assert "link=none" in shared
    assert linked(dashboard.soup(shared)) == ""
    assert "link=" not in str(one(dashboard.soup(DIALOG), "#badge-result")["data-shared"])


@pytest.mark.parametrize(
    ("settings", "usual", "options"),
    [
        ({"BADGE_LINK": "none"}, "", ["status", "repository", "none"]),
        ({"BADGE_LINK": "repository"}, REPOSITORY, ["status", "repository", "none"]),
        ({"BADGE_STATUS_PAGES": "off"}, REPOSITORY, ["repository", "none"]),
        ({"BADGE_STATUS_PAGES": "off", "BADGE_LINK": "none"}, "", ["repository", "none"]),
    ],
)
def test_the_operator_sets_the_default(
    dashboards: Dashboards, settings: dict[str, str], usual: str, options: list[str]
) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL=BASE, **settings)
    dashboard.report(WEB)
    for path in (DIALOG, BUILDER):
        page = dashboard.soup(path)
        assert linked(page) == usual
        assert [option["value"] for option in page.select("[name=link] option")] == options


def test_a_note_says_what_readers_cannot_open(dashboard: Dashboard) -> None:
    assert note(dashboard.soup(DIALOG)) == "Readers can't open the status page until a backup is reported."
    dashboard.clock.advance(minutes=2)  # until the cached “no such subject” has expired
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    assert note(dashboard.soup(DIALOG)) == "Readers can't open the status page without a token."
    expected = note(dashboard.soup(f"{DIALOG}&link=repository"))
    assert expected == "Only readers with access to the repository can open this link."
    assert note(dashboard.soup(f"{DIALOG}&link=none")) == ""


def test_a_private_badge_links_to_its_page_with_its_token(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    assert dashboard.parts.catalogue is not None
    token = dashboard.parts.catalogue.tokens.create("readme", Selection([PathPattern.only(WEB)]))
    page = dashboard.soup(f"{DIALOG}&token={token}")
    assert (linked(page), note(page)) == (f"{STATUS}?token={token}", "")
    assert dashboard.anonymous().get(linked(page).removeprefix(BASE)).status_code == 200


def test_the_builder_says_the_same_about_private_and_absent_subjects(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    private, absent = (dashboard.anonymous().get(path).text for path in (BUILDER, "/?subject=acme/none"))
    assert private.replace("web", "none") == absent.replace("web", "none")
    expected = "There is no public backup with this name, so readers can't open its status page."
    assert note(dashboard.soup(BUILDER)) == expected
    assert note(dashboard.soup(f"{BUILDER}&link=repository")) == ""


def test_an_unknown_repository_gets_no_link(dashboard: Dashboard) -> None:
    page = dashboard.soup("/?subject=Forgejo/acme/Repository/web&link=repository")
    assert linked(page) == ""
    assert note(page) == "The address of this repository is not known, so the snippets have no link."


def test_the_details_link_to_the_status_page_of_a_public_subject(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    link = one(dashboard.soup(f"/dashboard/{WEB.path}"), "a[href^='/status/']")
    assert dashboard.anonymous().get(str(link["href"])).status_code == 200
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    dashboard.clock.advance(minutes=3)
    assert dashboard.soup(f"/dashboard/{WEB.path}").select("a[href^='/status/']") == []
