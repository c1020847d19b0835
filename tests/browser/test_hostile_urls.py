"""Fifty hostile badge URLs opened in a browser: no dialog, no script, no request except the badge itself."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request

from tests.browser.place import running_service
from tests.hostile import PAYLOADS
from tests.servers import Service

PATHS = [f"/badge/acme/web?label={quote(payload)}" for payload in PAYLOADS]
PATHS += [f"/badge/acme/{quote(payload, safe='')}" for payload in PAYLOADS]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("hostile")) as service:
        yield service


def test_there_are_fifty_hostile_urls() -> None:
    assert len(set(PATHS)) == 50


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """Return one page for all URLs, because a new one for each would take most of the time."""
    return browser.new_page()


@pytest.mark.parametrize("path", PATHS)
def test_a_hostile_url_is_a_picture_and_nothing_else(page: Page, service: Service, path: str) -> None:
    happened: list[str] = []

    def note_dialog(dialog: Dialog) -> None:
        happened.append(dialog.message)

    def note_request(sent: Request) -> None:
        if sent.url != service.url + path:
            happened.append(sent.url)

    page.on("dialog", note_dialog)
    page.on("request", note_request)
    answer = page.goto(service.url + path)
    assert answer is not None
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert page.evaluate("document.querySelectorAll('script,image,use,a,foreignObject').length") == 0
    # Only our own style sheet.
    styles = page.evaluate("[...document.querySelectorAll('style')].map((style) => style.textContent)")
    assert styles == ["@media(prefers-color-scheme:dark){.l{fill:#444c56}}"] or ("label=" in path and styles == [])
    assert happened == []
    page.remove_listener("dialog", note_dialog)
    page.remove_listener("request", note_request)
