"""The pages: access, content, escaping and security headers."""

from __future__ import annotations

import shlex
import sys
from base64 import b64decode
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from hypothesis import given
from hypothesis import strategies as st

from badge.app import build_app, build_parts
from badge.appearance import WORDS, Palette, Show
from badge.artwork.glyphs import LOGOS
from badge.artwork.png import SCALES
from badge.language import Language
from badge.model import BackupStatus, Style, Subject, Theme, Visibility
from badge.settings import load
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.request import read_badge_request
from badge.web.pages.choices import LOOKS, NO_ADDRESS, SCALE, Choices
from badge.web.terminal import program
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START, ManualClock, OneProcess
from tests.site import SUCCEEDED, Site

WEB = Subject.legacy("acme", "web")
PARAMETERS = [
    "format",
    "address",
    "style",
    "palette",
    "theme",
    "icon",
    "logo",
    "show",
    "lang",
    "scale",
    "label",
    "max_age",
]
PROGRAM = program(Path(sys.executable))
NOW = "v=20261123120000"
"""Query parameter that makes browsers bypass their cache."""
HOSTILE = '<script>alert(1)</script>"](javascript:alert(1))'


def one(page: Tag, selector: str) -> Tag:
    found = page.select_one(selector)
    assert found is not None, selector
    return found


def text(page: Tag, selector: str) -> str:
    return " ".join(one(page, selector).get_text().split())


def inlined(picture: Tag) -> bytes:
    head, _, body = str(picture["src"]).partition(",")
    assert head == "data:image/svg+xml;base64"
    return b64decode(body)


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards()


def test_an_empty_dashboard_says_how_to_report_the_first_backup(dashboard: Dashboard, tmp_path: Path) -> None:
    steps = [step.get_text() for step in dashboard.soup("/dashboard").select("pre")]
    assert steps == [
        f"BADGE_DATA_DIR={tmp_path} {shlex.join(PROGRAM)} report GitHub/acme/Repository/web succeeded",
        f"BADGE_DATA_DIR={tmp_path} {shlex.join(PROGRAM)} demo",
    ]


def test_the_page_of_an_unknown_subject_says_how_to_report_it(dashboard: Dashboard, tmp_path: Path) -> None:
    page = dashboard.soup("/dashboard/AzureDevOps/org/Repository/it's/a%20%24%28trap%29")
    assert shlex.split(text(page, "pre")) == [
        f"BADGE_DATA_DIR={tmp_path}",
        *PROGRAM,
        "report",
        "AzureDevOps/org/Repository/it%27s/a%20%24%28trap%29",
        "succeeded",
    ]


def test_a_command_names_its_secrets_without_their_values(dashboards: Dashboards, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/secret.sqlite3"
    dashboard = dashboards(BADGE_CATALOGUE_URL=database)
    for path in ("/dashboard", "/dashboard/acme/web"):
        page = dashboard.soup(path).get_text()
        assert "First set BADGE_CATALOGUE_URL in the terminal, as configured for the service." in page
        assert "secret.sqlite3" not in page


def test_an_open_dashboard_shows_no_commands(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    for path in ("/dashboard", f"/dashboard/{WEB.path}"):
        assert f"report {WEB.path} succeeded" not in dashboard.get(path).text


def test_subjects_are_grouped_with_badges_and_links(dashboard: Dashboard) -> None:
    dashboard.report(Subject.legacy("acme", "web"))
    dashboard.report(Subject.parse("AzureDevOps", "org", "Repository", "my project/web"), BackupStatus.FAILED)
    page = dashboard.soup("/dashboard?sort=name")
    assert [title.get_text() for title in page.select("h2")] == ["AzureDevOps · org", "GitHub · acme"]
    badges = [inlined(image) for image in page.select(".subjects img")]
    assert [b"backup: failed" in badges[0], b"backup: succeeded" in badges[1]] == [True, True]
    for link in page.select(".subjects a"):
        assert dashboard.get(str(link["href"])).status_code == 200
    assert "just now" in page.get_text()


def test_a_long_list_has_pages(dashboard: Dashboard) -> None:
    for number in range(60):
        dashboard.report(Subject.legacy("acme", f"repo-{number:02}"))
    first = dashboard.soup("/dashboard")
    assert len(first.select(".subjects li")) == 50
    second = dashboard.soup(str(first.select_one("a[rel=next]")["href"]))  # type: ignore[index] # fails if missing
    assert len(second.select(".subjects li")) == 10
    invalid = dashboard.get("/dashboard?cursor=nonsense")
    assert (invalid.status_code, "This link is not valid" in invalid.text) == (400, True)


def test_the_details_page_has_settings_with_the_dialog(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    page = dashboard.soup(f"/dashboard/{WEB.path}")
    assert "Settings" in [title.get_text() for title in page.select("h2")]
    buttons = page.select("#open-badge-dialog button, .headline button[form=open-badge-dialog]")
    assert [button.get_text() for button in buttons] == ["Get badge URL"] * 2
    assert not one(page, "dialog").has_attr("open")
    assert text(page, "#snippet-url") == f"{NO_ADDRESS}/badge/GitHub/acme/Repository/web"


def test_the_dialog_s_form_returns_the_snippets_for_its_choices(dashboard: Dashboard) -> None:
    chosen = "dialog=open&format=png&scale=3&style=plastic&label=night+ly&max_age=26h&address=short&icon=on&logo=disk"
    page = dashboard.soup(f"/dashboard/{WEB.path}?{chosen}&palette=neon&show=&lang=en")
    assert one(page, "dialog").has_attr("open")
    query = "style=plastic&icon=on&logo=disk&label=night%20ly&max_age=26h&scale=3"
    assert text(page, "#snippet-url") == f"{NO_ADDRESS}/badge/acme/web.png?{query}"
    assert [str(image["src"]) for image in page.select(".ground img")] == [f"/badge/acme/web.png?{query}&{NOW}"] * 2
    assert one(page, "[name=palette][checked]")["value"] == "accessible"
    assert text(dashboard.soup(f"/dashboard/{WEB.path}?scale=3"), "#snippet-url").endswith("/web")
    shared = str(one(page, "#badge-result")["data-shared"])
    assert text(dashboard.soup(shared), "#snippet-url") == text(page, "#snippet-url")


def test_each_preview_uses_the_theme_of_its_background(dashboard: Dashboard) -> None:
    page = dashboard.soup(f"/dashboard/{WEB.path}")
    assert [str(image["src"]) for image in page.select(".ground img")] == [
        f"/badge/{WEB.path}?theme=light&{NOW}",
        f"/badge/{WEB.path}?theme=dark&{NOW}",
    ]
    page = dashboard.soup(f"/dashboard/{WEB.path}?theme=dark")
    assert [str(image["src"]) for image in page.select(".ground img")] == [f"/badge/{WEB.path}?theme=dark&{NOW}"] * 2


def test_the_label_can_be_empty_and_a_bad_max_age_is_reported(dashboard: Dashboard) -> None:
    for bad in ("5m", "3651d", "soon"):
        page = dashboard.soup(f"/dashboard/{WEB.path}?label=&max_age={bad}")
        assert text(page, "#snippet-url").endswith("/web?label=")
        assert text(page, "#max-age-fault") == "Enter a duration from 1h to 3650d, such as 26h or 7d."


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=70)))
def test_the_image_url_has_the_form_s_choices(given: dict[str, str]) -> None:
    """For any input, reading the form's URL back gives the form's choices."""
    made = Choices.read(given, "backup").offer(WEB, "https://b.example", START).snippet
    path, _, query = made.image_url.removeprefix("https://b.example").partition("?")
    read = read_badge_request({"RAW_URI": path}, dict(parse_qsl(query, keep_blank_values=True)), "backup")
    assert read.subject == WEB
    wanted = Choices.read(given, "backup").query
    look = read.look
    assert look.style == wanted.get("style", "flat")
    assert look.label == wanted.get("label", "backup")
    assert (look.max_age is None) == ("max_age" not in wanted)
    assert look.has_icon == ("icon" in wanted)
    assert look.logo == wanted.get("logo")
    assert look.show == wanted.get("show")
    assert look.language == wanted.get("lang", "en")
    assert str(read.scale) == wanted.get("scale", "2")


def test_the_form_offers_every_choice_of_the_url() -> None:
    offered = {field.name: set(field.options) - {""} for field in (*LOOKS, SCALE)}
    assert offered == {
        "style": set(Style),
        "palette": set(Palette),
        "theme": set(Theme),
        "icon": {"on", "off"},
        "logo": set(LOGOS),
        "show": set(Show),
        "lang": set(Language),
        "scale": {str(scale) for scale in SCALES},
    }


def test_the_url_of_a_private_badge_keeps_a_valid_token(dashboard: Dashboard) -> None:
    secret = Subject.legacy("acme", "secret")
    dashboard.report(secret, visibility=Visibility.PRIVATE)
    assert dashboard.parts.catalogue is not None
    token = dashboard.parts.catalogue.tokens.create("readme", Selection([PathPattern.parse("acme/*")]))
    dialog = one(dashboard.soup(f"/dashboard/{secret.path}?dialog=open&style=plastic&token={token}"), "#badge-dialog")
    address = text(dialog, "#snippet-url")
    path, _, query = address.partition("?")
    assert parse_qsl(query) == [("token", token), ("style", "plastic")]
    assert f"{path.partition('/badge/')[2]}" == secret.path
    shown = dashboard.get(f"/badge/{secret.path}.txt?{query}", X_Forwarded_For="203.0.113.7")
    assert (shown.status_code, shown.text) == (200, "succeeded\n")
    assert "This repository is private" in dialog.get_text()
    assert "token=wrong" not in dashboard.get(f"/dashboard/{secret.path}?token=wrong").text


def test_a_private_subject_shows_its_status_only_on_the_dashboard(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    page = dashboard.soup("/dashboard/acme/web")
    assert "private" in page.get_text()
    pictures = [one(page, ".headline .badge img"), one(dashboard.soup("/dashboard"), ".subjects img")]
    assert all(b"backup: succeeded" in inlined(picture) for picture in pictures)
    assert dashboard.get("/badge/acme/web.txt").status_code == 404


def test_an_outdated_status_is_unknown_in_the_list_and_on_its_badge(dashboard: Dashboard) -> None:
    dashboard.record_run(WEB, BackupStatus.SUCCEEDED, stale_after=START + timedelta(hours=1))
    dashboard.clock.advance(hours=2)
    assert one(dashboard.soup("/dashboard"), ".subjects img")["alt"] == "unknown"
    assert dashboard.get("/badge/acme/web.txt").text == "unknown\n"


def test_markup_in_a_name_is_text(dashboard: Dashboard) -> None:
    subject = Subject.legacy("acme", HOSTILE.replace("/", "-"))
    dashboard.report(subject)
    for path in ("/dashboard", f"/dashboard/{subject.path}"):
        page = dashboard.soup(path)
        assert subject.name in page.get_text()
        assert all(script.get("src") for script in page.select("script"))


def test_urls_are_absolute_if_the_public_url_is_set(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="https://badges.example.org/")
    assert text(dashboard.soup("/dashboard/acme/web?address=short"), "#snippet-markdown") == (
        "[![Backup status of acme/web](https://badges.example.org/badge/acme/web)]"
        "(https://badges.example.org/status/acme/web)"
    )


def test_the_builder_accepts_a_pasted_url(site: Site) -> None:
    page = BeautifulSoup(
        site.get("/?subject=https://gitlab.com/group/sub/web/-/tree/main&style=social").data, "html.parser"
    )
    assert text(page, "#subject-named") == "GitLab · group/sub · Repository · web"
    assert text(page, "#snippet-url") == f"{NO_ADDRESS}/badge/GitLab/group%2Fsub/Repository/web?style=social"


def test_the_builder_reports_what_it_does_not_understand(site: Site) -> None:
    page = BeautifulSoup(site.get("/?subject=https://github.com/acme").data, "html.parser")
    assert text(page, "#subject-fault").startswith("Give the URL of a repository on GitHub, GitLab, Azure DevOps")
    assert not page.select(".snippet")
    assert site.source.asked == []


def test_search_status_and_order_apply_to_the_list_and_stay_in_its_links(dashboard: Dashboard) -> None:
    for number in range(60):
        status = BackupStatus.FAILED if number % 10 == 0 else BackupStatus.SUCCEEDED
        dashboard.report(Subject.legacy("acme", f"repo-{number:02}"), status)
    dashboard.report(Subject.parse("GitLab", "group", "Repository", "web"))
    page = dashboard.soup("/dashboard?q=acme+REPO&sort=worst")
    assert text(page, ".totals strong") == "54 of 60"
    assert [row.get_text() for row in page.select(".subjects a")][:7] == [
        *(f"repo-{number}0" for number in ("0", "1", "2", "3", "4", "5")),
        "repo-01",
    ]
    assert "GitHub · acme" in text(page, ".subjects .kind")
    chips = {" ".join(link.get_text().split()): str(link["href"]) for link in page.select(".statuses a")}
    assert list(chips) == ["all 60", "succeeded 54", "failed 6"]
    assert len(dashboard.soup(chips["failed 6"]).select(".subjects li")) == 6
    following = str(one(page, "a[rel=next]")["href"])
    assert len(dashboard.soup(following).select(".subjects li")) == 10
    assert "No repositories match" in dashboard.soup("/dashboard?q=none").get_text()
    assert "have this status" in dashboard.soup("/dashboard?status=scheduled").get_text()


@pytest.mark.parametrize(
    "typed",
    [
        "Acme/web",
        "https://github.com/acme/web/issues",
        "github.com/acme/web",
        "git@github.com:acme/web.git",
        "https://badges.example.org/badge/acme/web.svg",
        "/badge/acme/web",
    ],
)
def test_the_list_can_be_searched_by_any_form_of_a_repository_s_name(dashboard: Dashboard, typed: str) -> None:
    for name in ("web", "api"):
        dashboard.report(Subject.legacy("acme", name))
    page = dashboard.soup(f"/dashboard?{urlencode({'q': typed})}")
    assert [link.get_text() for link in page.select(".subjects a")] == ["web"]


def test_a_pasted_url_finds_a_name_with_spaces(dashboard: Dashboard) -> None:
    dashboard.report(Subject.parse("AzureDevOps", "contoso", "Repository", "Web Shop/storefront"))
    dashboard.report(Subject.parse("AzureDevOps", "contoso", "Repository", "Shop Web/storefront"))
    page = dashboard.soup("/dashboard?q=https://dev.azure.com/contoso/Web%2520Shop/_git/storefront")
    assert [link.get_text() for link in page.select(".subjects a")] == ["Web Shop/storefront"]


def test_bad_parameters_of_a_list_are_ignored(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    page = dashboard.soup("/dashboard?sort=random&status=great&q=" + "+" * 300)
    assert len(page.select(".subjects li")) == 1


def test_the_sheet_shows_every_look_once(site: Site) -> None:
    page = BeautifulSoup(site.get("/badges").data, "html.parser")
    pictures = [str(image["src"]) for image in page.select("table img")]
    assert len(pictures) == len(Palette) * len(Style) * len(WORDS) * 2
    assert all(picture.startswith("data:image/svg+xml;base64,") for picture in pictures)
    assert {str(image["alt"]) for image in page.select("table img")} == {f"backup: {words}" for words in WORDS.values()}


def test_a_row_of_the_sheet_opens_the_builder_with_its_look(site: Site) -> None:
    rows = BeautifulSoup(site.get("/badges").data, "html.parser").select("table a")
    assert len(rows) == len(Palette) * len(Style) * 2
    row = next(row for row in rows if row["aria-label"] == "Build a badge: plastic, classic, with icon")
    assert b"backup: failed" in b"".join(inlined(picture) for picture in row.select("img"))
    builder = BeautifulSoup(site.get(str(row["href"])).data, "html.parser")
    chosen = [one(builder, f"input[name={name}][checked]")["value"] for name in ("style", "palette", "icon")]
    assert chosen == ["plastic", "classic", "on"]


@pytest.mark.parametrize("path", ["/", "/badges", "/dashboard", "/dashboard/acme/web", "/dashboard/a/b/c"])
def test_every_page_has_a_strict_policy_and_no_inline_code(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["Cache-Control"] == "no-store"
    page = BeautifulSoup(answer.data, "html.parser")
    assert not page.select("[style], style, [onclick], script:not([src])")


AS_BROWSERS = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/dashboards", "GET", 404),
        ("/dashboards", "OPTIONS", 404),
        ("/login", "GET", 404),
        ("/static/none", "GET", 404),
        ("/dashboard", "POST", 405),
        ("/dashboard/acme/web", "GET", 500),
    ],
)
def test_browsers_get_errors_as_pages_and_programs_get_problem_documents(
    site: Site, path: str, method: str, status: int
) -> None:
    site.says = ZeroDivisionError("secret")
    for accept in (AS_BROWSERS, "*/*", "application/json", None):
        answer = site.client.open(path, method=method, headers={"Accept": accept} if accept else {})
        assert answer.status_code == status
        assert "secret" not in answer.text
        assert ("Allow" in answer.headers) is (status == 405)
        assert answer.headers["Cache-Control"] == "no-store"
        expected = "text/html; charset=utf-8" if accept == AS_BROWSERS else "application/problem+json"
        assert answer.content_type == expected
        if accept == AS_BROWSERS:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/ops/none", "/ping/a/b/c/d", "/livez/none", "/metrics/none"])
def test_routes_for_programs_send_problem_documents_to_browsers_too(site: Site, path: str) -> None:
    answer = site.get(path, headers={"Accept": AS_BROWSERS})
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_trailing_slash_of_the_dashboard_is_ignored(dashboard: Dashboard) -> None:
    assert dashboard.soup("/dashboard/?q=x").get_text() == dashboard.soup("/dashboard?q=x").get_text()


def test_the_dashboard_can_be_turned_off(dashboards: Dashboards) -> None:
    assert dashboards(BADGE_DASHBOARD="off").get("/dashboard").status_code == 404


def test_without_a_list_a_subject_can_be_entered(site: Site) -> None:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    page = BeautifulSoup(site.get("/dashboard").data, "html.parser")
    assert page.select_one("form input[name=subject]") is not None
    found = site.get("/dashboard?subject=acme/we%20b")
    assert (found.status_code, found.headers["Location"]) == (303, "/dashboard/GitHub/acme/Repository/we%20b")


def test_an_invalid_repository_stays_in_the_form_with_an_error(site: Site) -> None:
    answer = site.get("/dashboard?subject=acme")
    assert answer.status_code == 400
    page = BeautifulSoup(answer.data, "html.parser")
    assert one(page, "form input[name=subject]")["value"] == "acme"
    assert text(page, "#subject-fault") == "Use owner/repository or platform/account/type/name."


def test_a_lost_catalogue_is_reported(tmp_path: Path) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path / "none"), "BADGE_DASHBOARD": "open"})
    with closing(build_parts(settings, cache=OneProcess(ManualClock()))) as parts:
        answer = build_app(parts).test_client().get("/dashboard")
    assert answer.status_code == 503
    assert "did not answer" in answer.text
