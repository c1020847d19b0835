"""With a path prefix, every path in links, forms, redirects and snippets starts with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from bs4.element import Tag
from flask.testing import FlaskClient

from badge.model import Subject
from badge.serving.greeting import first_words
from badge.settings import load
from tests.dashboard import Dashboard, Dashboards
from tests.web.pages.test_pages import one

PREFIX = "/backups"
ORIGIN = "http://localhost"
PUBLIC = {"BADGE_PUBLIC_URL": ORIGIN + PREFIX}
TOKEN = "correct horse battery staple"
BY_TOKEN = {"BADGE_DASHBOARD": "token", "BADGE_DASHBOARD_TOKEN": TOKEN}
ADDRESSES = ("href", "src", "action", "srcset", "data-shared")
# Every page, in each state that shows different links.
PAGES = [
    "/",
    "/?subject=acme/web&show=age",
    "/badges",
    "/doctor?subject=acme/web",
    "/docs",
    "/dashboard",
    "/dashboard?q=none-of-this-name",
    "/dashboard?cursor=",
    "/dashboard?sort=worst",
    "/dashboard?subject=a",
    "/dashboard/acme/web?dialog=open&format=png",
    "/dashboard/acme/none",
    "/status/acme/web",
    "/status/acme/none",
    "/no-such-page",
]
BADGE = Path(__file__).parents[2] / "badge"
TEMPLATES = sorted((BADGE / "web" / "templates").glob("*.html"))
SCRIPTS = sorted((BADGE / "web" / "static").iterdir())
MODULES = sorted(path for folder in ("web", "cli", "serving") for path in (BADGE / folder).rglob("*.py"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    dashboard = Dashboard(tmp_path_factory.mktemp("service"), **PUBLIC)
    for number in range(60):  # more than one page
        dashboard.report(Subject.legacy("acme", f"web{number or ''}"))
    yield dashboard.client
    dashboard.close()


def paths_in(page: Tag) -> Iterator[str]:
    """Yield the path of each URL that a browser would follow, except `data:` URLs."""
    for element in page.find_all(True):
        for address in (str(element[name]) for name in ADDRESSES if name in element.attrs):
            if not address.startswith(("#", "data:")):
                yield urlsplit(address).path


def strays_in(page: Tag) -> list[str]:
    return [path for path in paths_in(page) if not path.startswith(f"{PREFIX}/")]


@pytest.mark.parametrize("path", PAGES)
def test_links_forms_and_resources_begin_with_the_prefix(client: FlaskClient, path: str) -> None:
    page = BeautifulSoup(client.get(PREFIX + path, headers={"Accept": "text/html"}).data, "html.parser")
    assert f"{PREFIX}/static/pages.css" in set(paths_in(page))
    assert strays_in(page) == []


@pytest.mark.parametrize("path", ["/?subject=acme/web", "/dashboard/acme/web", "/doctor?subject=acme/web"])
def test_snippets_begin_with_the_prefix(client: FlaskClient, path: str) -> None:
    page = BeautifulSoup(client.get(PREFIX + path).data, "html.parser")
    copied = re.findall(rf"{re.escape(ORIGIN)}(/\w+/\w+/)", " ".join(area.text for area in page.select("textarea")))
    assert set(copied) <= {f"{PREFIX}/badge/", f"{PREFIX}/status/"}
    assert f"{PREFIX}/badge/" in copied


def test_redirects_to_a_subject_begin_with_the_prefix(client: FlaskClient) -> None:
    answer = client.get(f"{PREFIX}/dashboard?subject=https://github.com/acme/web")
    assert answer.headers["Location"] == f"{PREFIX}/dashboard/GitHub/acme/Repository/web"


def test_the_link_to_the_next_page_begins_with_the_prefix(client: FlaskClient) -> None:
    page = BeautifulSoup(client.get(f"{PREFIX}/dashboard").data, "html.parser")
    assert str(one(page, "a[rel=next]")["href"]).startswith(f"{PREFIX}/dashboard?cursor=")


def test_redirects_to_the_login_and_back_begin_with_the_prefix(dashboards: Dashboards) -> None:
    client = dashboards(**PUBLIC, **BY_TOKEN).client
    sent = client.get(f"{PREFIX}/dashboard/acme/web").headers["Location"]
    assert sent.startswith(f"{PREFIX}/login?next=")
    form = BeautifulSoup(client.get(sent).data, "html.parser")
    assert strays_in(form) == []
    data = {"csrf_token": str(one(form, "input[name=csrf_token]")["value"]), "token": TOKEN}
    data["next"] = parse_qs(urlsplit(sent).query)["next"][0]
    assert client.post(f"{PREFIX}/login", data=data).headers["Location"] == f"{PREFIX}/dashboard/acme/web"
    assert client.get(f"{PREFIX}/login").headers["Location"] == f"{PREFIX}/dashboard"
    page = BeautifulSoup(client.get(f"{PREFIX}/dashboard").data, "html.parser")
    assert strays_in(page) == []
    data = {"csrf_token": str(one(page, "form.log-out input[name=csrf_token]")["value"])}
    assert client.post(f"{PREFIX}/logout", data=data).headers["Location"] == f"{PREFIX}/login"
    assert client.post(f"{PREFIX}/logout").headers["Location"] == f"{PREFIX}/login"


def test_the_description_s_server_is_the_prefix(client: FlaskClient) -> None:
    assert yaml.safe_load(client.get(f"{PREFIX}/openapi.yaml").data)["servers"] == [{"url": PREFIX}]


def test_the_start_message_has_urls_under_the_prefix() -> None:
    words = first_words(load({"BADGE_UPSTREAM_URL": "https://backup.example", **PUBLIC}))
    assert f"{PREFIX}/dashboard\n" in words
    assert f"{PREFIX}/badge/GitHub/" in words
    assert f"{PREFIX}/login?link=secret\n" in first_words(load(PUBLIC), "secret")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_no_template_hard_codes_a_path(template: Path) -> None:
    assert re.findall(r"(?:href|src|srcset|action)=\"/", template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_script_or_style_sheet_hard_codes_a_path(script: Path) -> None:
    """Relative imports such as `./copying.js` work under any prefix."""
    assert re.findall(r"[\"'`(]/(?!/)[\w.-]+", script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_builds_an_external_path_itself(module: Path) -> None:
    """Only `Paths` knows the prefix, so redirects and URLs must get their paths from it."""
    text = module.read_text(encoding="utf-8")
    assert (
        re.findall(r"(?:redirect|see_other)\(f?\"/.*|\}/(?:badge|summary|status|dashboard|login|ping)/.*", text) == []
    )
