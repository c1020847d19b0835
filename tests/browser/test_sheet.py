"""The page of all badges and the pages around it: usable without eyes, mouse or daylight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from badge.appearance import WORDS, Palette
from badge.model import Style
from tests.servers import Service, running_service

SUBJECT = "GitHub/acme/Repository/web"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with running_service(folder) as running:
        running.flask_badge("report", SUBJECT, "succeeded")
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/badges", "/dashboard", f"/dashboard/{SUBJECT}"])
def test_axe_finds_nothing_that_keeps_people_out(browser: Browser, service: Service, path: str, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(service.url + path)
    if path.endswith("web"):
        page.get_by_role("button", name="Get badge URL").click()
    found = Axe().run(page)
    page.close()
    assert found.response["passes"], "axe looked at nothing"
    assert found.violations_count == 0, found.generate_report()


def test_chromium_s_accessibility_tree_names_every_badge_by_what_it_says(browser: Browser, service: Service) -> None:
    page = browser.new_page()
    page.goto(service.url + "/badges")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    page.close()
    images = [node["name"]["value"] for node in tree["nodes"] if node.get("role", {}).get("value") == "image"]
    once = [f"backup: {words}" for words in WORDS.values()]
    assert sorted(images) == sorted(once * 2 * len(Style) * len(Palette))


@pytest.mark.parametrize("query", ["", "?style=social&icon=on", "?lang=ar"])
def test_a_badge_opened_by_itself_is_one_image_with_one_name(browser: Browser, service: Service, query: str) -> None:
    page = browser.new_page()
    page.goto(f"{service.url}/badge/{SUBJECT}{query}")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    said = page.evaluate("document.documentElement.getAttribute('aria-label')")
    page.close()
    images = [node["name"]["value"] for node in tree["nodes"] if node.get("role", {}).get("value") in ("image", "img")]
    assert images == [said]
    assert "النسخ" in said if "ar" in query else said == "backup: succeeded"
