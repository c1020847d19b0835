"""A real browser: from the empty dashboard, through a report, to the snippet in the clipboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from badge.model import Subject
from badge.web.badge_request import Format
from badge.web.snippets import SYNTAX_NAMES, Syntax, snippet
from tests.browser.watched import Watched, watched_page
from tests.servers import Service, running_service
from tests.web.test_snippets import Read, in_html, in_markdown

WEB = "GitHub/acme/Repository/web"
HOSTILE = "<img src=x onerror=alert(1)>](javascript:alert(1))"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    with watched_page(browser, service) as watched:
        yield watched


def test_from_the_empty_dashboard_to_the_copied_markdown(watched: Watched, service: Service) -> None:
    page = watched.page
    page.goto("/dashboard")
    assert page.get_by_text("No backups yet").is_visible()
    service.flask_badge("report", WEB, "succeeded")
    page.reload()
    page.get_by_role("link", name="web", exact=True).click()
    page.get_by_role("button", name="Get badge URL").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    read = in_markdown(watched.clipboard())
    assert read == Read(f"{service.url}/badge/{WEB}", "Backup status of acme/web", f"{service.url}/dashboard/{WEB}")
    page.goto(read.image)
    assert page.locator("title").text_content() == "backup: succeeded"


def choose(page: Page, **choices: str) -> None:
    for legend, words in choices.items():
        page.get_by_label(legend.replace("_", " "), exact=True).select_option(label=words)


def test_every_syntax_is_copied_as_the_choices_want_it(watched: Watched, service: Service) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    choose(page, Format="PNG, for mail and chat", Style="for-the-badge", Logo="shield", PNG_scale="3")
    page.get_by_label("Label", exact=True).fill("nightly & co")
    page.get_by_label("short").check()
    query = {"style": "for-the-badge", "logo": "shield", "label": "nightly & co", "scale": "3"}
    made = snippet(Subject.legacy("acme", "web"), service.url, is_short=True, format=Format.PNG, query=query)
    expect(page.locator("#snippet-url")).to_have_value(made.image_url)
    for syntax, name in SYNTAX_NAMES.items():
        if syntax is not Syntax.URL:
            page.get_by_role("tab", name=name, exact=True).click()
        page.get_by_role("button", name=f"Copy {name}", exact=True).click()
        page.get_by_text(f"{name} copied.").wait_for()
        assert watched.clipboard() == made.written_in(syntax)
    assert page.locator(".ground img").first.evaluate("image => image.complete && image.naturalWidth") > 100


def test_the_pair_for_light_and_dark_pages_is_copied_and_works(watched: Watched, service: Service) -> None:
    watched.open_dialog(WEB)
    watched.page.get_by_role("tab", name="HTML for light and dark pages").click()
    watched.page.get_by_role("button", name="Copy HTML for light and dark pages").click()
    watched.page.get_by_text("HTML for light and dark pages copied.").wait_for()
    copied = watched.clipboard()
    assert in_html(copied).image == f"{service.url}/badge/{WEB}?theme=light"
    watched.page.goto("/badges")
    for scheme in ("light", "dark"):
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_content(f'<link rel="icon" href="data:,">{copied}')
        watched.page.wait_for_load_state("networkidle")
        shown = watched.page.locator("img").evaluate("image => image.currentSrc")
        assert shown == f"{service.url}/badge/{WEB}?theme={scheme}"


def test_the_address_bar_keeps_the_choice_so_that_it_can_be_shared(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    choose(page, Style="plastic")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=plastic")
    expect(page).to_have_url(re.compile(r"\?dialog=open&style=plastic$"))
    page.get_by_role("tab", name="AsciiDoc").click()
    page.goto(page.url)
    expect(page.locator("dialog:modal")).to_be_visible()
    expect(page.get_by_role("tab", name="AsciiDoc")).to_have_attribute("aria-selected", "true")
    assert "style=plastic" in page.locator("#snippet-asciidoc").input_value()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page).to_have_url(f"{watched.service.url}/dashboard/{WEB}")


FOCUSED = "document.activeElement.id || document.activeElement.innerText"


def test_the_keyboard_alone_is_enough(watched: Watched) -> None:
    page = watched.page
    page.goto(f"/dashboard/{WEB}")
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == "Get badge URL":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    # The focus begins where most people want to go.
    page.keyboard.press("Enter")
    page.get_by_text("Image URL copied.").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == "tab-html"
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) == "tab-confluence"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == "tab-markdown"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Markdown copied.").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert page.evaluate(FOCUSED) == "Get badge URL"


def test_the_focus_stays_inside_and_survives_each_choice(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(document.activeElement.closest('dialog, body')).tagName"))
        assert page.evaluate("!document.activeElement.closest('header, main > :not(dialog)')")
    assert "DIALOG" in seen
    page.get_by_label("Label", exact=True).fill("x")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?label=x")
    assert page.evaluate("document.activeElement.name") == "label"


def test_a_bad_age_is_told_beside_the_form(watched: Watched) -> None:
    watched.open_dialog(WEB)
    watched.page.get_by_label("Overdue after").fill("5m")
    watched.page.get_by_text("Give an hour or more").wait_for()


def test_without_scripts_the_page_is_a_form_with_the_same_snippets(browser: Browser, service: Service) -> None:
    made = snippet(Subject.legacy("acme", "web"), "https://this-service.invalid", query={"style": "plastic"})
    with watched_page(browser, service, java_script_enabled=False) as watched:
        page = watched.page
        page.goto(f"/dashboard/{WEB}")
        assert not page.locator("dialog").is_visible()
        page.get_by_role("button", name="Get badge URL").click()
        page.get_by_label("Style", exact=True).select_option("plastic")
        page.get_by_role("button", name="Update").click()
        for syntax in Syntax:
            expect(page.locator(f"#snippet-{syntax}")).to_have_value(made.written_in(syntax))
            expect(page.locator(f"#snippet-{syntax}")).to_be_visible()
        assert "in place of https://this-service.invalid" in page.locator("dialog").inner_text()


def test_without_scripts_the_builder_works_too(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, java_script_enabled=False) as watched:
        watched.page.goto("/")
        watched.page.get_by_label("Repository").fill("https://github.com/acme/web")
        watched.page.get_by_role("button", name="Build").click()
        expect(watched.page.locator("#snippet-url")).to_have_value(f"https://this-service.invalid/badge/{WEB}")


def test_the_builder_answers_while_one_types(watched: Watched) -> None:
    page = watched.page
    page.goto("/")
    page.get_by_label("Repository").press_sequentially("https://gitlab.com/group/sub/web")
    path = "GitLab/group%2Fsub/Repository/web"
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{path}")
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    assert in_markdown(watched.clipboard()).page == f"{watched.service.url}/dashboard/{path}"
    page.get_by_label("Repository").fill("https://example.org/x")
    page.get_by_text("Give a repository's address").wait_for()
    expect(page.locator(".snippet")).to_have_count(0)


NOWHERE_ELSE, IN_BROWSER = "Nobody elsewhere reaches this address.", "This is the address in your browser."


def test_an_address_of_this_machine_alone_is_told(watched: Watched) -> None:
    page = watched.page
    page.goto("/?subject=acme/web")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    page.get_by_label("Style", exact=True).select_option("plastic")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=plastic")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    page.goto("/doctor?subject=acme/web")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    watched.open_dialog(WEB)
    expect(page.get_by_role("dialog").get_by_text(NOWHERE_ELSE)).to_be_visible()
    expect(page.get_by_text(IN_BROWSER)).not_to_be_visible()


@pytest.mark.parametrize(
    ("host", "note"),
    [
        ("badges.example.org", IN_BROWSER),
        ("[2001:db8::1]", IN_BROWSER),
        ("10.example.org", IN_BROWSER),
        ("172.32.0.1", IN_BROWSER),
        ("172.16.0.1", NOWHERE_ELSE),
        ("[fd00::1]", NOWHERE_ELSE),
        ("nas", NOWHERE_ELSE),
        ("nas.local:8000", NOWHERE_ELSE),
    ],
)
def test_whose_address_the_browser_has_decides_what_is_told(
    browser: Browser, service: Service, host: str, note: str
) -> None:
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(response=route.fetch(url=service.url + of_path(route.request.url))))
    page.goto(f"http://{host}/?subject=acme/web")
    expect(page.locator("#snippet-url")).to_have_value(f"http://{host}/badge/{WEB}")
    expect(page.locator(".note:visible")).to_have_count(1)
    expect(page.get_by_text(note)).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")  # pictures may still be on their way
    page.close()


def of_path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_where_readers_reach_the_service_is_known_nothing_is_told(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"BADGE_PUBLIC_URL": "https://badges.example.org"}
    with (
        running_service(tmp_path_factory.mktemp("public"), **settings) as public,
        watched_page(browser, public) as watched,
    ):
        watched.page.goto("/?subject=acme/web")
        expect(watched.page.locator("#snippet-url")).to_have_value(f"https://badges.example.org/badge/{WEB}")
        expect(watched.page.locator(".note")).to_have_count(0)


def test_a_hostile_name_is_only_text(watched: Watched, service: Service) -> None:
    page = watched.page
    service.flask_badge("report", f"GitHub/acme/Repository/{quote(HOSTILE)}", "failed")
    page.goto("/dashboard")
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("button", name="Get badge URL").click()
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    read = in_markdown(watched.clipboard())
    assert read.page.startswith(service.url)
    assert read.alt == f"Backup status of acme/{HOSTILE}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone(browser: Browser, service: Service, scheme: str) -> None:
    service.flask_badge("demo")
    with watched_page(browser, service, viewport={"width": 360, "height": 700}, color_scheme=scheme) as watched:
        for path in ("/", "/?subject=acme/web", "/dashboard", f"/dashboard/{WEB}", f"/dashboard/{WEB}?dialog=open"):
            watched.page.goto(path)
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
        dialog = watched.page.locator("dialog")
        assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
