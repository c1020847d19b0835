"""Error pages, and the footer of every page."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from badge import __version__
from tests.dashboard import Dashboards
from tests.site import Site
from tests.web.pages.test_pages import AS_BROWSERS, one, text


@pytest.mark.parametrize(
    ("path", "method", "title"), [("/x", "GET", "Page not found"), ("/", "POST", "only be viewed")]
)
def test_an_error_page_says_what_happened_and_where_to_go(site: Site, path: str, method: str, title: str) -> None:
    answer = site.client.open(path, method=method, headers={"Accept": AS_BROWSERS})
    page = BeautifulSoup(answer.data, "html.parser")
    assert title in text(page, "h1")
    assert text(page, ".message .kind") == f"Error {answer.status_code}"
    links = [str(link["href"]) for link in page.select(".actions a")]
    assert links == ["/dashboard", "/", "/doctor"]
    assert [site.get(link).status_code for link in links] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/", "/doctor", "/dashboard", "/status/acme/none", "/no-such-page"])
def test_every_page_has_a_footer(dashboards: Dashboards, path: str) -> None:
    dashboard = dashboards(BADGE_SOURCE_URL="https://code.example/badge")
    page = BeautifulSoup(dashboard.get(path, Accept=AS_BROWSERS).data, "html.parser")
    assert text(page, "footer p") == f"Backup Status Badge {__version__}"
    assert [link["href"] for link in page.select("footer a")] == ["/docs", "https://code.example/badge", "/readyz"]


def test_without_a_source_url_there_is_no_link_to_the_source_code(site: Site) -> None:
    page = BeautifulSoup(site.get("/").data, "html.parser")
    assert one(page, "footer")
    assert "Source code" not in text(page, "footer")
