"""Access to all routes for each value of BADGE_DASHBOARD, sessions, and forms from other sites."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from badge.model import Subject, Visibility
from badge.web.signing_key import KEY_FILE, NoSigningKey, stored_key
from tests.dashboard import Dashboard, Dashboards
from tests.web.pages.test_pages import one, text

TOKEN = "correct horse battery staple"
WEB = Subject.legacy("acme", "web")
OIDC = {
    "BADGE_DASHBOARD": "oidc",
    "BADGE_OIDC_ISSUER": "http://127.0.0.1:9",
    "BADGE_OIDC_CLIENT_ID": "badge",
    "BADGE_OIDC_ALLOW": "*",
    "BADGE_PUBLIC_URL": "http://localhost",
}
BY_TOKEN = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN": TOKEN, "BADGE_PUBLIC_URL": "http://localhost"}
WAYS = [{"BADGE_DASHBOARD": "link"}, BY_TOKEN, OIDC, {"BADGE_DASHBOARD": "off"}]

# Public routes. Any other route must refuse anonymous requests.
PUBLIC = {
    "/",
    "/badge/<any_path:_>",
    "/summary",
    "/summary/<any_path:_>",
    "/badges",
    "/doctor",
    "/docs",
    "/static/<name>",
    "/status/<any_path:_>",
    "/livez",
    "/healthz",
    "/readyz",
    "/version",
    "/openapi.yaml",
    "/login",
    "/login/start",
    "/login/callback",
}


def private_dashboard(dashboards: Dashboards, settings: dict[str, str]) -> Dashboard:
    dashboard = dashboards(**settings)
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    return dashboard


def protected(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    """Yield the method and an existing path of each route that is not public."""
    for rule in dashboard.client.application.url_map.iter_rules():
        if rule.rule not in PUBLIC:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, path_of(rule)


def path_of(rule: Rule) -> str:
    return re.sub(r"<any_path:_>", WEB.path, rule.rule)


@pytest.mark.parametrize("settings", WAYS, ids=lambda settings: settings["BADGE_DASHBOARD"])
def test_every_protected_route_refuses_anonymous_requests(dashboards: Dashboards, settings: dict[str, str]) -> None:
    dashboard = private_dashboard(dashboards, settings)
    anonymous = dashboard.anonymous()
    routes = list(protected(dashboard))
    assert {"/dashboard", f"/dashboard/{WEB.path}", "/ops/status/report"} <= {path for _, path in routes}
    for method, path in routes:
        answer = anonymous.open(path, method=method, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
        is_sent_to_log_in = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        assert is_sent_to_log_in or answer.status_code in (400, 401, 403, 404), (method, path)
        if path != f"/dashboard/{WEB.path}":  # the redirect there names the requested subject
            assert "acme" not in answer.text
        assert "succeeded" not in answer.text


@pytest.mark.parametrize("settings", [*WAYS, {"BADGE_DASHBOARD": "open"}], ids=lambda given: given["BADGE_DASHBOARD"])
def test_images_never_need_a_login_and_set_no_cookie(dashboards: Dashboards, settings: dict[str, str]) -> None:
    dashboard = dashboards(**settings)
    dashboard.report(WEB)
    answer = dashboard.get(f"/badge/{WEB.path}")
    assert answer.status_code == 200
    assert b"backup: succeeded" in answer.data
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def test_an_open_dashboard_shows_only_public_subjects(dashboards: Dashboards) -> None:
    dashboard = private_dashboard(dashboards, {"BADGE_DASHBOARD": "open"})
    dashboard.report(Subject.legacy("acme", "public"))
    page = BeautifulSoup(dashboard.get("/dashboard").data, "html.parser")
    assert [link.get_text() for link in page.select(".subjects a")] == ["public"]
    assert text(page, ".totals strong") == "1 of 1"
    shown = dashboard.get("/dashboard/acme/public").text
    assert "<dt>Source</dt><dd>a source of this service</dd>" in shown
    assert "catalogue" not in shown
    details, absent = (dashboard.get(f"/dashboard/acme/{name}").text for name in ("web", "none"))
    assert details.replace("web", "none") == absent
    assert "No backup found" in details


# --- with a token ---


@pytest.fixture
def by_token(dashboards: Dashboards) -> Dashboard:
    return private_dashboard(dashboards, BY_TOKEN)


def log_in(dashboard: Dashboard, token: str = TOKEN, next: str = "") -> TestResponse:
    form = dashboard.soup("/login")
    data = {"csrf_token": str(one(form, "input[name=csrf_token]")["value"]), "token": token, "next": next}
    return dashboard.client.post("/login", data=data)


def test_anonymous_requests_are_redirected_to_the_login_and_back(by_token: Dashboard) -> None:
    redirect = by_token.get("/dashboard?q=acme&sort=worst")
    form = by_token.soup(redirect.headers["Location"])
    wanted = str(one(form, "input[name=next]")["value"])
    answer = log_in(by_token, next=wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard?q=acme&sort=worst")
    assert "web" in by_token.soup("/dashboard").get_text()
    assert "succeeded" in by_token.soup(f"/dashboard/{WEB.path}").get_text()


def test_a_wrong_token_is_refused(by_token: Dashboard) -> None:
    for wrong in ("", "correct horse", TOKEN + "x", "é"):
        assert log_in(by_token, wrong).status_code == 403
    assert by_token.get("/dashboard").status_code == 303


def test_logout_ends_the_session(by_token: Dashboard) -> None:
    log_in(by_token)
    form = by_token.soup("/dashboard").select_one(".log-out")
    assert form is not None
    data = {"csrf_token": str(one(form, "input")["value"])}
    assert by_token.client.post("/logout", data=data).status_code == 303
    assert by_token.get("/dashboard").status_code == 303


def log_ins(dashboard: Dashboard, end: str) -> float:
    return dashboard.parts.events.metrics.registry.get_sample_value("badge_log_ins_total", {"end": end}) or 0


def test_attempts_are_counted(by_token: Dashboard) -> None:
    log_in(by_token, "wrong")
    by_token.client.post("/login", data={"token": TOKEN})
    log_in(by_token)
    assert [log_ins(by_token, end) for end in ("refused", "forged", "admitted")] == [1, 1, 1]


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_a_form_from_another_site_is_refused(by_token: Dashboard, path: str) -> None:
    by_token.get("/login")
    if path == "/logout":
        log_in(by_token)
    status = by_token.get("/dashboard").status_code
    for token in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}):
        assert by_token.client.post(path, data={"token": TOKEN, **token}).status_code == 400
    assert by_token.get("/dashboard").status_code == status


@pytest.mark.parametrize("settings", [BY_TOKEN, OIDC], ids=lambda settings: settings["BADGE_DASHBOARD"])
def test_logout_after_the_session_s_end_redirects_to_the_login(
    dashboards: Dashboards, settings: dict[str, str]
) -> None:
    answer = dashboards(**settings).client.post("/logout", data={"csrf_token": "of the session"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_an_old_login_form_works_for_those_already_logged_in(by_token: Dashboard) -> None:
    form = by_token.soup("/login?next=/dashboard?q=a")
    left_open = {name: str(one(form, f"input[name={name}]")["value"]) for name in ("csrf_token", "next")}
    log_in(by_token)
    redirect = by_token.get("/login?next=/dashboard?q=b")
    sent = by_token.client.post("/login", data={**left_open, "token": "whatever"})
    assert (redirect.status_code, redirect.headers["Location"]) == (303, "/dashboard?q=b")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/dashboard?q=a")


def test_a_browser_without_the_cookie_is_told_why(dashboards: Dashboards) -> None:
    for public_url, words in (("https://badges.example.org", "Use https"), ("http://localhost", "Allow cookies")):
        dashboard = dashboards(**{**BY_TOKEN, "BADGE_PUBLIC_URL": public_url})
        form = dashboard.soup("/login")
        data = {"csrf_token": str(one(form, "input[name=csrf_token]")["value"]), "token": TOKEN}
        dashboard.client.delete_cookie("__Host-badge")
        dashboard.client.delete_cookie("badge")
        answer = dashboard.client.post("/login", data=data)
        assert answer.status_code == 400
        assert "Your browser did not send the cookie back" in answer.text
        assert words in answer.text


def test_every_form_that_changes_something_has_a_csrf_token(by_token: Dashboard) -> None:
    assert one(by_token.soup("/login"), "form[method=post] input[name=csrf_token]")["value"]
    log_in(by_token)
    seen = 0
    for path in ("/", "/badges", "/dashboard", f"/dashboard/{WEB.path}"):
        for form in by_token.soup(path).select("form[method=post]"):
            assert one(form, "input[name=csrf_token]")["value"]
            seen += 1
    assert seen == 5  # log out on each page, and create a private token in the dialog


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/dashboard",
        "/\\evil.example",
        "/dashboard\\..\\",
        "/dashboard\r\nSet-Cookie: x=y",
        "/dashboardevil",
        "javascript:alert(1)",
        "/badge/acme/web",
    ],
)
def test_the_login_redirects_only_to_the_dashboard(by_token: Dashboard, wanted: str) -> None:
    assert log_in(by_token, next=wanted).headers["Location"] == "/dashboard"


@pytest.mark.parametrize(
    ("public_url", "host", "is_secure"),
    [
        ("https://badges.example.org", "badges.example.org", True),
        ("https://badges.example.org", "127.0.0.1:8000", True),  # as nginx sends it by default
        ("http://badges.example.org", "badges.example.org", False),
        ("", "badges.example.org", True),
        ("", "127.0.0.1:8000", False),  # where Safari would reject it
    ],
)
def test_the_cookie_is_hidden_from_scripts_and_other_sites(
    dashboards: Dashboards, public_url: str, host: str, *, is_secure: bool
) -> None:
    dashboard = dashboards(**{**BY_TOKEN, "BADGE_PUBLIC_URL": public_url})
    cookie = dashboard.get("/login", Host=host).headers["Set-Cookie"]
    assert cookie.startswith("__Host-badge=" if is_secure else "badge=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert ("Secure" in cookie) is is_secure
    assert "Domain" not in cookie


def test_a_session_ends_after_its_lifetime_and_when_the_token_changes(dashboards: Dashboards) -> None:
    dashboard = private_dashboard(dashboards, {**BY_TOKEN, "BADGE_SESSION_LIFETIME": "5m"})
    cookie = log_in(dashboard).headers["Set-Cookie"]
    assert "Expires=" in cookie
    value = cookie.partition("=")[2].partition(";")[0]
    same = dashboards(**BY_TOKEN)
    same.client.set_cookie("badge", value)
    assert same.get("/dashboard").status_code == 200
    other = dashboards(**{**BY_TOKEN, "BADGE_DASHBOARD_TOKEN": "another one of that length"})
    other.client.set_cookie("badge", value)
    assert other.get("/dashboard").status_code == 303
    forged = dashboards(**BY_TOKEN, BADGE_SECRET_KEY="x" * 32)
    forged.client.set_cookie("badge", value)
    assert forged.get("/dashboard").status_code == 303


def test_no_cookie_holds_the_token(by_token: Dashboard) -> None:
    assert TOKEN not in log_in(by_token).headers["Set-Cookie"]


# --- with a provider: what can be tested without one ---


def test_a_provider_that_does_not_answer_is_reported(dashboards: Dashboards) -> None:
    dashboard = private_dashboard(dashboards, OIDC)
    assert dashboard.get("/login").status_code == 200
    assert dashboard.get("/login/start").status_code == 503
    assert dashboard.get("/login/callback?code=x&state=y").status_code == 403
    assert dashboard.get("/login/callback?error=access_denied").status_code == 403
    assert dashboard.get("/dashboard").status_code == 303


# --- the signing key ---


def test_all_processes_get_the_same_key_and_no_other_user_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: stored_key(folder), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("content", [b"", b"\n", b"k" * 31, b"\xff" * 43])
def test_a_damaged_key_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(NoSigningKey, match="is damaged: delete it to get a new one"):
        stored_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content
