"""The doctor: what a proxy gets, how old its copy may be, the command that makes it drop the copy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from badge.appearance import Tone
from badge.events import FailureKind
from badge.listing import ListedSubject, ListingFilter, ListingOrder, ListingPage, ListingTotals
from badge.model import InvalidSubject, Origin, Report, Resolution, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.pages.doctor import badge_address
from badge.web.pages.similar_names import MOST_COMPARED, MOST_OFFERED, similar_names
from badge.web.pages.verdict import verdict_on_status
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
    assert text(page, ".verdict h2") == "This badge is served correctly"
    assert "green" in one(page, ".verdict")["class"]
    assert inlined(one(page, "section img")) == direct.data


def test_it_says_how_old_a_copy_may_be(site: Site) -> None:
    page = examined(site, subject="acme/web")
    sentences = [item.get_text() for item in page.select(".ages li")]
    assert sentences[0] == "A proxy that fetches the badge now may show its copy for 2 min without asking again."
    assert sentences[1] == "For another 2 min, it may still show that copy while it fetches a new one."
    assert sentences[2] == OLDEST
    assert sentences[3].startswith("If a proxy can't reach this service, it may show its copy for another 58 min")


OLDEST = "An earlier copy may be up to 4 min old, or 20 min if it says “deleted”."


def test_the_remaining_lifetime_does_not_limit_older_copies(site: Site) -> None:
    site.get("/badge/acme/web")
    site.clock.advance(seconds=100)
    sentences = [item.get_text() for item in examined(site, subject="acme/web").select(".ages li")]
    assert sentences[0] == "A proxy that fetches the badge now may show its copy for 20 s without asking again."
    assert sentences[2] == OLDEST


def test_cache_seconds_in_the_url_applies_to_older_copies_too(site: Site) -> None:
    page = examined(site, subject="/badge/acme/web?cacheSeconds=3600")
    assert "An earlier copy may be up to 1 h old." in page.get_text()


def test_a_copy_for_programs_is_not_shown_while_a_new_one_is_fetched(site: Site) -> None:
    sentences = [item.get_text() for item in examined(site, subject="/badge/acme/web?strict=1").select(".ages li")]
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
    assert facts(page)["URL"] == "/badge/acme/web?style=plastic"


def test_a_badge_in_markdown_is_examined_by_its_exact_url(site: Site) -> None:
    page = examined(site, subject="[![Backup](https://badges.example.org/badge/acme/web?style=plastic)](https://x)")
    assert facts(page)["URL"] == "/badge/acme/web?style=plastic"


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
    assert text(page, ".verdict h2") == "This badge is served correctly"
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
    assert reasons(page) == [f"The README shows {target} instead of this badge."]
    assert "red" in one(page, ".verdict")["class"]
    assert text(page, ".advice") == "What to do: Replace that URL in the README with the one below."


def public_doctor(dashboards: Dashboards, typed: str, target: str) -> BeautifulSoup:
    dashboard = dashboards(BADGE_PUBLIC_URL=PUBLIC)
    dashboard.report(WEB)
    return dashboard.soup(f"/doctor?{urlencode({'subject': typed, 'camo': camo(target)})}")


def reasons(page: BeautifulSoup) -> list[str]:
    return [" ".join(reason.get_text().split()) for reason in page.select(".verdict .reason")]


def offered(page: BeautifulSoup) -> list[str]:
    return [link.get_text() for link in page.select(".verdict a")]


def test_readers_can_t_tell_a_private_subject_from_an_absent_one(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    dashboard.report(Subject.legacy("acme", "wet"))
    reader, bodies = dashboard.anonymous(), []
    for name in ("web", "wex"):
        page = BeautifulSoup(reader.get(f"/doctor?subject=acme/{name}").data, "html.parser")
        isolated = f"GitHub · \u2068acme\u2069 · Repository · \u2068{name}\u2069"
        assert reasons(page) == [f"There is no backup with this name, or it is private: {isolated}"]
        assert "orange" in one(page, ".verdict")["class"]
        assert offered(page) == []
        bodies.append(text(page, ".verdict").replace(name, "NAME"))
    assert bodies[0] == bodies[1]


def test_viewers_who_may_see_a_private_subject_are_led_to_its_token(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    page = dashboard.soup("/doctor?subject=acme/web")
    assert reasons(page) == ["This backup is private, and the URL has no valid token."]
    link = one(page, ".verdict a")
    assert link["href"] == f"/dashboard/{WEB.path}?dialog=open#badge-dialog"
    assert one(dashboard.soup(str(link["href"]).partition("#")[0]), "dialog").has_attr("open")


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("acme/wbe", ["GitHub/acme/Repository/web"]),
        ("acne/web", ["GitHub/acme/Repository/web"]),
        ("acme/payment-servise", ["GitHub/acme/Repository/payment-service", "GitHub/acme/Repository/payment-services"]),
        ("acme/ayment-service", ["GitHub/acme/Repository/payment-service", "GitHub/acme/Repository/payment-services"]),
        ("acme/something-else", []),
        ("acme/" + "x" * 200, []),
    ],
)
def test_similar_names_are_offered_for_a_misspelt_one(dashboards: Dashboards, typed: str, names: list[str]) -> None:
    dashboard = dashboards()
    for name in ("web", "api", "payment-service", "payment-services", "x" * 201):
        dashboard.report(Subject.legacy("acme", name))
    page = dashboard.soup(f"/doctor?subject={typed}")
    assert offered(page) == names
    if names:
        again = dashboard.soup(str(one(page, ".verdict a")["href"]))
        assert text(again, ".verdict h2") == "This badge is served correctly"


def test_an_open_dashboard_offers_no_private_names(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    dashboard.report(Subject.legacy("acme", "wet"))
    assert offered(dashboard.soup("/doctor?subject=acme/wex")) == ["GitHub/acme/Repository/wet"]


@dataclass
class Recorded:
    """A listing that records its filters and limits, and can be made unavailable."""

    is_out: bool = False
    asked: list[tuple[ListingFilter, int]] = field(default_factory=list)

    def list(
        self,
        filter: ListingFilter,
        cursor: str | None = None,
        limit: int = 100,
        order: ListingOrder = ListingOrder.NAME,
    ) -> ListingPage:
        self.asked.append((filter, limit))
        if self.is_out:
            raise SourceUnavailable(FailureKind.DATABASE)
        return ListingPage(
            [ListedSubject(Subject.legacy("acme", f"web{number}"), SUCCEEDED) for number in range(limit)]
        )

    def totals(self, filter: ListingFilter) -> ListingTotals:
        raise AssertionError


def test_few_names_are_read_and_few_offered() -> None:
    listing = Recorded()
    assert len(similar_names(WEB, listing, is_public_only=True)) == MOST_OFFERED
    assert len(listing.asked) <= 4
    assert all(wanted.is_public_only and limit == MOST_COMPARED for wanted, limit in listing.asked)


def test_without_a_list_no_names_are_offered() -> None:
    assert similar_names(WEB, Recorded(is_out=True), is_public_only=False) == []


def test_a_stale_or_undetermined_status_is_not_reported_as_correct() -> None:
    resolution = Resolution(
        report=SUCCEEDED, origin=Origin.STALE, age=timedelta(hours=3), fresh_for=timedelta(0), now=START
    )
    stale = verdict_on_status(resolution)
    assert (stale.tone, stale.reasons) == (Tone.ORANGE, ["The backup system last confirmed this status 3 h ago."])
    assert verdict_on_status(replace(resolution, origin=Origin.FALLBACK)).tone is Tone.ORANGE
    assert verdict_on_status(replace(resolution, origin=Origin.CACHE, age=timedelta(0))).tone is Tone.GREEN


def test_a_private_badge_with_its_token_is_reported_as_served_correctly(site: Site) -> None:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    token = PrivateTokens(lambda: SIGNING_KEY).of(WEB)
    page = examined(site, subject=f"https://badges.example.org/badge/{WEB.path}?token={token}")
    assert b"succeeded" in inlined(one(page, "section img"))
    assert text(page, ".verdict h2") == "This badge is served correctly"
    assert facts(page)["Cache-Control"] == "private, max-age=60"


@pytest.mark.parametrize("says", [None, replace(SUCCEEDED, stale_after=START)], ids=["outage", "outdated"])
def test_an_undetermined_status_is_not_reported_as_a_missing_backup(site: Site, says: Report | None) -> None:
    site.says = says
    page = examined(site, subject="acme/web")
    assert reasons(page) == ["This service could not get a current status from the backup system."]
    assert "orange" in one(page, ".verdict")["class"]


def test_an_entered_url_gives_the_origin_of_the_service(site: Site) -> None:
    page = examined(site, subject=f"{PUBLIC}/badge/acme/web", camo=camo("https://old.example/badge/acme/web"))
    assert reasons(page) == ["The README shows https://old.example/badge/acme/web instead of this badge."]


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
    assert not page.select("#fresh")
    assert "red" in one(page, ".verdict")["class"]
    assert not page.select("section img")
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(days=3))
    page = examined(site, subject="/badge/acme/web?strict=1&expect=succeeded&max_age=24h")
    assert "The HTTP status is 503" in page.get_text()


@pytest.mark.parametrize("name", ["nobody.json", "nobody.txt"])
def test_a_response_that_is_not_an_image_gets_advice_about_its_format_whatever_its_status(
    site: Site, name: str
) -> None:
    site.says = Report.absent(START)
    page = examined(site, subject=f"/badge/acme/{name}")
    assert facts(page)["HTTP status"] == "404"
    assert len(reasons(page)) == 2
    assert "without .json or .txt" in text(page, ".verdict")
    assert "strict=" not in text(page, ".verdict")


def test_markup_in_the_url_is_text(site: Site) -> None:
    page = examined(site, subject='/badge/acme/web?label="><script>alert(1)</script>')
    assert not page.select("script:not([src])")
    assert "<script>" in facts(page)["URL"]


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_examined_or_refused_with_a_message(typed: str) -> None:
    site = Site()
    page = examined(site, subject=typed)
    try:
        badge_address(typed.strip())
    except InvalidSubject:
        assert not page.select(".verdict")
    else:
        assert page.select(".verdict")
