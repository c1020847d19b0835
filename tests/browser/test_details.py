"""A subject's page, the doctor and other pages in a browser: keyboard, local times, accessibility, layout shifts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from badge.app import utc_now
from badge.catalogue.checks import Checks
from badge.catalogue.database import Database
from badge.catalogue.events import RunEvent
from badge.catalogue.store import Catalogue
from badge.model import BackupStatus, Reason, Subject, Visibility
from tests.browser.place import own_path, running_service
from tests.browser.test_dialog import BROKEN_WORDS
from tests.browser.watched import SHIFTS, Watched, watched_page
from tests.servers import Service

WEB, API, LONG = (Subject.legacy("acme", name) for name in ("web", "api", "long-name-" * 20))
SECRET, RIGHT_TO_LEFT = (Subject.legacy("acme", name) for name in ("secret", "مشروع-النسخ-الاحتياطي"))
HOUR = timedelta(hours=1)
RUNS = 33
LARGEST_SHIFT = 0.02

Scheme = Literal["light", "dark"]
# Axe takes about a second per page. `test_pages.py` tests the same pages in other states, sizes and colour schemes.
FOR_AXE: list[tuple[str, int, Scheme]] = [
    (f"/dashboard/{WEB.path}", 390, "dark"),
    (f"/dashboard/{API.path}", 1280, "light"),
    ("/doctor?subject=acme/wbe", 390, "dark"),
    ("/doctor?subject=/badge/acme/web.json", 390, "light"),
    ("/docs", 390, "dark"),
]
MEASURED: list[tuple[str, int, Scheme]] = [
    *FOR_AXE,
    (f"/dashboard/{WEB.path}", 1280, "light"),
    (f"/dashboard/{RIGHT_TO_LEFT.path}", 390, "light"),
    (f"/dashboard/{LONG.path}", 390, "dark"),
    ("/badges", 390, "light"),
    ("/dashboard/a", 390, "light"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), BADGE_REDIS_TIMEOUT="300ms") as running:
        with closing(Database(f"sqlite:///{running.data_dir / 'catalogue.sqlite3'}")) as database:
            fill(Catalogue(database, utc_now))
            Checks(database, utc_now).create(API, 24 * HOUR, HOUR)
        yield running


def fill(catalogue: Catalogue) -> None:
    now = utc_now()
    for hours in range(RUNS, 0, -1):
        ended_at = now - hours * HOUR
        failed = {"status": BackupStatus.FAILED, "reason": Reason.STORAGE, "url": "https://ci.example.org/1"}
        run: dict[str, Any] = failed if hours < 3 else {"status": BackupStatus.SUCCEEDED, "size_bytes": 10**9}
        run |= {"started_at": ended_at - timedelta(minutes=hours), "finished_at": ended_at}
        catalogue.record(RunEvent(subject=WEB, **run, next_run_at=now + HOUR))
    for subject in (LONG, RIGHT_TO_LEFT):
        catalogue.record(RunEvent(subject=subject, status=BackupStatus.FAILED))
    catalogue.record(RunEvent(subject=SECRET, status=BackupStatus.SUCCEEDED, visibility=Visibility.PRIVATE))


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    with watched_page(browser, service) as watched:
        yield watched


def test_no_page_shifts_or_has_accessibility_problems(watched: Watched) -> None:
    """Console errors and requests to other hosts are faults too: `watched_page` fails on them."""
    page = watched.page
    for path, width, scheme in MEASURED:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.goto(own_path(path))
        assert page.evaluate(SHIFTS) < LARGEST_SHIFT, path
        page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(BROKEN_WORDS, ".runs-table :is(th, .status, .date, .extent), main h2, .button") == [], path
        if (path, width, scheme) in FOR_AXE:
            found = Axe().run(page)
            assert found.response["passes"], "axe looked at nothing"
            assert found.violations_count == 0, (path, found.generate_report())
    # The console reports the HTTP status of the error page.
    watched.faults = [fault for fault in watched.faults if "400" not in fault]


def test_times_are_local_with_utc_on_hover(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, timezone_id="Asia/Tokyo") as watched:
        watched.page.goto(f"./dashboard/{WEB.path}")
        expect(watched.page.get_by_text("Times are in your time zone")).to_be_visible()
        for time in watched.page.locator("td .date").all()[:3]:
            exact = datetime.fromisoformat(str(time.get_attribute("datetime")))
            expect(time).to_have_text(f"{exact + 9 * HOUR:%Y-%m-%d %H:%M}")
            expect(time).to_have_attribute("title", f"{exact.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


def test_bars_can_be_read_by_keyboard_and_by_mouse(watched: Watched) -> None:
    page = watched.page
    page.goto(f"./dashboard/{WEB.path}")
    bars = page.locator(".bars a")
    expect(bars.last.locator(".tip")).to_have_css("opacity", "1")  # until another one is pointed at
    page.get_by_role("link", name="run on ci.example.org").first.focus()
    page.keyboard.press("Tab")
    expect(bars.last).to_be_focused()
    expect(bars.last.locator(".tip")).to_have_css("opacity", "1")
    expect(bars.last).to_contain_text("a problem with the backup storage")
    for key, place in (("ArrowLeft", 28), ("ArrowRight", 29), ("ArrowRight", 29), ("Home", 0), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        expect(bars.nth(place)).to_be_focused()
    expect(bars.first.locator(".tip")).to_have_css("opacity", "1")
    bars.nth(5).hover()
    expect(bars.nth(5).locator(".tip")).to_have_css("opacity", "1")
    expect(bars.first.locator(".tip")).to_have_css("opacity", "0")
    page.keyboard.press("Enter")
    expect(page.locator("tr:target")).to_contain_text("30 min")
    # Together, the bars are one tab stop.
    bars.first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.bars')") is None


def test_the_focus_returns_to_the_button_that_opened_the_dialog(watched: Watched) -> None:
    page = watched.page
    page.goto(f"./dashboard/{WEB.path}")
    for button in page.get_by_role("button", name="Get badge URL").all():
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(button).to_be_focused()


def test_without_scripts_all_runs_are_shown_in_utc(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, java_script_enabled=False, timezone_id="Asia/Tokyo") as watched:
        page = watched.page
        page.goto(f"./dashboard/{WEB.path}")
        expect(page.get_by_text("Times are in UTC.")).to_be_visible()
        expect(page.get_by_text("Times are in your time zone")).not_to_be_visible()
        assert page.locator("td .date").first.text_content() == page.locator("td .date").first.get_attribute("title")
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".bars a")).to_have_count(RUNS - 30)
        page.get_by_role("link", name="Newer").click()
        expect(page.locator(".bars a")).to_have_count(30)


def test_a_misspelt_name_is_corrected_by_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    page.goto("./doctor")
    page.get_by_label("Badge or repository").focus()
    page.keyboard.type("acme/wbe")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Readers see “unknown”")).to_be_in_viewport()
    suggested = page.get_by_role("link", name="GitHub/acme/Repository/web")
    for _ in range(10):
        page.keyboard.press("Tab")
        if suggested.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This badge is served correctly")).to_be_in_viewport()


def test_a_click_on_the_sheet_builds_that_badge(watched: Watched) -> None:
    page = watched.page
    page.goto("./badges")
    page.get_by_role("link", name="plastic, shields, with icon").get_by_role("img").first.click()
    expect(page).to_have_url(f"{watched.service.url}/?style=plastic&palette=shields&icon=on")
