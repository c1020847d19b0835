"""openapi.yaml lists exactly the public routes, and answers match it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from defusedxml import ElementTree
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from badge.app import build_app, build_parts
from badge.appearance import Palette, Show
from badge.artwork.glyphs import LOGOS
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.keys import Scope
from badge.catalogue.migration import migrate
from badge.language import Language
from badge.model import Style, Subject, Theme
from badge.raw_path import BADGE_ROOT, SUMMARY
from badge.settings import load
from badge.web.badges.request import TRUE_WORDS, Format
from badge.web.health import OPENAPI_FILE
from tests.doubles import ManualClock
from tests.parsers.node import node

PROJECT = Path(__file__).parents[2]
DESCRIPTION: dict[str, Any] = yaml.safe_load(OPENAPI_FILE.read_text())

METHODS = ("get", "post")

# HTML pages and the files that they load.
UNDESCRIBED = {
    "/",
    "/badges",
    "/dashboard",
    "/dashboard/",
    "/dashboard/*",
    "/static/*",
    "/status/*",
    "/doctor",
    "/docs",
    "/login",
    "/logout",
}


class Api:
    """A service with a catalogue, and an API key for all of /ops."""

    def __init__(self, folder: Path) -> None:
        clock = ManualClock()
        rates = {"BADGE_OPS_PER_MINUTE": "1000000", "BADGE_PINGS_PER_MINUTE": "1000000"}
        # Without the edge cache: schemathesis passes raw URLs without the query, so all queries would share an answer.
        wired = load({"BADGE_DATA_DIR": str(folder), "BADGE_EDGE_CACHE": "0", **rates})
        migrate(wired.catalogue_location)
        self.parts = build_parts(wired, cache=MemoryStatusCache(clock), clock=clock)
        own = self.parts.catalogue
        assert own is not None
        self.app: Flask = build_app(self.parts)
        key = own.keys.create("all", set(Scope))
        self.headers = {"X-API-Key": key}
        uuid = own.checks.create(Subject.legacy("acme", "web"), timedelta(days=1), timedelta(hours=1), slug="web")
        self.pinged = {"check": uuid, "pingKey": key, "slug": "web"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with tempfile.TemporaryDirectory() as folder:
        api = Api(Path(folder))
        with closing(api.parts):
            yield api


@pytest.fixture(scope="module")
def described(api: Api) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.yaml", api.app)


def routes_of(app: Flask) -> set[tuple[str, str]]:
    """Return the application's methods and paths, with parameters as stars, without HEAD and OPTIONS."""
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "*", rule.rule)
        found |= {(method, path) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return {(method, path) for method, path in found if path not in UNDESCRIBED}


def routes_described() -> set[tuple[str, str]]:
    found = set()
    for path, operations in DESCRIPTION["paths"].items():
        # All forms of badge URLs are one route, because the rest is read from the raw path; so are those of summaries.
        root = next((root for root in (BADGE_ROOT, f"{SUMMARY}/") if path.startswith(root)), None)
        route = f"{root}*" if root else re.sub(r"{[^}]+}", "*", path)
        found |= {(method.upper(), route) for method in operations if method in METHODS}
    return found


def test_the_description_lists_exactly_the_routes(api: Api) -> None:
    assert routes_described() == routes_of(api.app)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("Style", Style),
        ("Palette", Palette),
        ("Theme", Theme),
        ("Lang", Language),
        ("Show", Show),
        ("Logo", LOGOS),
        ("Format", Format),
    ],
)
def test_closed_lists_match_the_code(parameter: str, words: Iterable[str]) -> None:
    assert DESCRIPTION["components"]["parameters"][parameter]["schema"]["enum"] == [str(word) for word in words]
    page = (PROJECT / "docs" / "reference" / "urls.md").read_text()
    assert all(f"`{word}`" in page or f"`.{word}`" in page or f"={word}`" in page for word in words)


def test_the_description_is_served_as_it_is(api: Api) -> None:
    answer = api.app.test_client().get("/openapi.yaml")
    assert (answer.data, answer.content_type) == (OPENAPI_FILE.read_bytes(), "application/yaml")


def test_a_linter_finds_no_error() -> None:
    faults = node("lint.mjs", str(OPENAPI_FILE.resolve()))
    assert [fault for fault in faults if fault.startswith("error")] == []


def test_the_linter_detects_an_error(tmp_path: Path) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_text(OPENAPI_FILE.read_text().replace("\nsecurity: []", "\n"))
    assert any(fault.startswith("error security-defined") for fault in node("lint.mjs", str(file)))


@pytest.mark.parametrize("format", ["json", "shields"])
def test_the_json_of_a_badge_is_as_described(api: Api, described: Any, format: str) -> None:
    operation = described["/badge/{owner}/{repository}"]["get"]
    case = operation.Case(path_parameters={"owner": "acme", "repository": "web"}, query={"format": format})
    answer = case.call_and_validate(checks=[content_type_conformance, response_schema_conformance])
    assert ("schemaVersion" in answer.json()) is (format == "shields")


def test_the_json_of_a_summary_is_as_described(api: Api, described: Any) -> None:
    operation = described["/summary/{platform}/{account}"]["get"]
    case = operation.Case(path_parameters={"platform": "GitHub", "account": "acme"}, query={"format": "json"})
    answer = case.call_and_validate(checks=[content_type_conformance, response_schema_conformance])
    assert (answer.json()["protected"], answer.json()["total"]) == (0, 1)


def operations(prefix: str) -> list[tuple[str, str]]:
    paths = [path for path in DESCRIPTION["paths"] if re.match(prefix, path)]
    return [(path, verb) for path in paths for verb in DESCRIPTION["paths"][path] if verb in METHODS]


def call_many(check: Callable[[schemathesis.Case[Any]], None], operation: Any, examples: int = 60) -> None:
    """Generate valid and invalid calls in turn."""
    good, bad = operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    strategies = [good, bad] if operation.body or operation.query or operation.path_parameters else [good]

    # No shrinking: it would take minutes, and the log shows what failed.
    @settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def call(data: st.DataObject) -> None:
        for strategy in strategies:
            check(data.draw(strategy))

    call()


@pytest.mark.parametrize(("path", "verb"), operations("/ops/"))
def test_ops_follows_its_description_for_good_and_bad_calls(api: Api, described: Any, path: str, verb: str) -> None:
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    if verb == "post":
        # Unknown query parameters are ignored; unknown members of a body are refused.
        checks.append(negative_data_rejection)

    def check(case: schemathesis.Case[Any]) -> None:
        response = case.call_and_validate(headers=api.headers, checks=checks)
        assert response.status_code < 500

    call_many(check, described[path][verb])


@pytest.mark.parametrize(("path", "verb"), operations("/(livez|healthz|readyz|version|openapi)"))
def test_health_follows_its_description(described: Any, path: str, verb: str) -> None:
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]

    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=checks)

    call_many(check, described[path][verb])


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(("path", "verb"), operations("/ping/"))
def test_pings_follow_their_description(api: Api, described: Any, path: str, verb: str, is_known: bool) -> None:  # noqa: FBT001
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    known = api.pinged if is_known else {}

    def check(case: schemathesis.Case[Any]) -> None:
        case.path_parameters |= {name: value for name, value in known.items() if name in case.path_parameters}
        assert case.call_and_validate(checks=checks).status_code in ((200, 400) if is_known else (400, 404))

    call_many(check, described[path][verb])


def check_badge(case: schemathesis.Case[Any]) -> None:
    response = case.call()
    kind = response.headers["content-type"][0].partition(";")[0]
    assert response.status_code in (200, 400, 404, 410, 503)
    assert "max-age" in response.headers["cache-control"][0]
    if kind == "image/svg+xml":
        assert ElementTree.fromstring(response.content).tag == "{http://www.w3.org/2000/svg}svg"
        is_strict = any(word in str((case.query or {}).get("strict")).lower() for word in TRUE_WORDS)
        assert response.status_code == 200 or is_strict
    elif kind == "image/png":
        assert response.content.startswith(b"\x89PNG")
    elif kind.endswith("json"):
        assert json.loads(response.content)
    else:
        assert kind == "text/plain"


@pytest.mark.parametrize(("path", "verb"), operations("/badge/"))
def test_badges_are_always_answered_in_the_requested_format(described: Any, path: str, verb: str) -> None:
    call_many(check_badge, described[path][verb])


@pytest.mark.parametrize(("path", "verb"), operations("/summary"))
def test_summaries_are_always_answered_in_the_requested_format(described: Any, path: str, verb: str) -> None:
    call_many(check_badge, described[path][verb], examples=20)  # the three forms of the path share their code
