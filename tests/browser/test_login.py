"""Login and logout in a browser: with a real OpenID Connect provider, a login link and a token."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import CHROMIUM, QUIET
from tests.browser.place import needs_no_public_url, own_path, running_service
from tests.browser.watched import watched_page
from tests.servers import Service, eventually, free_port

WEB = "GitHub/acme/Repository/web"
TOKEN = "correct horse battery staple"
USERS = [
    {"sub": "ada", "email": "ada@example.org", "email_verified": True},
    {"sub": "eve", "email": "eve@evil.example", "email_verified": True},
    {"sub": "mallory", "email": "ada@example.org", "email_verified": False},
]


@contextlib.contextmanager
def running_provider() -> Iterator[str]:
    """Run an OpenID Connect provider that asks only for a name; yields its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    users = [argument for user in USERS for argument in ("--user-claims", json.dumps(user))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", url.rpartition(":")[2], *users]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _is_up(url), 20)
        yield url
    finally:
        process.kill()
        process.wait()


def _is_up(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/.well-known/openid-configuration", timeout=5).ok
    return False


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with running_provider() as url:
        yield url


@pytest.fixture(scope="module")
def by_provider(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    bind = f"127.0.0.1:{free_port()}"
    settings = {
        "BADGE_BIND": bind,
        "BADGE_PUBLIC_URL": f"http://{bind}",
        "BADGE_DASHBOARD": "oidc",
        "BADGE_OIDC_ISSUER": provider,
        "BADGE_OIDC_CLIENT_ID": "badge",
        "BADGE_OIDC_CLIENT_SECRET": "made up",
        "BADGE_OIDC_ALLOW": "ada@example.org, @example.net",
    }
    with running_service(tmp_path_factory.mktemp("service"), **settings) as service:
        service.flask_badge("report", WEB, "succeeded", "--visibility", "private")
        yield service


def log_in_as(page: Page, name: str) -> None:
    page.get_by_role("link", name="Log in with the provider").click()
    page.get_by_placeholder("sub").fill(name)
    page.get_by_role("button", name="Authorize").click()


def test_an_allowed_user_sees_the_requested_page_and_can_log_out(browser: Browser, by_provider: Service) -> None:
    context = browser.new_context(base_url=f"{by_provider.url}/")
    page = context.new_page()
    page.goto(f"./dashboard/{WEB}?dialog=open&style=plastic")
    expect(page).to_have_url(re.compile(f"{by_provider.url}/login"))
    log_in_as(page, "ada")
    expect(page).to_have_url(f"{by_provider.url}/dashboard/{WEB}?dialog=open&style=plastic")
    expect(page.locator(".sentence")).to_contain_text("Succeeded")
    expect(page.locator("dialog:modal")).to_be_visible()  # Escape closes the dialog only after its script has run
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log out of the provider too").click()
    page.get_by_role("button", name="End session").click()
    expect(page).to_have_url(re.compile(f"{by_provider.url}/login"))
    page.goto("./dashboard")
    expect(page).to_have_url(re.compile(f"{by_provider.url}/login"))
    context.close()


@pytest.mark.parametrize("name", ["eve", "mallory"])
def test_other_users_see_nothing(browser: Browser, by_provider: Service, name: str) -> None:
    context = browser.new_context(base_url=f"{by_provider.url}/")
    page = context.new_page()
    page.goto("./dashboard")
    log_in_as(page, name)
    expect(page.get_by_role("heading", name="You may not see this dashboard")).to_be_visible()
    expect(page.get_by_text("or the provider has not verified it")).to_be_visible()
    page.goto("./dashboard")
    expect(page).to_have_url(re.compile(f"{by_provider.url}/login"))
    context.close()


def test_an_operator_pastes_a_login_link_instead(browser: Browser, by_provider: Service) -> None:
    context = browser.new_context(base_url=f"{by_provider.url}/", viewport={"width": 360, "height": 700})
    page = context.new_page()
    page.goto("./login")
    page.get_by_text("I have a login link").click()
    assert Axe().run(page).violations_count == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_label("Link").fill(by_provider.url + by_provider.login_link())
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{by_provider.url}/dashboard")
    page.goto("./login/start")
    expect(page).to_have_url(f"{by_provider.url}/dashboard")
    context.close()


def test_a_user_who_denies_access_is_not_logged_in(browser: Browser, by_provider: Service) -> None:
    context = browser.new_context(base_url=f"{by_provider.url}/")
    page = context.new_page()
    page.goto("./login")
    page.get_by_role("link", name="Log in with the provider").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    context.close()


def test_a_callback_for_another_login_is_refused(browser: Browser, by_provider: Service, provider: str) -> None:
    """Login CSRF: a link that logs in to the attacker's account (RFC 6749, section 10.12)."""
    started = requests.get(f"{by_provider.url}/login/start", timeout=10, allow_redirects=False)
    answer = requests.post(started.headers["Location"], data={"sub": "ada"}, timeout=10, allow_redirects=False)
    context = browser.new_context()
    page = context.new_page()
    page.goto(answer.headers["Location"])
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    context.close()


def test_a_login_link_opens_the_dashboard_once(browser: Browser, tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        service.flask_badge("report", WEB, "succeeded")
        link = service.url + service.login_link()
        with watched_page(browser, service, is_logged_in=False) as watched:
            page = watched.page
            for path in ("/dashboard", link):
                page.goto(own_path(path))
                assert Axe().run(page).violations_count == 0
                page.set_viewport_size({"width": 360, "height": 700})
                assert page.evaluate("document.documentElement.scrollWidth") <= 360
            page.get_by_role("button", name="Log in").click()
            expect(page).to_have_url(f"{service.url}/dashboard")
            # Both workers accept the session.
            assert {page.goto("./dashboard").status for _ in range(10)} == {200}  # type: ignore[union-attr] # answered
            page.get_by_role("button", name="Log out").click()
            expect(page).to_have_url(f"{service.url}/login")
            page.get_by_label("Link").fill(link)
            watched.faults.clear()
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text("This link has been used or has expired.")
            watched.faults.clear()  # Chromium reports the answer's status, 403


@pytest.fixture(scope="module")
def by_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN": TOKEN}
    with running_service(tmp_path_factory.mktemp("service"), **settings) as service:
        service.flask_badge("report", WEB, "succeeded")
        yield service


def test_the_token_opens_the_dashboard(browser: Browser, by_token: Service) -> None:
    with watched_page(browser, by_token, is_logged_in=False) as watched:
        page = watched.page
        page.goto("./dashboard")
        assert Axe().run(page).violations_count == 0
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
        page.reload()
        # Both workers accept the session.
        assert {page.goto("./dashboard").status for _ in range(10)} == {200}  # type: ignore[union-attr] # answered
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{by_token.url}/login")


def test_a_choice_after_the_session_s_end_is_restored_after_the_login(browser: Browser, by_token: Service) -> None:
    with watched_page(browser, by_token, is_logged_in=False) as watched:
        page = watched.page
        page.goto(f"./dashboard/{WEB}?dialog=open")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("dialog:modal")).to_be_visible()
        page.context.clear_cookies()
        page.get_by_role("radio", name="plastic").check()
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("dialog:modal")).to_be_visible()
        expect(page.locator("#snippet-url")).to_have_value(f"{by_token.url}/badge/{WEB}?style=plastic")


@needs_no_public_url
def test_plain_http_from_another_machine_needs_the_public_url(browser: Browser, tmp_path: Path) -> None:
    bind = f"127.0.0.1:{free_port()}"
    elsewhere = f"http://badges.example.org:{bind.rpartition(':')[2]}"
    rules = f"--host-resolver-rules=MAP badges.example.org {bind.rpartition(':')[0]}"
    remote = browser.browser_type.launch(executable_path=CHROMIUM, args=[*QUIET, rules])
    settings = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN": TOKEN, "BADGE_BIND": bind}
    for public_url, heading in (("", "Your browser did not send the cookie back"), (elsewhere, "Dashboard")):
        page = remote.new_page()
        with running_service(tmp_path, **settings, **({"BADGE_PUBLIC_URL": public_url} if public_url else {})):
            page.goto(f"{elsewhere}/dashboard")
            page.get_by_label("Token").fill(TOKEN)
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
        page.close()
    remote.close()
