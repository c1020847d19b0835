"""A page in a fresh profile that records its errors."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.servers import Service

SHIFTS = """(wait = 300) => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), wait);
})"""
"""The sum of all layout shifts so far, including those shortly after an input."""


def late(route: Route) -> None:
    """Pass a request on after a while."""
    time.sleep(0.1)  # noqa: TID251 - the slowness under test
    route.continue_()


class Watched:
    """A page; `faults` records console errors, exceptions, dialogs and requests to other hosts."""

    def __init__(self, context: BrowserContext, service: Service) -> None:
        self.faults: list[str] = []
        self.service = service
        self.page: Page = context.new_page()
        self.page.on("console", lambda entry: self.faults.append(entry.text) if entry.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on("request", lambda sent: self._note(sent.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.service.url, "data:")):
            self.faults.append(url)

    def clipboard(self) -> str:
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def open_dialog(self, path: str) -> None:
        self.page.goto(f"./dashboard/{path}")
        self.page.get_by_role("button", name="Get badge URL").first.click()
        self.page.get_by_role("dialog").wait_for()


def context_of(browser: Browser, service: Service, *, is_logged_in: bool = True, **options: Any) -> BrowserContext:
    """Return a fresh profile, logged in to the dashboard by a link."""
    context = browser.new_context(base_url=f"{service.url}/", **options)
    if is_logged_in:
        name, value = service.cookie()
        # The scheme of this URL only decides whether a cookie may be `Secure`.
        url = service.url.replace("http:", "https:") if name.startswith("__Host-") else service.url
        context.add_cookies([{"name": name, "value": value, "url": url, "secure": url != service.url}])
    return context


@contextlib.contextmanager
def watched_page(browser: Browser, service: Service, *, is_logged_in: bool = True, **options: Any) -> Iterator[Watched]:
    """Open a watched page and close it afterwards; fail if it recorded any faults."""
    permissions = ["clipboard-read", "clipboard-write"]
    context = context_of(browser, service, is_logged_in=is_logged_in, permissions=permissions, **options)
    context.set_default_timeout(10_000)
    watched = Watched(context, service)
    yield watched
    context.close()
    assert not watched.faults, watched.faults
