"""The dashboard with 2,000 repositories of which 83 failed: the worst come first and are reached by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert

from badge.app import utc_now
from badge.catalogue.database import Database
from badge.catalogue.schema import subjects
from badge.model import BackupStatus
from tests.browser.place import running_service
from tests.browser.watched import watched_page
from tests.servers import Service
from tests.store import index_all
from tests.web.pages.test_html import row

ALL, FAILED, EVERY = 2_000, 83, 24
WORST = ["repository-01968", "repository-01944", "repository-01920"]
"""The failed repositories that have gone longest without a success."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), BADGE_REDIS_TIMEOUT="300ms") as running:
        now, rows = utc_now(), []
        for number in range(ALL):
            status = BackupStatus.FAILED if number % EVERY == 0 and number < FAILED * EVERY else BackupStatus.SUCCEEDED
            rows.append({**row(number), "status": status, "last_success_at": now - timedelta(hours=number)})
        with (
            closing(Database(f"sqlite:///{running.data_dir / 'catalogue.sqlite3'}")) as database,
            database.writing() as connection,
        ):
            connection.execute(insert(subjects), rows)
            index_all(connection)
        yield running


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_worst_three_are_on_the_first_screen_in_order(
    browser: Browser, service: Service, size: tuple[int, int]
) -> None:
    with watched_page(browser, service, viewport={"width": size[0], "height": size[1]}) as watched:
        watched.page.goto("./dashboard")
        expect(watched.page.get_by_text(f"{FAILED} need attention")).to_be_in_viewport()
        rows = watched.page.locator(".subjects li")
        for place, name in enumerate(WORST):
            link = rows.nth(place).get_by_role("link")
            expect(link).to_have_text(name)
            expect(link).to_be_in_viewport(ratio=1)
            # The whole name, because its end tells it from the others.
            assert link.evaluate("link => link.scrollWidth <= link.clientWidth")
            expect(rows.nth(place).get_by_role("img", name="failed")).to_be_in_viewport(ratio=1)


def tab_to(page: Page, name: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText.trim()") == name:
            return
    pytest.fail(f"{name} can't be reached")


def test_a_url_is_found_and_copied_by_keyboard_alone(browser: Browser, service: Service) -> None:
    with watched_page(browser, service) as watched:
        page = watched.page
        page.goto("./dashboard")
        page.keyboard.press("/")
        page.keyboard.type(WORST[1])
        expect(page.locator(".subjects a")).to_have_text([WORST[1]])
        tab_to(page, WORST[1])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(WORST[1])
        page.wait_for_load_state()
        tab_to(page, "Get badge URL")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Enter")  # the focus starts on the button that most people want
        page.get_by_text("Image URL copied.").wait_for()
        assert watched.clipboard().endswith(f"/{WORST[1]}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).not_to_be_visible()
