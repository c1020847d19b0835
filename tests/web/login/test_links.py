"""Login links, sessions that end on the server, and limits on failed logins."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import Engine, ExceptionContext, event
from werkzeug.test import TestResponse

from badge.app import build_app, build_parts
from badge.catalogue.logins import WINDOW
from badge.model import Subject, Visibility
from badge.settings import load
from badge.web.signing_key import KEY_FILE
from tests.dashboard import Dashboards
from tests.doubles import ManualClock, OneProcess
from tests.servers import PROJECT
from tests.web.pages.test_pages import one, text

TOKEN = "correct horse battery staple"
BY_TOKEN = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN": TOKEN}
OIDC = {
    "BADGE_DASHBOARD": "oidc",
    "BADGE_OIDC_ISSUER": "http://127.0.0.1:9",
    "BADGE_OIDC_CLIENT_ID": "badge",
    "BADGE_OIDC_ALLOW": "*",
    "BADGE_PUBLIC_URL": "http://localhost",
}
WEB = Subject.legacy("acme", "web")


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.data, "html.parser")


def submit(client: FlaskClient, **fields: str) -> TestResponse:
    """Send the login form with these fields, as a browser with the form open."""
    token = one(page_of(client.get("/login")), "input[name=csrf_token]")["value"]
    return client.post("/login", data={"csrf_token": str(token), **fields})


def log_out(client: FlaskClient) -> TestResponse:
    token = one(page_of(client.get("/dashboard")), ".log-out input")["value"]
    return client.post("/logout", data={"csrf_token": str(token)})


# --- links ---


@pytest.mark.parametrize("settings", [{}, BY_TOKEN, OIDC], ids=["link", "token", "oidc"])
def test_a_link_logs_in_once_and_leads_to_a_clean_url(dashboards: Dashboards, settings: dict[str, str]) -> None:
    dashboard = dashboards(**settings)
    link = dashboard.login_link()
    client, other = dashboard.anonymous(), dashboard.anonymous()
    answer = dashboard.log_in(client, link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert client.get("/dashboard").status_code == 200
    again = dashboard.log_in(other, link)
    assert (again.status_code, "has been used or has expired" in again.text) == (403, True)
    assert other.get("/dashboard").status_code == 303


def test_opening_a_link_does_not_use_it_up(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    link, client = dashboard.login_link(), dashboard.anonymous()
    for look in (client.head, client.get, client.options, client.get):
        answer = look(link)
        assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/dashboard").status_code == 303
    assert dashboard.log_in(client, link).status_code == 303


def test_a_link_is_not_used_up_by_a_browser_that_refuses_cookies(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    link, secret = dashboard.login_link(), dashboard.login_link().partition("=")[2]
    assert (
        dashboard.client.application.test_client(use_cookies=False).post("/login", data={"link": secret}).status_code
        == 400
    )
    assert dashboard.log_in(dashboard.anonymous(), link).status_code == 303


def test_a_link_can_be_pasted(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    for pasted in (f"  http://127.0.0.1:8000{dashboard.login_link()}\n", dashboard.login_link().partition("=")[2]):
        assert submit(dashboard.anonymous(), link=pasted).status_code == 303


@pytest.mark.parametrize(("settings", "field"), [({}, "link"), (BY_TOKEN, "token"), (OIDC, "link")])
def test_a_link_can_be_pasted_into_the_only_field_whatever_the_login_method(
    dashboards: Dashboards, settings: dict[str, str], field: str
) -> None:
    dashboard = dashboards(**settings, BADGE_LOGIN_FAILURES="1")
    link, client = f"http://127.0.0.1:8000{dashboard.login_link()}", dashboard.anonymous()
    form = one(page_of(client.get("/login")), "form.find")
    assert [shown["name"] for shown in form.select("input:not([type=hidden])")] == [field]
    assert submit(client, **{field: link}).status_code == 303
    used = submit(dashboard.anonymous(), **{field: link})
    assert (used.status_code, text(page_of(used), "#login-fault")) == (403, "This link has been used or has expired.")
    assert submit(dashboard.anonymous(), **{field: f"http://127.0.0.1:8000{dashboard.login_link()}"}).status_code == 303


def test_without_a_link_the_page_says_how_to_get_one(dashboards: Dashboards) -> None:
    client = dashboards().anonymous()
    redirect = client.get("/dashboard/acme/web")
    page = page_of(client.get(redirect.headers["Location"]))
    assert "badge login-link" in one(page, ".lead").get_text()
    assert "var" not in page.get_text()  # no path on the server


def test_after_a_pasted_link_the_requested_page_is_shown(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    link = dashboard.login_link()
    answer = submit(dashboard.anonymous(), link=link, next="/dashboard/acme/web")
    assert answer.headers["Location"] == "/dashboard/acme/web"


def test_an_expired_link_is_refused(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    link = dashboard.login_link()
    dashboard.clock.advance(seconds=600)
    assert dashboard.log_in(dashboard.anonymous(), link).status_code == 403


# --- requests from this machine ---


@pytest.mark.parametrize("former", ["link", "local"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "attacker.example"])
def test_a_request_from_this_machine_sees_nothing_without_a_login(
    dashboards: Dashboards, host: str, former: str
) -> None:
    dashboard = dashboards(BADGE_DASHBOARD=former)
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    client = dashboard.anonymous()
    for path in ("/dashboard", f"/dashboard/{WEB.path}", "/dashboard?subject=acme/web"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/login")
        assert "token" not in answer.text


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "127.0.0.1:8000", 200),
        ({"BADGE_PUBLIC_URL": "http://localhost:8000"}, "127.0.0.1:8000", 200),
        ({}, "attacker.example", 401),  # DNS rebinding
        ({"BADGE_PUBLIC_URL": "https://badges.example.org"}, "127.0.0.1:8000", 401),  # nginx's default Host
        ({"BADGE_METRICS_TOKEN": "open-sesame"}, "127.0.0.1:8000", 200),
    ],
)
def test_metrics_are_open_to_loopback_unless_the_public_url_leads_elsewhere(
    dashboards: Dashboards, settings: dict[str, str], host: str, status: int
) -> None:
    assert dashboards(**settings).get("/metrics", Host=host).status_code == status


def test_metrics_are_open_from_anywhere_with_their_token(dashboards: Dashboards) -> None:
    settings = {"BADGE_METRICS_TOKEN": "open-sesame", "BADGE_PUBLIC_URL": "https://badges.example.org"}
    dashboard = dashboards(**settings)
    for token, status in (("open-sesame", 200), ("open-sesam", 401), ("", 401)):
        assert dashboard.get("/metrics", Authorization=f"Bearer {token}").status_code == status


def test_metrics_without_a_token_say_how_to_get_them(dashboards: Dashboards) -> None:
    refused = dashboards().get("/metrics", Host="attacker.example")
    detail = "Send the service's BADGE_METRICS_TOKEN as a bearer token; if it has none, set one."
    assert (refused.json or {})["detail"] == detail


# --- sessions ---


def test_a_request_waits_only_once_for_a_lost_database(dashboards: Dashboards, tmp_path: Path) -> None:
    dashboard = dashboards(tmp_path / "data", BADGE_SECRET_KEY="k" * 32)
    dashboard.parts.close()
    shutil.rmtree(tmp_path / "data")
    failures: list[ExceptionContext] = []
    note = failures.append  # named, because it can only be removed as the same object
    event.listen(Engine, "handle_error", note)
    try:
        assert dashboard.get("/dashboard").status_code == 503
    finally:
        event.remove(Engine, "handle_error", note)
    assert len(failures) == 1


def test_a_copied_cookie_is_worthless_after_logout_in_every_process(dashboards: Dashboards, tmp_path: Path) -> None:
    dashboard = dashboards()
    other = build_app(dashboards().parts)  # another worker or replica, with the same database and key
    cookie = dashboard.client.get_cookie("badge")
    assert cookie is not None

    def statuses() -> list[int]:
        thieves = [dashboard.anonymous(), other.test_client()]
        for thief in thieves:
            thief.set_cookie("badge", cookie.value)
        return [thief.get("/dashboard").status_code for thief in thieves]

    assert statuses() == [200, 200]
    assert log_out(dashboard.client).headers["Location"] == "/login"
    assert statuses() == [303, 303]


def test_logout_leaves_other_sessions_alone(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    other = dashboard.anonymous()
    dashboard.log_in(other, dashboard.login_link())
    log_out(dashboard.client)
    assert (dashboard.get("/dashboard").status_code, other.get("/dashboard").status_code) == (303, 200)


def test_starting_a_login_at_the_provider_does_not_end_a_session(dashboards: Dashboards) -> None:
    dashboard = dashboards(**OIDC)
    dashboard.log_in(dashboard.client, dashboard.login_link())
    answer = dashboard.get("/login/start?next=/dashboard/acme/web")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/acme/web")
    assert dashboard.get("/dashboard").status_code == 200


def test_a_lost_database_prevents_logins_and_the_public_pages_still_work(
    dashboards: Dashboards, tmp_path: Path
) -> None:
    dashboard = dashboards(tmp_path / "data", BADGE_SECRET_KEY="k" * 32)
    token = one(page_of(dashboard.get("/dashboard")), ".log-out input")["value"]
    dashboard.parts.close()
    shutil.rmtree(tmp_path / "data")
    answer = dashboard.get("/dashboard")
    assert (answer.status_code, "Login is temporarily unavailable" in answer.text) == (503, True)
    assert dashboard.get("/badges").status_code == 200
    assert dashboard.client.post("/logout", data={"csrf_token": str(token)}).status_code == 503
    registry = dashboard.parts.events.metrics.registry
    labels = {"error": "SQLITE_CANTOPEN"}
    for operation in ("login", "logout"):
        assert registry.get_sample_value("badge_catalogue_failures_total", {"operation": operation, **labels}) == 1


@pytest.mark.parametrize("damaged", [None, b"", b"\xff" * 43], ids=["no folder", "an empty key", "a corrupt key"])
@pytest.mark.parametrize("settings", [{}, OIDC], ids=["link", "oidc"])
def test_without_a_signing_key_nobody_can_log_in_and_the_rest_still_works(
    tmp_path: Path, settings: dict[str, str], damaged: bytes | None
) -> None:
    folder = tmp_path / "data"
    if damaged is None:
        folder.touch()
    else:
        folder.mkdir()
        (folder / KEY_FILE).write_bytes(damaged)
    wired = load({"BADGE_DATA_DIR": str(folder), "BADGE_UPSTREAM_URL": "http://127.0.0.1:9", **settings})
    with closing(build_parts(wired, cache=OneProcess(ManualClock()))) as parts:
        client = build_app(parts).test_client()
        client.set_cookie("badge", "of an earlier session")
        for path in ("/login", "/login?link=x", *(["/login/start"] if settings else [])):
            answer = client.get(path)
            assert answer.status_code == 503
            # Not "temporarily": somebody has to mend it.
            assert "Login is unavailable" in answer.text
            assert "The signing key in the data folder can&#39;t be used." in answer.text
        assert client.get("/dashboard").status_code == 303
        assert {client.get(path).status_code for path in ("/", "/badge/acme/web", "/livez")} == {200}


# --- limits ---


def test_guesses_are_refused_after_a_while_with_the_time_to_wait(dashboards: Dashboards) -> None:
    dashboard = dashboards(**BY_TOKEN, BADGE_LOGIN_FAILURES="3")
    client = dashboard.anonymous()
    assert [submit(client, token="wrong").status_code for _ in range(4)] == [403, 403, 403, 429]
    refused = submit(client, token=TOKEN)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "600")
    assert "Try again in 10 min" in refused.text
    assert "with <code>badge login-link</code>, works" in refused.text
    dashboard.clock.advance(seconds=WINDOW.total_seconds() + 1)
    assert submit(client, token=TOKEN).status_code == 303
    assert dashboard.parts.events.metrics.registry.get_sample_value("badge_log_ins_total", {"end": "throttled"}) == 2


def test_guessed_links_are_limited_but_a_real_one_always_works(dashboards: Dashboards) -> None:
    dashboard = dashboards(**BY_TOKEN, BADGE_LOGIN_FAILURES="1")
    client = dashboard.anonymous()
    assert [submit(client, link="wrong").status_code for _ in range(2)] == [403, 429]
    assert submit(client, token=TOKEN).status_code == 429
    assert dashboard.log_in(client, dashboard.login_link()).status_code == 303


def test_limits_are_shared_by_processes_and_apply_per_address(dashboards: Dashboards) -> None:
    settings = {**BY_TOKEN, "BADGE_LOGIN_FAILURES": "1", "BADGE_SECRET_KEY": "k" * 32}
    first, second = (dashboards(**settings).anonymous() for _ in range(2))
    assert submit(first, token="wrong").status_code == 403
    assert submit(second, token=TOKEN).status_code == 429
    second.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
    assert submit(second, token=TOKEN).status_code == 303


def test_a_successful_login_clears_earlier_failures(dashboards: Dashboards) -> None:
    dashboard = dashboards(**BY_TOKEN, BADGE_LOGIN_FAILURES="2")
    for _ in range(2):
        client = dashboard.anonymous()
        assert [submit(client, token=token).status_code for token in ("typo", TOKEN)] == [403, 303]


FORMS_LOADED = """
import sys
from badge.app import create_edge
from badge.settings import load
create_edge(load({"BADGE_DATA_DIR": sys.argv[1], "BADGE_DASHBOARD": "link"}))
print([name for name in ("wtforms", "babel") if name in sys.modules])
"""


def test_a_service_loads_the_library_for_forms_only_when_it_shows_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORMS_LOADED, str(tmp_path)]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout == "[]\n"
