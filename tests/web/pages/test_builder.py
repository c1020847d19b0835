"""The builder: which repository the input names, the preview, and what the form offers first."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup

from badge.model import Style
from badge.web.snippets import COMMON, Syntax
from tests.dashboard import Dashboard, Dashboards
from tests.web.pages.test_pages import inlined, one, text

BASE = "https://badges.example.org"
SERVER = "https://git.example.org"


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards(BADGE_PUBLIC_URL=BASE)


def built(dashboard: Dashboard, **query: str) -> BeautifulSoup:
    return dashboard.soup(f"/?{urlencode(query)}")


@pytest.mark.parametrize(
    ("typed", "platform", "subject", "page"),
    [
        ("https://gitlab.example.org/a/b/c", "", "GitLab/a%2Fb/Repository/c", "https://gitlab.example.org/a/b/c"),
        ("git@git.example.org:acme/web.git", "Forgejo", "Forgejo/acme/Repository/web", f"{SERVER}/acme/web"),
        ("https://codeberg.org/acme/web", "", "Codeberg/acme/Repository/web", "https://codeberg.org/acme/web"),
        ("acme/web", "Codeberg", "Codeberg/acme/Repository/web", "https://codeberg.org/acme/web"),
    ],
)
def test_a_repository_on_any_server_gets_a_badge_that_links_to_it(
    dashboard: Dashboard, typed: str, platform: str, subject: str, page: str
) -> None:
    shown = built(dashboard, subject=typed, platform=platform, link="repository")
    assert text(shown, "#snippet-url") == f"{BASE}/badge/{subject}"
    assert f"]({page})" in text(shown, "#snippet-markdown")
    assert not shown.select("#link-note")


def test_a_server_that_is_not_known_needs_a_platform(dashboard: Dashboard) -> None:
    page = built(dashboard, subject=f"{SERVER}/acme/web")
    assert text(page, "#subject-fault") == "Choose the platform that runs on git.example.org."
    offered = [str(option["value"]) for option in page.select("select[name=platform] option")]
    assert offered == ["", "GitHub", "GitLab", "AzureDevOps", "Bitbucket", "Codeberg", "Gitea", "Forgejo"]
    for platform in offered[1:]:
        path = "acme/shop/_git/web" if platform == "AzureDevOps" else "acme/web"
        chosen = built(dashboard, subject=f"{SERVER}/{path}", platform=platform)
        assert (text(chosen, "#subject-fault"), len(chosen.select("#snippet-url"))) == ("", 1)


def test_a_shared_url_keeps_the_platform(dashboard: Dashboard) -> None:
    page = built(dashboard, subject="acme/web", platform="Gitea")
    again = dashboard.soup(str(one(page, "#badge-result")["data-shared"]))
    assert text(again, "#snippet-url") == text(page, "#snippet-url") == f"{BASE}/badge/Gitea/acme/Repository/web"
    assert one(again, "select[name=platform] option[selected]")["value"] == "Gitea"
    assert "platform=" not in str(one(built(dashboard, subject="acme/web"), "#badge-result")["data-shared"])


def test_without_a_repository_the_preview_is_an_example_with_the_choices(dashboard: Dashboard) -> None:
    page = built(dashboard, style="plastic", label="nightly", show="age", icon="on")
    light, dark = (inlined(image).decode() for image in page.select(".ground img"))
    assert "nightly: succeeded 3h ago" in light
    assert light != dark  # each in the theme of its background
    assert len(set(map(inlined, built(dashboard, theme="dark").select(".ground img")))) == 1
    assert not page.select(".snippet")


def test_the_common_syntaxes_come_first_and_a_chosen_other_one_opens_the_rest(dashboard: Dashboard) -> None:
    page = built(dashboard, subject="acme/web")
    tabs = [(str(tab["data-syntax"]), "uncommon" in (tab.get("class") or [])) for tab in page.select("[role=tab]")]
    assert tabs == [(syntax, syntax not in COMMON) for syntax in Syntax if syntax is not Syntax.URL]
    assert [syntax for syntax, is_uncommon in tabs if not is_uncommon] == ["markdown", "html"]
    for syntax, is_open in (("markdown", "false"), ("url", "false"), ("org", "true")):
        assert one(built(dashboard, subject="acme/web", syntax=syntax), "#more-syntaxes")["aria-expanded"] == is_open


def test_pictures_are_inline_named_by_text_and_have_a_size(dashboard: Dashboard) -> None:
    page = built(dashboard)
    for name in ("style", "palette", "icon", "logo"):
        tiles = page.select(f"fieldset.tiles-{name} label")
        assert len(tiles) == len(page.select(f"input[type=radio][name={name}]")) > 1
        assert all(tile.get_text(strip=True) for tile in tiles)
        for image in page.select(f"fieldset.tiles-{name} img"):
            drawn = re.search(rb'width="([\d.]+)" height="([\d.]+)"', inlined(image))
            assert drawn is not None
            assert 0 <= int(str(image["width"])) - float(drawn[1]) < 1
            assert (float(str(image["height"])), image["alt"]) == (float(drawn[2]), "")
    assert len(page.select("fieldset.tiles-style img")) == len(Style)


@pytest.mark.parametrize("name", ["<b>x<b>", 'a"b', "مجموعة"])
def test_a_hostile_name_is_text_in_the_answer(dashboard: Dashboard, name: str) -> None:
    page = built(dashboard, subject=f"{SERVER}/{quote(name, safe='')}/web", platform="Gitea", link="repository")
    assert text(page, "#subject-named") == f"Gitea · {name} · Repository · web"
    assert f"({SERVER}/{quote(name)}/web)" in text(page, "#snippet-markdown")
