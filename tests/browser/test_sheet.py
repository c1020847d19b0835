"""Accessibility of the sheet of all badges, and of a badge opened by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from badge.appearance import WORDS, Palette
from badge.model import Style
from tests.browser.place import running_service
from tests.servers import Service

SUBJECT = "GitHub/acme/Repository/web"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with running_service(folder) as running:
        running.flask_badge("report", SUBJECT, "succeeded")
        yield running


def test_chromium_s_accessibility_tree_names_every_badge_by_its_text(browser: Browser, service: Service) -> None:
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
    name = page.evaluate("document.documentElement.getAttribute('aria-label')")
    page.close()
    images = [node["name"]["value"] for node in tree["nodes"] if node.get("role", {}).get("value") in ("image", "img")]
    assert images == [name]
    assert "النسخ" in name if "ar" in query else name == "backup: succeeded"
