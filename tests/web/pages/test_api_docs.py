"""The API documentation: all that badge/web/openapi.yaml says, in a small page without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from bs4 import BeautifulSoup

from badge.web.health import OPENAPI_FILE
from badge.web.pages.api_docs import description_of
from tests.site import Site
from tests.web.pages.test_pages import text

DESCRIPTION = yaml.safe_load(OPENAPI_FILE.read_text())
LARGEST = 200_000


@pytest.fixture
def page(site: Site) -> BeautifulSoup:
    answer = site.get("/docs")
    assert len(answer.data) < LARGEST
    return BeautifulSoup(answer.data, "html.parser")


def folded(words: str) -> str:
    return " ".join(words.replace("`", "").split())


def test_it_lists_every_operation_once(page: BeautifulSoup) -> None:
    described = [
        (method, path) for path, item in DESCRIPTION["paths"].items() for method in item if method != "description"
    ]
    expected = sorted(f"{method.upper()} {path}" for method, path in described if method in ("get", "post"))
    assert sorted(folded(title.get_text()) for title in page.select("article h3:has(.method)")) == expected
    assert not page.select("script")


def texts_in(node: object) -> Iterator[str]:
    """Yield every description and summary in a part of the document."""
    if isinstance(node, dict):
        yield from (folded(node[key]) for key in ("description", "summary") if isinstance(node.get(key), str))
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from texts_in(child)


def test_it_contains_every_description_and_every_name(page: BeautifulSoup) -> None:
    words, components = folded(page.get_text()), DESCRIPTION["components"]
    texts = [*texts_in({**DESCRIPTION, "info": {}})]
    assert len(texts) > 50
    assert [text for text in texts if text not in words] == []
    names = {one["name"] for one in components["parameters"].values()}
    names |= {name for schema in components["schemas"].values() for name in schema.get("properties", ())}
    assert names <= {code.get_text() for code in page.select(".fields code")}


def test_its_links_lead_to_parts_of_the_page(page: BeautifulSoup) -> None:
    anchors = [str(one["id"]) for one in page.select("[id]")]
    assert len(anchors) == len(set(anchors))
    targets = {str(link["href"]) for link in page.select("main a[href^='#']")}
    assert targets <= {f"#{anchor}" for anchor in anchors}
    assert "#schema-BackupStatus" in targets


def test_limits_and_choices_are_in_words(page: BeautifulSoup) -> None:
    words = text(page, "main")
    assert re.search(r"style in the query: flat or flat-square or .*, default flat", words)
    assert "label in the query: string, up to 64 characters" in words
    assert "Needs an API key in X-API-Key." in words
    assert "subjects required list, up to 100 items" in words


def test_an_operation_names_its_alternatives() -> None:
    either = {"oneOf": [{"type": "string", "const": "OK"}, {"$ref": "#/components/schemas/Time"}]}
    response = {"200": {"description": "Fine.", "content": {"text/plain": {"schema": either}}}}
    operation = {"tags": ["t"], "summary": "A test", "security": [{}, {"bearer": []}], "responses": response}
    found = description_of(
        {
            "tags": [{"name": "t"}],
            "paths": {"/x": {"get": operation}},
            "components": {"schemas": {"Time": {"type": ["string", "null"], "format": "date-time"}}},
        }
    )
    ((operation_found,),) = [group.operations for group in found.groups]
    assert operation_found.key.startswith("a bearer token")
    ((_, shape),) = operation_found.answers[0].contents
    assert [part.words for part in shape.parts] == ["always OK", "Time"]
    assert found.schemas[0][1].words == "string or null, date-time"
