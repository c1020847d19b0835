"""`make pictures`: takes the README's screenshots from a service with the demo's backups."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import CHROMIUM, QUIET
from tests.browser.test_dialog import WEB
from tests.servers import PROJECT, running_service

FOLDER = PROJECT / "docs" / "pictures"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    settings = {"BADGE_PUBLIC_URL": "https://badges.example.org"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder), **settings) as service,
        sync_playwright() as playwright,
    ):
        service.flask_badge("demo")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(base_url=service.url, viewport={"width": 900, "height": 700})
        page.goto("/dashboard")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / "dashboard.png")
        page.goto(f"/dashboard/{WEB}?dialog=open&style=for-the-badge&icon=on&logo=shield")
        page.set_viewport_size({"width": 900, "height": 760})
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / "dialog.png")
        page.keyboard.press("Escape")
        page.screenshot(path=FOLDER / "details.png")
        page.goto("/doctor?subject=acme/web")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / "doctor.png", full_page=True)
        page.set_viewport_size({"width": 1100, "height": 900})
        page.goto("/badges")
        page.screenshot(path=FOLDER / "badges.png")
        browser.close()


if __name__ == "__main__":
    main()
