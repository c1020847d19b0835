"""Under a path prefix: only prefixed paths and probes are served, through the edge as well as by plain WSGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask

from badge.app import edge_around
from badge.edge.wsgi import call, plain_get
from badge.web.login.link import link_url
from badge.web.paths import Paths
from tests.asgi import Answer, ask
from tests.dashboard import Dashboards
from tests.site import Site

PREFIX = "/backups"
HTML = [("Accept", "text/html")]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(public_url=f"https://example.org{PREFIX}")


def through_edge(app: Flask, target: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Answer:
    return asyncio.run(ask(edge_around(app), target, method, headers))


def by_wsgi(app: Flask, target: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Answer:
    return answer_to(app, plain_get(target) | {"wsgi.input_terminated": True}, method, headers)


def by_decoded_path(app: Flask, target: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Send the request like a WSGI server that passes the prefix in SCRIPT_NAME but not the raw target."""
    path, _, query = target.partition("?")
    environ = plain_get(target) | {"QUERY_STRING": query}
    del environ["RAW_URI"]
    if path.startswith(f"{PREFIX}/"):
        environ |= {"SCRIPT_NAME": PREFIX, "PATH_INFO": unquote(path.removeprefix(PREFIX))}
    return answer_to(app, environ, method, headers)


def answer_to(app: Flask, environ: dict[str, Any], method: str, headers: Iterable[tuple[str, str]]) -> Answer:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    response = call(app, environ | {"REQUEST_METHOD": method} | named)
    return Answer(response.status, dict(response.headers), response.body)


every_way = pytest.mark.parametrize("get", [through_edge, by_wsgi, by_decoded_path])


@every_way
@pytest.mark.parametrize("path", ["/badge/acme/web.json", "/badge/GitHub/acme/Repository/web.json?v=1"])
def test_badges_are_served_below_the_prefix(site: Site, get: Ask, path: str) -> None:
    assert json.loads(get(site.app, PREFIX + path).body)["status"] == "succeeded"


@pytest.mark.parametrize("get", [through_edge, by_wsgi])
def test_an_encoded_slash_below_the_prefix_stays_in_its_segment(site: Site, get: Ask) -> None:
    answer = get(site.app, f"{PREFIX}/badge/GitLab/group%2Fsub/Repository/x.json")
    assert json.loads(answer.body)["account"] == "group/sub"


@every_way
def test_the_prefix_itself_is_the_builder_with_and_without_a_slash(site: Site, get: Ask) -> None:
    for target in (PREFIX, f"{PREFIX}/", f"{PREFIX}?subject=acme/web"):
        answer = get(site.app, target, headers=HTML)
        assert (answer.code, b"Open the dashboard" in answer.body) == (200, True), target


@every_way
@pytest.mark.parametrize("path", ["/", "/dashboard", "/static/pages.css", "/version", "/backupsx/", "/Backups/", "/x"])
def test_other_paths_are_not_found(site: Site, get: Ask, path: str) -> None:
    answer = get(site.app, path)
    assert answer.code == 404
    assert "answers only under /backups" in json.loads(answer.body)["detail"]


def test_the_page_for_other_paths_leads_back_below_the_prefix(site: Site) -> None:
    page = by_wsgi(site.app, "/dashboard", headers=HTML)
    assert (page.code, b'href="/backups/dashboard"' in page.body) == (404, True)


@every_way
@pytest.mark.parametrize("path", ["/badge/acme/web", "/badge/GitHub/acme/Repository/web", "/summary", "//badge/a/b"])
def test_a_badge_outside_the_prefix_is_an_unknown_image_and_says_why_to_programs(
    site: Site, get: Ask, path: str
) -> None:
    for method in ("GET", "HEAD"):
        image = get(site.app, path, method)
        assert (image.code, image.headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    assert b"unknown" in get(site.app, path).body
    program = get(site.app, f"{path}?format=json")
    assert program.code == 400
    assert "answers only under /backups" in json.loads(program.body)["detail"]


@every_way
@pytest.mark.parametrize(("method", "code"), [("POST", 405), ("PUT", 405), ("OPTIONS", 204)])
def test_other_methods_on_badges_get_the_same_answer_outside_the_prefix(
    site: Site, get: Ask, method: str, code: int
) -> None:
    for path in ("/badge/acme/web", "/badge/acme", "/summary", "/summary/GitHub/acme"):
        assert [get(site.app, target, method).code for target in (path, PREFIX + path)] == [code, code], path


@every_way
@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_no_method_works_on_other_paths_outside_the_prefix(site: Site, get: Ask, method: str) -> None:
    assert [get(site.app, path, method).code for path in ("/dashboard", "/ops/status/report", "/x")] == [404, 404, 404]


@every_way
@pytest.mark.parametrize(("path", "code"), [("/livez", 200), ("/readyz", 200), ("/healthz", 200), ("/metrics", 401)])
def test_probes_work_with_and_without_the_prefix(site: Site, get: Ask, path: str, code: int) -> None:
    assert [get(site.app, target).code for target in (path, PREFIX + path)] == [code, code]


@every_way
def test_metrics_subjects_is_served_without_the_prefix(site: Site, get: Ask) -> None:
    assert b"answers only under" not in get(site.app, "/metrics/subjects").body


def test_what_gunicorn_refuses_below_the_prefix_is_an_image_too(site: Site) -> None:
    edge = edge_around(site.app)
    assert edge.serves_badge("GET", b"/backups/badge/acme/x y")
    assert edge.serves_badge("HEAD", b"/backups/summary")
    assert not edge.serves_badge("GET", b"/backups/dashboard/badge/acme")
    assert not edge.serves_badge("GET", b"/backups/")


def test_an_overloaded_service_answers_in_the_requested_format_under_a_prefix(site: Site) -> None:
    edge = edge_around(site.app)
    refused = edge._overloaded(b"/backups/badge/acme/web.json").answer.finished
    assert (refused.http_status, json.loads(refused.body)["code"]) == (503, "UNAVAILABLE")


def test_the_longest_path_may_be_as_long_as_without_a_prefix(site: Site) -> None:
    path = "/badge/acme/" + "x" * 300 + ".json?v="
    for more, code in ((8_000, 200), (8_001, 400)):
        assert by_wsgi(site.app, PREFIX + path.ljust(more, "1")).code == code


def cookie_of(dashboards: Dashboards, public_url: str) -> str:
    dashboard = dashboards(BADGE_PUBLIC_URL=public_url, BADGE_DASHBOARD="token", BADGE_DASHBOARD_TOKEN="k" * 32)
    return dashboard.get(f"{dashboard.parts.paths.to('/login')}").headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("public_url", "name", "path"),
    [
        ("http://localhost/backups", "badge+backups", "/backups"),
        ("http://localhost/a/b", "badge+a+b", "/a/b"),
        ("https://example.org/backups", "__Host-badge+backups", "/"),
    ],
)
def test_services_under_different_prefixes_have_cookies_of_their_own(
    dashboards: Dashboards, public_url: str, name: str, path: str
) -> None:
    cookie = cookie_of(dashboards, public_url)
    assert cookie.startswith(f"{name}=")
    assert f"; Path={path};" in f"{cookie};"


def test_a_link_logs_in_below_the_prefix(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="http://localhost/backups")
    assert link_url("", "x", dashboard.parts.paths) == "/backups/login?link=x"
    assert dashboard.get("/backups/dashboard").status_code == 200


@pytest.mark.parametrize(
    "typed",
    [
        "https://example.org/backups/badge/acme/web.svg?style=plastic",
        "example.org/backups/status/acme/web",
        "/backups/dashboard/GitHub/acme/Repository/web",
        "http://127.0.0.1:8000/backups/badge/acme/web",
        "[![x](https://example.org/backups/badge/acme/web)](https://example.org/backups/status/acme/web)",
        "acme/web",
        "https://github.com/acme/web",
    ],
)
def test_what_people_paste_may_have_the_prefix(dashboards: Dashboards, typed: str) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="http://example.org/backups", BADGE_DASHBOARD="open")
    for page in ("/", "/doctor"):
        text = dashboard.client.get(PREFIX + page, query_string={"subject": typed}).text
        assert "http://example.org/backups/badge/" in text, page
        assert "/backups/backups/" not in text
    found = dashboard.client.get(f"{PREFIX}/dashboard", query_string={"subject": typed})
    assert found.headers["Location"] == "/backups/dashboard/GitHub/acme/Repository/web"


def test_the_doctor_finds_badges_in_a_readme_that_lack_the_prefix(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="http://example.org/backups", BADGE_DASHBOARD="open")

    def page(typed: str) -> Any:
        return dashboard.client.get(f"{PREFIX}/doctor", query_string={"subject": typed}).text

    assert "The README shows" not in page("http://example.org/backups/badge/acme/web")
    assert "The README shows http://example.org/badge/acme/web instead" in page("http://example.org/badge/acme/web")


def test_the_prefix_is_removed_only_from_urls_of_subjects() -> None:
    paths = Paths("/backups")
    for text in ("https://github.com/backups/web", "/backups/login", "backups/web", "/x/backups/badge/a/b"):
        assert paths.own(text) == text
