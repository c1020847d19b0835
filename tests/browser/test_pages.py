"""The pages in a browser: accessibility, dark mode, search, layout stability, hostile names."""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

import bbcode
import docutils.core
import pypandoc
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Locator, Page, Route, expect

from badge.app import utc_now
from badge.artwork import svg
from badge.catalogue.database import Database
from badge.catalogue.events import RunEvent
from badge.catalogue.store import Catalogue
from badge.model import BackupStatus, Badge, Subject, Theme
from badge.web.page import inline_image
from badge.web.snippets import Snippet, Syntax, snippet
from tests.browser.place import own_path, running_service
from tests.browser.watched import SHIFTS, Watched, context_of, watched_page
from tests.servers import Service
from tests.web.test_snippets import SUBJECTS, read_by_node

WEB = "GitHub/acme/Repository/web"
# Listing elements without problems too would take much of the time.
ONLY_VIOLATIONS = {"resultTypes": ["violations"]}

PAGES = [
    "/",
    "/?subject=acme/web",
    "/badges",
    "/doctor?subject=acme/web",
    "/docs",
    "/dashboard",
    "/dashboard?q=none",
    "/dashboard?failed=7d",
    "/dashboard?sort=name",
    "/dashboard?platform=GitHub&account=acme",
    f"/dashboard/{WEB}",
    f"/dashboard/{WEB}?dialog=open",
    "/dashboard/none/none",
    f"/status/{WEB}",
    "/status/acme/billing",
    "/status/acme/none",
    "/nowhere",
]
# Only the colours differ in dark mode.
SCHEMES: list[tuple[Literal["light", "dark"], dict[str, list[str]]]] = [
    ("light", {}),
    ("dark", {"runOnly": ["color-contrast"]}),
]
LARGEST_SHIFT = 0.02


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # On a busy machine, 50 ms without an answer would count as a lost Redis, and workers would use their own memory.
    with running_service(tmp_path_factory.mktemp("service"), BADGE_REDIS_TIMEOUT="300ms") as running:
        running.flask_badge("demo")
        yield running


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    with watched_page(browser, service) as watched:
        yield watched


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_accessible_and_stable(browser: Browser, service: Service, width: int) -> None:
    """Console errors and requests to other hosts are faults too: `watched_page` fails on them."""
    with watched_page(browser, service, viewport={"width": width, "height": 800}) as watched:
        page = watched.page
        for path in PAGES:
            page.emulate_media(color_scheme="light")
            page.goto(own_path(path))
            page.wait_for_load_state("networkidle")
            assert page.evaluate(SHIFTS, 50) < LARGEST_SHIFT, path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            for scheme, rules in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                found = Axe().run(page, options=ONLY_VIOLATIONS | rules)
                assert found.response["passes"], "axe looked at nothing"
                assert found.violations_count == 0, (path, scheme, found.generate_report())
        # The console reports the HTTP status of the two pages that say "not found".
        watched.faults = [fault for fault in watched.faults if "404" not in fault]


def test_the_list_is_filtered_while_typing(watched: Watched) -> None:
    page = watched.page
    page.goto("./dashboard")
    assert not page.get_by_role("button", name="Search").is_visible()
    everything = page.locator(".subjects li").count()
    page.get_by_role("searchbox").press_sequentially("web shop")
    expect(page.locator(".subjects li")).to_have_count(2)
    assert everything > 2
    expect(page).to_have_url(f"{watched.service.url}/dashboard?q=web+shop")
    expect(page.locator("#announced")).to_have_text("2 found")
    assert page.evaluate("document.activeElement.id") == "q"
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".subjects li")).to_have_count(everything)
    expect(page).to_have_url(f"{watched.service.url}/dashboard")


def test_the_list_is_sorted_and_filtered(watched: Watched) -> None:
    page = watched.page
    page.goto("./dashboard")
    expect(page.locator(".subjects a").first).to_have_text("billing")
    page.get_by_label("Sort").select_option("name")
    expect(page.locator(".subjects a").first).not_to_have_text("billing")
    page.get_by_role("navigation", name="Status").get_by_role("link", name="deleted").click()
    expect(page.locator(".subjects a")).to_have_text(["old-blog"])
    expect(page).to_have_url(f"{watched.service.url}/dashboard?status=deleted&sort=name")


def test_a_ping_turns_its_row_green_by_itself_unless_updates_are_paused(watched: Watched) -> None:
    page, name = watched.page, "GitHub/acme/Repository/live"
    created = watched.service.flask_badge("check", "create", name, "--every", "24h", "--json")
    ping_url = watched.service.url + urlsplit(json.loads(created)["pingUrl"]).path
    watched.service.flask_badge("report", name, "failed")
    page.clock.install()
    page.goto("./dashboard?q=live")
    row = page.locator(".subjects li")
    expect(row).to_have_class("red")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live")).to_contain_text("Paused")
    requests.get(ping_url, timeout=10)
    page.clock.run_for(40_000)
    expect(row).to_have_class("red")
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(1_000)
    expect(row).to_have_class("green")
    row.get_by_role("link").focus()
    watched.service.flask_badge("report", name, "failed")
    page.clock.run_for(31_000)
    expect(row).to_have_class("red")
    expect(row.get_by_role("link")).to_be_focused()
    watched.service.flask_badge("delete", name, "--yes")


# A part that doesn't fit in a row is hidden entirely, never cut off.
CUT = """() => [...document.querySelectorAll(".when > *")].filter((part) => {
  const isShown = part.offsetTop < part.parentElement.offsetTop + part.parentElement.clientHeight;
  return isShown && part.scrollWidth > part.clientWidth;
}).map((part) => part.textContent)"""


def test_rows_on_a_phone_have_two_lines_without_cut_words(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, viewport={"width": 390, "height": 800}) as watched:
        watched.page.goto("./dashboard")
        assert watched.page.evaluate(CUT) == []
        expect(watched.page.locator("li.red .reason")).to_be_in_viewport(ratio=1)
        heights = watched.page.evaluate("[...document.querySelectorAll('.subjects li')].map((row) => row.clientHeight)")
        assert max(heights) <= 52


def test_rows_are_compact_and_updates_pause_in_the_background(watched: Watched) -> None:
    page = watched.page
    page.goto("./dashboard?sort=name")
    heights = page.evaluate("[...document.querySelectorAll('.subjects li')].map((row) => row.clientHeight)")
    assert heights
    assert max(heights) <= 44
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#live")).to_contain_text("Paused while this tab is in the background")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")


@pytest.mark.parametrize(
    ("before", "typed", "after"), [("", "web", "status=succeeded&q=web"), ("q=web", "", "status=succeeded")]
)
def test_choosing_a_status_keeps_what_was_just_typed(watched: Watched, before: str, typed: str, after: str) -> None:
    page = watched.page
    page.goto(f"./dashboard?{before}")
    page.route("**/dashboard", lambda _: None)  # the typed search gets no answer before the click
    page.route("**/dashboard?q=*", lambda _: None)
    page.get_by_role("searchbox").fill(typed)
    page.get_by_role("navigation", name="Status").get_by_role("link", name="succeeded").click()
    expect(page).to_have_url(f"{watched.service.url}/dashboard?{after}")
    expect(page.get_by_role("searchbox")).to_have_value(typed)


def test_the_list_stays_when_the_service_is_gone(watched: Watched) -> None:
    page = watched.page
    page.goto("./dashboard")
    everything = page.locator(".subjects li").count()
    page.route("**/dashboard?q=*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("web shop")
    expect(page.get_by_role("status").filter(has_text="The service did not answer")).to_be_in_viewport()
    assert page.locator(".subjects li").count() == everything
    expect(page).to_have_url(f"{watched.service.url}/dashboard")
    page.unroute_all()
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator(".subjects li")).to_have_count(2)
    expect(page.get_by_text("The service did not answer")).to_have_count(0)
    expect(page.locator("#announced")).to_have_class("hidden")
    watched.faults.clear()  # the console reported the failure, too


def test_a_search_is_repeated_if_the_service_is_busy(watched: Watched) -> None:
    page = watched.page
    page.goto("./dashboard")
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": "<h1>Too many requests at once</h1>"}
    page.route("**/dashboard?q=*", lambda route: route.fulfill(**busy), times=1)
    page.get_by_role("searchbox").fill("web shop")
    expect(page.get_by_role("status").filter(has_text="The service is busy")).to_be_in_viewport()
    expect(page.locator(".subjects li")).to_have_count(2)
    expect(page.locator("#announced")).to_have_class("hidden")
    watched.faults.clear()  # the console reported the failure, too


def test_without_scripts_the_list_is_searched_by_its_button(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, java_script_enabled=False) as watched:
        watched.page.goto("./dashboard")
        watched.page.get_by_role("searchbox").fill("worker")
        watched.page.get_by_role("button", name="Search").click()
        expect(watched.page.locator(".subjects a")).to_have_text(["worker"])


def test_a_slow_answer_shows_progress(watched: Watched) -> None:
    def late(route: Route) -> None:
        time.sleep(1)  # noqa: TID251 - the slowness under test
        route.continue_()

    page = watched.page
    page.goto("./dashboard")
    page.route("**/dashboard?q=*", late)
    page.get_by_role("searchbox").fill("worker")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".subjects a")).to_have_text(["worker"])
    expect(page.get_by_role("progressbar")).not_to_be_visible()


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("path", [f"/dashboard/{WEB}?dialog=open", "/?subject=acme/web&format=png&scale=4"])
def test_nothing_shifts_while_badges_load(browser: Browser, service: Service, width: int, path: str) -> None:
    held: list[Route] = []
    page = context_of(browser, service, viewport={"width": width, "height": 800}).new_page()
    page.route("**/badge/**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks its handlers
    page.goto(own_path(path), wait_until="domcontentloaded")
    # On a busy machine, Chromium may paint half of a line before it has read the rest, and then shift it slightly.
    before = page.evaluate(SHIFTS)
    assert before < LARGEST_SHIFT
    assert held
    for route in held:
        route.continue_()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(SHIFTS) == before
    page.close()


@pytest.mark.parametrize("width", [360, 700, 1100])
def test_the_widest_badge_fits_into_the_list(browser: Browser, service: Service, width: int) -> None:
    widest = svg.draw(Badge(label="backup", message="in progress · as of 23h ago", colour="#2b7a2b"))
    page = context_of(browser, service, viewport={"width": width, "height": 800}).new_page()
    page.goto("./dashboard")
    image = page.locator(".subjects img").first
    image.evaluate("(image, source) => { image.src = source; }", inline_image("image/svg+xml", widest))
    expect(image).to_have_js_property("naturalWidth", 208)
    expect(image).to_have_js_property("width", 208)
    expect(image).to_have_css("object-fit", "contain")
    page.close()


def pictured(image: Locator) -> str:
    """Return the SVG of an image as the browser shows it."""
    source = image.evaluate("async (image) => { await image.decode(); return image.src; }")
    return b64decode(source.partition("base64,")[2]).decode() if source.startswith("data:") else shown(image)


SHOWN = """async (image) => (await fetch(image.src, { cache: "force-cache" })).text()"""


def shown(image: Locator) -> str:
    """Return the SVG of an image with a URL, from the browser's cache."""
    return str(image.evaluate(SHOWN))


def test_badges_on_pages_agree_with_the_text_beside_them(watched: Watched) -> None:
    page, name = watched.page, "GitHub/acme/Repository/just-now"
    pictures = {
        "/dashboard?q=just-now": ".subjects img",
        f"/dashboard/{name}?dialog=open": ".headline .badge img, .ground img",
        f"/?subject={name}": ".ground img",
        f"/doctor?subject={name}": "section img",
    }
    for status in ("succeeded", "failed"):
        watched.service.flask_badge("report", name, status)
        for path, selector in pictures.items():
            page.goto(own_path(path))
            page.wait_for_load_state("networkidle")
            images = page.locator(selector).all()
            assert images, path
            for image in images:
                assert f"backup: {status}" in pictured(image), path


def luminance(colour: str) -> float:
    """Return WCAG 2.2's relative luminance of a colour such as `rgb(1, 2, 3)`."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_history_s_bars_have_enough_contrast(browser: Browser, service: Service, scheme: str) -> None:
    with watched_page(browser, service, color_scheme=scheme) as watched:
        watched.page.goto(f"./dashboard/{WEB}")
        ground = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        fills = watched.page.evaluate("[...document.querySelectorAll('rect')].map((bar) => getComputedStyle(bar).fill)")
        assert len(set(fills)) > 1
        for fill in set(fills):
            darker, lighter = sorted((luminance(fill), luminance(ground)))
            assert (lighter + 0.05) / (darker + 0.05) >= 3, fill  # WCAG 2.2, 1.4.11


def test_printed_pages_show_the_list_without_controls(browser: Browser, service: Service) -> None:
    page = context_of(browser, service).new_page()
    page.emulate_media(media="print")
    for path in ("/dashboard", f"/dashboard/{WEB}"):
        page.goto(own_path(path))
        assert page.get_by_role("heading").first.is_visible()
        assert not any(button.is_visible() for button in page.locator("button, input, header").all())
    page.close()


def test_the_url_of_an_account_s_summary_is_copied(watched: Watched, service: Service) -> None:
    watched.page.goto("./dashboard?sort=name")
    account = watched.page.locator(".account").filter(has_text="GitHub · acme")
    expect(account.get_by_role("img")).to_have_js_property("complete", True)
    account.get_by_role("link", name="Get badge URL for acme").click()
    watched.page.get_by_role("button", name="Copy Image URL").click()
    expect(watched.page.locator("#copied")).to_have_text("Image URL copied.")
    assert watched.clipboard() == f"{service.url}/summary/GitHub/acme"


def test_the_doctor_s_command_is_copied(watched: Watched, service: Service) -> None:
    page = watched.page
    proxied = "https://camo.githubusercontent.com/" + "0" * 64 + "/" + f"{service.url}/badge/acme/web".encode().hex()
    page.goto("./doctor")
    page.get_by_label("starts with https://camo").fill(proxied)
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Copy the command").click()
    page.get_by_text("Command copied.").wait_for()
    assert watched.clipboard() == f"curl -X PURGE {proxied}"
    page.get_by_role("button", name="Copy the URL").click()
    page.get_by_text("URL copied.").wait_for()
    assert watched.clipboard().startswith(f"{service.url}/badge/acme/web?v=")


# --- the status page ---


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_click_on_a_badge_in_a_readme_opens_its_status_page(
    browser: Browser, service: Service, scheme: str, width: int
) -> None:
    subject = Subject.from_path(WEB)
    readme = MarkdownIt().render(snippet(subject, service.url).written_in(Syntax.MARKDOWN))
    size = {"width": width, "height": 800}
    with watched_page(browser, service, is_logged_in=False, viewport=size, color_scheme=scheme) as watched:
        page = watched.page
        page.goto("./badges")  # any page of the same origin, so that no other host is involved
        page.set_content(readme)
        with page.expect_navigation() as clicked:
            page.get_by_role("link", name="Backup status of acme/web").click()
        assert clicked.value is not None
        assert (clicked.value.status, page.url) == (200, f"{service.url}/status/{WEB}")
        expect(page.get_by_role("heading", level=1)).to_have_text("web")
        expect(page.get_by_text("Backup succeeded")).to_be_in_viewport()
        for summary in page.locator("summary").all():
            summary.click()
        found = Axe().run(page)
        assert found.response["passes"], "axe looked at nothing"
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_status_page_works_without_scripts(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, is_logged_in=False, java_script_enabled=False) as watched:
        watched.page.goto(f"./status/{WEB}")
        watched.page.get_by_text("As a table").click()
        expect(watched.page.get_by_role("cell", name="failed")).to_be_visible()


# --- hostile names ---

RIGHT_TO_LEFT = [Subject("GitLab", "קבוצה/משנה", "Repository", "שלום (3)"), Subject.legacy("acme", "مشروع-النسخ" * 12)]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("hostile")) as running:
        with closing(Database(f"sqlite:///{running.data_dir / 'catalogue.sqlite3'}")) as database:
            catalogue = Catalogue(database, utc_now)
            for subject in [*SUBJECTS, *RIGHT_TO_LEFT]:
                catalogue.record(RunEvent(subject=subject, status=BackupStatus.FAILED, at=utc_now()))
        yield running


def folded(text: str | None) -> str:
    return " ".join((text or "").split())


def test_hostile_names_are_text_on_every_page(browser: Browser, hostile: Service) -> None:
    with watched_page(browser, hostile) as watched:
        page = watched.page
        seen = names_in_the_list(page)
        assert seen == {folded(subject.name) for subject in [*SUBJECTS, *RIGHT_TO_LEFT]}
        for number, subject in enumerate(SUBJECTS):
            page.goto(f"./dashboard/{subject.path}?dialog=open&label={subject.path}")
            assert folded(page.locator("h1").text_content()) == folded(subject.name)
            assert page.locator("#snippet-markdown").input_value().startswith("[![")
            typed = quote(subject.path)
            if number % 2:
                page.goto(f"./?subject={typed}")
                assert folded(subject.name) in folded(page.locator("#subject-named").text_content())
            else:
                page.goto(f"./doctor?subject={typed}")
                expect(page.locator("#fresh")).to_be_visible()


TOO_WIDE_FACTS = """() => [...document.querySelectorAll("dl div")]
  .filter((fact) => fact.scrollWidth > fact.clientWidth).map((fact) => fact.textContent)"""


@pytest.mark.parametrize("width", [390, 640, 1280])  # 640: at 200 % on a screen of 1280
def test_names_in_any_direction_fit_every_page(browser: Browser, hostile: Service, width: int) -> None:
    with watched_page(browser, hostile, viewport={"width": width, "height": 800}) as watched:
        page = watched.page
        pages = ["/dashboard?q=gitlab"]
        pages += [f"/{page}/{subject.path}" for subject in RIGHT_TO_LEFT for page in ("dashboard", "status")]
        for path in [*pages, f"/doctor?subject={quote(RIGHT_TO_LEFT[0].path)}", "/dashboard?sort=name"]:
            page.goto(own_path(path))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(TOO_WIDE_FACTS) == [], path
        page.goto("./dashboard?q=gitlab")
        link = page.locator(".subjects a")
        expect(link).to_have_css("direction", "rtl")
        row, name = page.locator(".subjects li").bounding_box(), link.bounding_box()
        assert row is not None
        assert name is not None
        assert name["x"] - row["x"] < 20  # in line with the other names


def names_in_the_list(page: Page) -> set[str]:
    names: set[str] = set()
    page.goto("./dashboard")
    while True:
        names |= {folded(text) for text in page.locator(".subjects a").all_text_contents()}
        following = page.get_by_role("link", name="Next", exact=True)
        if not following.count():
            return names
        following.click()


def rendered(made: list[Snippet]) -> Iterator[str]:
    """Return each snippet as the HTML that a host would make of it."""
    by_node = read_by_node([(Syntax.ASCIIDOC, one.written_in(Syntax.ASCIIDOC)) for one in made])
    yield from by_node
    for syntax, reader in ((Syntax.ORG, "org"), (Syntax.TEXTILE, "textile"), (Syntax.CONFLUENCE, "jira")):
        yield pypandoc.convert_text("\n\n".join(one.written_in(syntax) for one in made), "html", format=reader)
    for one in made:
        yield one.written_in(Syntax.HTML)
        yield one.written_in(Syntax.PICTURE)
        yield MarkdownIt("commonmark", {"html": True}).render(one.written_in(Syntax.MARKDOWN))
        yield docutils.core.publish_parts(one.written_in(Syntax.RST), writer="html5")["body"]
        yield bbcode.render_html(one.written_in(Syntax.BBCODE))


def test_snippets_of_hostile_names_only_show_the_badge(browser: Browser, hostile: Service) -> None:
    made = [snippet(subject, hostile.url) for subject in SUBJECTS]
    addresses = {one.image_url for one in made} | {one.themed(theme) for one in made for theme in Theme}
    allowed = {unquote(address) for address in addresses}
    page = browser.new_page(base_url=f"{hostile.url}/")
    happened: list[str] = []
    page.on("dialog", lambda dialog: happened.append(dialog.message))
    page.on("request", lambda sent: happened.append(sent.url) if unquote(sent.url) not in allowed else None)
    page.set_content('<link rel="icon" href="data:,">' + "\n".join(rendered(made)))
    page.wait_for_load_state("networkidle")
    # Even without the hosts' own filters, a name produces nothing but images in links.
    assert page.evaluate("document.querySelectorAll('script, iframe, object, embed, form, style').length") == 0
    attributes = page.evaluate("[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())")
    assert {name for name in attributes if name.startswith("on")} == set()
    links = page.evaluate("[...document.querySelectorAll('a')].map((one) => one.protocol)")
    assert set(links) == {"http:"}
    assert happened == []
    page.close()
