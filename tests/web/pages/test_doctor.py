"""The doctor: what a proxy gets, how old its copy may be, the command that makes it drop the copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from badge.model import InvalidSubject, Visibility
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.pages.doctor import badge_address
from tests.dashboard import Dashboards
from tests.doubles import START
from tests.site import SIGNING_KEY, SUCCEEDED, Site
from tests.web.pages.test_pages import WEB, inlined, one, text

CAMO = "https://camo.githubusercontent.com/" + "0123456789abcdef" * 4 + "/"
README = CAMO + b"https://badges.example.org/badge/acme/web?style=plastic".hex()


def examined(site: Site, **given: str) -> BeautifulSoup:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    answer = site.get(f"/doctor?{query}")
    assert answer.status_code == 200
    return BeautifulSoup(answer.data, "html.parser")


def facts(page: BeautifulSoup) -> dict[str, str]:
    return {text(row, "dt"): text(row, "dd") for row in page.select("dl div")}


def test_it_requests_the_badge_as_a_proxy_does(site: Site) -> None:
    page = examined(site, subject="https://badges.example.org/badge/acme/web?style=plastic")
    found = facts(page)
    direct = site.get("/badge/acme/web?style=plastic")
    for name in ("Content-Type", "Content-Length", "Cache-Control", "ETag"):
        assert found[name] == direct.headers[name]
    assert found["HTTP status"] == "200"
    assert found["Time"].endswith(" ms")
    assert "Proxies can show this badge." in page.get_text()
    assert inlined(one(page, "section img")) == direct.data


def test_it_says_how_old_a_copy_may_be(site: Site) -> None:
    page = examined(site, subject="acme/web")
    sentences = [item.get_text() for item in page.select("li")]
    assert sentences[0] == "A proxy that fetches the badge now may show its copy for 2 min without asking again."
    assert sentences[1] == "For another 2 min, it may show that copy once more while it fetches a new one."
    assert sentences[2] == OLDEST
    assert sentences[3].startswith("If it can't reach this service, it may show the copy for another 58 min")


OLDEST = "An earlier copy may be up to 4 min old, or 20 min if it says “deleted”."


def test_the_remaining_lifetime_does_not_limit_older_copies(site: Site) -> None:
    site.get("/badge/acme/web")
    site.clock.advance(seconds=100)
    sentences = [item.get_text() for item in examined(site, subject="acme/web").select("li")]
    assert sentences[0] == "A proxy that fetches the badge now may show its copy for 20 s without asking again."
    assert sentences[2] == OLDEST


def test_cache_seconds_in_the_url_applies_to_older_copies_too(site: Site) -> None:
    page = examined(site, subject="/badge/acme/web?cacheSeconds=3600")
    assert "An earlier copy may be up to 1 h old." in page.get_text()


def test_a_copy_for_programs_is_not_shown_while_a_new_one_is_fetched(site: Site) -> None:
    sentences = [item.get_text() for item in examined(site, subject="/badge/acme/web?strict=1").select("li")]
    assert sentences[0].startswith("A proxy that fetches the badge now may show its copy for 2 min")
    assert sentences[1] == "An earlier copy may be up to 2 min old, or 10 min if it says “deleted”."
    assert not [sentence for sentence in sentences if "once more" in sentence or "can't reach" in sentence]


def test_it_gives_a_url_that_is_not_cached(site: Site) -> None:
    page = examined(site, subject="acme/web")
    assert text(page, "#fresh") == "https://this-service.invalid/badge/GitHub/acme/Repository/web?v=20261123120000"
    page = examined(site, subject="/badge/acme/web?label=x")
    assert text(page, "#fresh").endswith("/badge/acme/web?label=x&v=20261123120000")


def test_the_proxy_s_url_is_enough_for_the_purge_command(site: Site) -> None:
    page = examined(site, camo=f'<img alt="x" src="{README}" data-canonical-src="…">')
    assert text(page, "#purge") == f"curl -X PURGE {README}"
    assert "https://badges.example.org/badge/acme/web?style=plastic" in page.get_text()
    assert text(page, "section code") == "/badge/acme/web?style=plastic"


def test_a_badge_in_markdown_is_examined_by_its_exact_url(site: Site) -> None:
    page = examined(site, subject="[![Backup](https://badges.example.org/badge/acme/web?style=plastic)](https://x)")
    assert text(page, "section code") == "/badge/acme/web?style=plastic"


def camo(target: str) -> str:
    return CAMO + target.encode().hex()


PUBLIC = "https://badges.example.org"


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("", f"{PUBLIC}/badge/acme/web?style=plastic"),
        ("", f"{PUBLIC}:443/badge/Acme/WEB.png"),
        ("acme/web", f"{PUBLIC}/badge/GitHub/acme/Repository/web"),
        (f"{PUBLIC}/badge/acme/web", f"{PUBLIC}/badge/acme/web"),
    ],
)
def test_a_readme_that_shows_this_badge_is_fine(dashboards: Dashboards, typed: str, target: str) -> None:
    page = public_doctor(dashboards, typed, target)
    assert "Proxies can show this badge." in page.get_text()
    assert "BADGE_PUBLIC_URL" not in page.get_text()


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("", "https://old.example/badge/acme/web"),
        ("", "http://badges.example.org/badge/acme/web"),
        ("", f"{PUBLIC}:8443/badge/acme/web"),
        ("", "https://img.shields.io/badge/build/passing"),
        ("", "https://github.com/acme/web/actions/workflows/test.yml/badge.svg"),
        ("acme/web", f"{PUBLIC}/badge/acme/api"),
        ("acme/web", f"{PUBLIC}/badge/acme"),
        ("acme/web", "https://[half/badge/acme/web"),
        (f"{PUBLIC}/badge/acme/web", "https://old.example/badge/acme/web"),
    ],
)
def test_a_readme_that_shows_another_badge_is_a_fault(dashboards: Dashboards, typed: str, target: str) -> None:
    page = public_doctor(dashboards, typed, target)
    assert [fault.get_text() for fault in page.select(".fault strong")] == [f"The README shows {target} instead."]


def public_doctor(dashboards: Dashboards, typed: str, target: str) -> BeautifulSoup:
    dashboard = dashboards(BADGE_PUBLIC_URL=PUBLIC)
    dashboard.report(WEB)
    return dashboard.soup(f"/doctor?{urlencode({'subject': typed, 'camo': camo(target)})}")


def test_a_private_or_absent_subject_is_not_reported_as_fine(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    for name in ("web", "none"):
        page = dashboard.soup(f"/doctor?subject=acme/{name}")
        sentences = f"There is no backup with this name, or it is private: GitHub · acme · Repository · {name}"
        assert [fault.get_text() for fault in page.select(".fault strong")] == [sentences]
        assert "Proxies can show this badge." not in page.get_text()


def test_a_private_badge_s_token_shows_that_it_is_known(site: Site) -> None:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    token = PrivateTokens(lambda: SIGNING_KEY).of(WEB)
    page = examined(site, subject=f"https://badges.example.org/badge/{WEB.path}?token={token}")
    assert b"succeeded" in inlined(one(page, "section img"))
    assert not page.select(".fault strong")
    assert facts(page)["Cache-Control"] == "private, max-age=60"


def test_an_outage_is_not_reported_as_a_missing_backup(site: Site) -> None:
    site.says = None
    assert "There is no backup with this name" not in examined(site, subject="acme/web").get_text()


def test_an_entered_url_gives_the_origin_of_the_service(site: Site) -> None:
    page = examined(site, subject=f"{PUBLIC}/badge/acme/web", camo=camo("https://old.example/badge/acme/web"))
    assert text(page, ".fault strong") == "The README shows https://old.example/badge/acme/web instead."


def test_an_unknown_origin_of_the_service_is_mentioned(site: Site) -> None:
    page = examined(site, camo=camo("https://img.shields.io/badge/build/passing"))
    assert "whether that URL belongs to this service" in " ".join(page.get_text().split())


def test_an_image_that_is_not_a_badge_is_not_examined(site: Site) -> None:
    page = examined(site, camo=camo("https://img.shields.io/badge/build-passing-green"))
    assert text(page, "#camo-fault").endswith("/badge/build-passing-green, which is not a badge of this service.")
    assert text(page, "#subject-fault") == ""
    assert not page.select("section img")


def test_the_picture_s_text_is_its_alternative_text(site: Site) -> None:
    page = examined(site, subject="/badge/acme/web?label=%3Cnightly%3E")
    assert one(page, "section img")["alt"] == "<nightly>: succeeded"
    page = examined(site, subject="/badge/acme/web.png")
    assert one(page, "section img")["alt"] == "Backup status of acme/web"


def test_without_scripts_a_note_explains_the_placeholder(site: Site) -> None:
    assert "Replace https://this-service.invalid" in text(examined(site, subject="acme/web"), "noscript")


@pytest.mark.parametrize(
    "pasted",
    [
        "https://evil.example/" + "0" * 64 + "/00",
        CAMO + "zz",
        "https://camo.githubusercontent.com/; rm -rf ~",
        "$(reboot)",
    ],
)
def test_other_urls_give_no_purge_command(site: Site, pasted: str) -> None:
    page = examined(site, camo=pasted)
    assert "not a URL of GitHub's image proxy" in page.get_text()
    assert not page.select("#purge")


def test_the_purge_command_is_safe_for_a_shell(site: Site) -> None:
    page = examined(site, camo=f"{README};reboot $(reboot) `reboot`")
    assert text(page, "#purge") == f"curl -X PURGE {README}"


def test_a_badge_that_no_proxy_would_show_is_a_fault(site: Site) -> None:
    page = examined(site, subject="/badge/acme?strict=1")
    assert "Use owner/repository" in page.get_text()
    page = examined(site, subject="/badge/acme/web.json")
    assert "This is not an image" in page.get_text()
    assert not page.select("section img")
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(days=3))
    page = examined(site, subject="/badge/acme/web?strict=1&expect=succeeded&max_age=24h")
    assert "The HTTP status is 503" in page.get_text()


def test_markup_in_the_url_is_text(site: Site) -> None:
    page = examined(site, subject='/badge/acme/web?label="><script>alert(1)</script>')
    assert not page.select("script:not([src])")
    assert "<script>" in one(page, "code").get_text()


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_examined_or_refused_with_a_message(typed: str) -> None:
    site = Site()
    page = examined(site, subject=typed)
    try:
        address = badge_address(typed.strip())
    except InvalidSubject:
        address = ""
    assert bool(page.select("#fresh")) == bool(address)
