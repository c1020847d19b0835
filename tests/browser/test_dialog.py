"""A real browser: from the empty dashboard, through a report, to the Markdown in the clipboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.token import Token
from playwright.sync_api import Browser, BrowserContext, Page

from tests.servers import Service, running_service

WEB = "GitHub/acme/Repository/web"
HOSTILE = "<img src=x onerror=alert(1)>](javascript:alert(1))"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as service:
        yield service


class Watched:
    """A page of a fresh profile, and what went wrong on it."""

    def __init__(self, context: BrowserContext, service: Service) -> None:
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on(
            "request", lambda sent: self.faults.append(sent.url) if not sent.url.startswith(service.url) else None
        )


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    context = browser.new_context(base_url=service.url, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    watched = Watched(context, service)
    yield watched
    assert watched.faults == []
    context.close()


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def text_of(image: Token) -> str:
    return "".join(part.content for part in image.children or [])


def test_from_the_empty_dashboard_to_the_copied_markdown(watched: Watched, service: Service) -> None:
    page = watched.page
    page.goto("/dashboard")
    assert page.get_by_text("No backups yet").is_visible()
    service.flask_badge("report", WEB, "succeeded")
    page.reload()
    page.get_by_role("link", name="web", exact=True).click()
    page.get_by_role("button", name="Get badge URL").click()
    assert page.get_by_role("dialog").is_visible()
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    link, image, _ = MarkdownIt().parseInline(clipboard(page))[0].children or []
    assert link.attrs["href"] == f"{service.url}/dashboard/{WEB}"
    assert image.attrs["src"] == f"{service.url}/badge/{WEB}"
    assert text_of(image) == "Backup status of acme/web"
    page.goto(str(image.attrs["src"]))
    assert page.locator("title").text_content() == "backup: succeeded"


def test_the_short_address_can_be_chosen(watched: Watched, service: Service) -> None:
    page = watched.page
    page.goto(f"/dashboard/{WEB}")
    page.get_by_role("button", name="Get badge URL").click()
    page.get_by_label("short").check()
    page.get_by_role("button", name="Copy image URL").click()
    page.get_by_text("Image URL copied.").wait_for()
    assert clipboard(page) == f"{service.url}/badge/acme/web"


def test_the_pair_for_light_and_dark_pages_is_copied_and_works(watched: Watched, service: Service) -> None:
    page = watched.page
    page.goto(f"/dashboard/{WEB}")
    page.get_by_role("button", name="Get badge URL").click()
    page.get_by_role("button", name="Copy HTML for light and dark pages").first.click()
    page.get_by_text("HTML copied.").wait_for()
    copied = BeautifulSoup(clipboard(page), "html.parser")
    dark, light = copied.select_one("a > picture > source"), copied.select_one("a > picture > img")
    assert dark is not None
    assert light is not None
    assert (dark["media"], dark["srcset"]) == (
        "(prefers-color-scheme: dark)",
        f"{service.url}/badge/{WEB}?theme=dark",
    )
    assert (light["src"], light["alt"]) == (f"{service.url}/badge/{WEB}?theme=light", "Backup status of acme/web")
    assert b"#444c56" in service.get(f"/badge/{WEB}?theme=dark").content
    assert b"#444c56" not in service.get(f"/badge/{WEB}?theme=light").content


def test_the_keyboard_alone_is_enough(watched: Watched) -> None:
    page = watched.page
    page.goto(f"/dashboard/{WEB}")
    opener = page.get_by_role("button", name="Get badge URL")
    opener.wait_for()
    focused = "document.activeElement.innerText || document.activeElement.value"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == "Get badge URL":
            break
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if str(page.evaluate(focused)).startswith("Copy"):
            break
    page.keyboard.press("Enter")
    page.get_by_text("copied.").wait_for()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert page.evaluate(focused) == "Get badge URL"


def test_without_scripts_the_snippets_stand_on_the_page(browser: Browser, service: Service) -> None:
    context = browser.new_context(base_url=service.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/dashboard/{WEB}")
    assert page.get_by_text(f"/badge/{WEB}", exact=True).is_visible()
    assert not page.locator("dialog").is_visible()
    context.close()


def test_a_hostile_name_is_only_text(watched: Watched, service: Service) -> None:
    page = watched.page
    service.flask_badge("report", f"GitHub/acme/Repository/{quote(HOSTILE)}", "failed")
    page.goto("/dashboard")
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("button", name="Get badge URL").click()
    page.get_by_role("button", name="Copy Markdown").last.click()
    page.get_by_text("Markdown copied.").wait_for()
    link, image, _ = MarkdownIt().parseInline(clipboard(page))[0].children or []
    assert str(link.attrs["href"]).startswith(service.url)
    assert text_of(image) == f"Backup status of acme/{HOSTILE}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone(browser: Browser, service: Service, scheme: str) -> None:
    service.flask_badge("demo")
    context = browser.new_context(
        base_url=service.url,
        viewport={"width": 360, "height": 700},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for path in ("/", "/dashboard", f"/dashboard/{WEB}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
