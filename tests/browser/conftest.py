"""The browser for the browser tests: Debian's Chromium, without requests to other hosts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import CHROMIUM, QUIET
from tests.servers import needs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs("Chromium", is_there=CHROMIUM.exists())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
