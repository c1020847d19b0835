"""The doctor's page: what a proxy gets, how old its copy may be, the line that renews it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from badge.model import InvalidSubject
from badge.web.pages.doctor import badge_address
from tests.doubles import START
from tests.site import SUCCEEDED, Site
from tests.web.test_pages import one, text

CAMO = "https://camo.githubusercontent.com/" + "0123456789abcdef" * 4 + "/"
README = CAMO + b"https://badges.example.org/badge/acme/web?style=plastic".hex()


def examined(site: Site, **given: str) -> BeautifulSoup:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    answer = site.get(f"/doctor?{query}")
    assert answer.status_code == 200
    return BeautifulSoup(answer.data, "html.parser")


def facts(page: BeautifulSoup) -> dict[str, str]:
    return {text(row, "dt"): text(row, "dd") for row in page.select("dl div")}


def test_it_asks_for_the_badge_as_a_proxy_does(site: Site) -> None:
    page = examined(site, subject="https://badges.example.org/badge/acme/web?style=plastic")
    found = facts(page)
    direct = site.get("/badge/acme/web?style=plastic")
    for name in ("Content-Type", "Content-Length", "Cache-Control", "ETag"):
        assert found[name] == direct.headers[name]
    assert found["HTTP status"] == "200"
    assert found["Time"].endswith(" ms")
    assert "All is as proxies want it." in page.get_text()
    assert one(page, "section img")["src"] == "/badge/acme/web?style=plastic"


def test_it_tells_how_old_a_copy_may_be(site: Site) -> None:
    page = examined(site, subject="acme/web")
    told = [item.get_text() for item in page.select("li")]
    assert told[0] == "A proxy that takes a copy now may show it for 2 min without asking."
    assert told[1] == "For 2 min after that it may show it once more while it asks in the background."
    assert told[2] == OLDEST
    assert told[3].startswith("If it can't reach this service it may show it for 23 h")


OLDEST = "A copy that it took before may be up to 4 min old, and one that says “deleted” up to 20 min."


def test_what_is_left_of_a_lifetime_says_nothing_of_copies_taken_before(site: Site) -> None:
    site.get("/badge/acme/web")
    site.clock.advance(seconds=100)
    told = [item.get_text() for item in examined(site, subject="acme/web").select("li")]
    assert told[0] == "A proxy that takes a copy now may show it for 20 s without asking."
    assert told[2] == OLDEST


def test_a_lifetime_that_the_address_asks_for_is_that_of_older_copies_too(site: Site) -> None:
    page = examined(site, subject="/badge/acme/web?cacheSeconds=3600")
    assert "A copy that it took before may be up to 2 h old." in page.get_text()


def test_it_gives_an_address_without_a_copy(site: Site) -> None:
    page = examined(site, subject="acme/web")
    assert text(page, "#fresh") == "https://this-service.invalid/badge/GitHub/acme/Repository/web?v=20261123120000"
    page = examined(site, subject="/badge/acme/web?label=x")
    assert text(page, "#fresh").endswith("/badge/acme/web?label=x&v=20261123120000")


def test_the_proxy_s_address_is_enough_for_the_purge_line(site: Site) -> None:
    page = examined(site, camo=f'<img alt="x" src="{README}" data-canonical-src="…">')
    assert text(page, "#purge") == f"curl -X PURGE {README}"
    assert "https://badges.example.org/badge/acme/web?style=plastic" in page.get_text()
    assert one(page, "section img")["src"] == "/badge/acme/web?style=plastic"


@pytest.mark.parametrize(
    "pasted",
    [
        "https://evil.example/" + "0" * 64 + "/00",
        CAMO + "zz",
        "https://camo.githubusercontent.com/; rm -rf ~",
        "$(reboot)",
    ],
)
def test_what_is_no_proxy_s_address_gives_no_line(site: Site, pasted: str) -> None:
    page = examined(site, camo=pasted)
    assert "no address of GitHub's image proxy" in page.get_text()
    assert not page.select("#purge")


def test_nothing_that_a_shell_understands_gets_into_the_line(site: Site) -> None:
    page = examined(site, camo=f"{README};reboot $(reboot) `reboot`")
    assert text(page, "#purge") == f"curl -X PURGE {README}"


def test_a_badge_that_no_proxy_shows_is_told(site: Site) -> None:
    page = examined(site, subject="/badge/acme?strict=1")
    assert "Give owner/repository" in page.get_text()
    page = examined(site, subject="/badge/acme/web.json")
    assert "This is no image" in page.get_text()
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(days=3))
    page = examined(site, subject="/badge/acme/web?strict=1&expect=succeeded&max_age=24h")
    assert "The HTTP status is 503" in page.get_text()


def test_markup_in_the_address_is_text(site: Site) -> None:
    page = examined(site, subject='/badge/acme/web?label="><script>alert(1)</script>')
    assert not page.select("script:not([src])")
    assert "<script>" in one(page, "code").get_text()


@given(st.text(max_size=80))
def test_any_text_is_examined_or_refused_in_words(typed: str) -> None:
    site = Site()
    page = examined(site, subject=typed)
    try:
        address = badge_address(typed.strip())
    except InvalidSubject:
        address = ""
    assert bool(page.select("#fresh")) == bool(address)
