"""Pages under a path prefix behind nginx: each request of the browser stays below the prefix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.place import running_behind
from tests.browser.watched import Watched, watched_page
from tests.servers import Service

WEB = "GitHub/acme/Repository/web"
PREFIX = "/backups"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_behind("nginx", PREFIX, tmp_path_factory.mktemp("service")) as running:
        running.flask_badge("report", WEB, "succeeded")
        running.flask_badge("report", "GitLab/group%2Fsub/Repository/x", "failed")
        yield running


@pytest.fixture(scope="module")
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    with watched_page(browser, service, is_logged_in=False) as watched:
        yield watched


def test_a_person_logs_in_finds_a_repository_copies_its_badge_and_logs_out(watched: Watched) -> None:
    page, url = watched.page, watched.service.url
    page.goto(f"{url}/dashboard?q=web")
    expect(page).to_have_url(f"{url}/login?next=%2Fdashboard%3Fq%3Dweb")
    page.get_by_label("Link").fill(url + watched.service.login_link())
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{url}/dashboard?q=web")
    page.get_by_role("link", name="web", exact=True).click()
    expect(page).to_have_url(f"{url}/dashboard/{WEB}")
    page.get_by_role("button", name="Get badge URL").first.click()
    page.get_by_role("radio", name="plastic").check()
    expect(page.locator("#snippet-url")).to_have_value(f"{url}/badge/{WEB}?style=plastic")
    expect(page).to_have_url(f"{url}/dashboard/{WEB}?dialog=open&style=plastic")
    page.get_by_role("button", name="Copy Image URL").click()
    page.get_by_text("Image URL copied.").wait_for()
    assert watched.clipboard() == f"{url}/badge/{WEB}?style=plastic"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{url}/login")


def test_public_pages_load_and_the_builder_finds_a_repository(watched: Watched) -> None:
    page, url = watched.page, watched.service.url
    page.goto(url)
    page.get_by_label("Repository").first.fill("acme/web")
    page.keyboard.press("Enter")
    expect(page.locator("#snippet-url")).to_have_value(f"{url}/badge/{WEB}")
    page.goto(f"{url}/status/GitLab/group%2Fsub/Repository/x")
    assert loads_its_images(page)
    for path in ("/badges", "/docs", f"/doctor?subject={url}/badge/{WEB}", f"/status/{WEB}"):
        answer = page.goto(url + path)
        assert answer is not None
        assert (answer.status, loads_its_images(page)) == (200, True), path


def loads_its_images(page: Page) -> bool:
    return bool(page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)"))


def test_a_session_is_not_sent_to_other_paths_of_the_host(watched: Watched) -> None:
    page, url = watched.page, watched.service.url
    page.goto(f"{url}/login")
    page.get_by_label("Link").fill(url + watched.service.login_link())
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{url}/dashboard")

    def sent_to(address: str) -> list[str | None]:
        return [cookie.get("name") for cookie in page.context.cookies(address)]

    assert sent_to(f"{url}/dashboard") == ["badge+backups"]
    assert sent_to(url.removesuffix(PREFIX) + "/other") == sent_to(f"{url}-other") == []
