"""`make pictures`: takes the screenshots for the README and the docs, from a service with the demo's data."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import CHROMIUM, QUIET
from tests.browser.test_dialog import WEB
from tests.browser.watched import context_of
from tests.servers import PROJECT, Service, running_service

FOLDER = PROJECT / "docs" / "pictures"


@dataclass(frozen=True)
class Picture:
    """One screenshot: what page it shows, in what window."""

    name: str
    path: str
    width: int = 900
    height: int = 700
    scheme: Literal["light", "dark"] = "light"
    is_whole_page: bool = False


CHOSEN = f"/dashboard/{WEB}?dialog=open&style=for-the-badge&icon=on&logo=shield"
PICTURES = [
    Picture("dashboard", "/dashboard"),
    Picture("dashboard-phone", "/dashboard", width=360, height=640),
    Picture("dialog", CHOSEN, width=1200, height=820),
    Picture("dialog-dark", CHOSEN, width=1200, height=820, scheme="dark"),
    Picture("dialog-phone", CHOSEN, width=360, height=640),
    Picture("details", f"/dashboard/{WEB}", is_whole_page=True),
    Picture("status", f"/status/{WEB}", height=592),
    Picture("builder", "/?subject=https://gitlab.com/my-group/backend/worker&icon=on", width=1100, height=640),
    Picture("doctor", "/doctor?subject=acme/web", is_whole_page=True),
    Picture("badges", "/badges", width=1100, height=900),
]


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
        for picture in PICTURES:
            take(browser, service, picture)
        browser.close()


def take(browser: Browser, service: Service, picture: Picture) -> None:
    size = {"width": picture.width, "height": picture.height}
    page = context_of(browser, service, viewport=size, color_scheme=picture.scheme).new_page()
    page.goto(picture.path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{picture.name}.png", full_page=picture.is_whole_page)
    page.context.close()


if __name__ == "__main__":
    main()
