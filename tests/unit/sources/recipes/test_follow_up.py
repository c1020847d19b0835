"""The second request of a recipe: its URL, and what its tables have to contain."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.request import follow_up_request

NAMES = {"subjectName": 'we"b', "store": "tank", "id": "1&2"}


def recipe(**then: object) -> Recipe:
    rules = [{"when": "@", "status": "succeeded"}]
    return Recipe.model_validate({"rules": rules, "request": {"path": "/api/v1/query"}, "then": then})


def url(**then: object) -> str | None:
    request = follow_up_request("https://e.org", recipe(**then), {"data": {"type": "v/m"}}, NAMES)
    return None if request is None else request.url


def test_a_second_request_has_a_path_and_a_query() -> None:
    found = url(path="/{store}/{type}", query={"backup-id": "{id}", "empty": ""}, values={"type": "data.type"})
    assert found == "https://e.org/tank/v%2Fm?backup-id=1%262"


def test_a_second_query_goes_to_the_path_of_the_first() -> None:
    found = url(promql='verified{repository="{subjectName}"}')
    assert found == "https://e.org/api/v1/query?query=verified%7Brepository%3D%22we%5C%22b%22%7D"


def test_without_a_value_there_is_no_second_request() -> None:
    assert url(path="/{type}", values={"type": "data.missing"}) is None


@pytest.mark.parametrize("then", [{}, {"path": "/a", "promql": "up"}])
def test_a_second_request_has_either_a_path_or_a_query_in_promql(then: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give either path or promql"):
        recipe(**then)


def test_names_in_a_second_query_are_allowed_only_in_quotes() -> None:
    with pytest.raises(ValidationError, match="double quotes"):
        recipe(promql="up{{subjectName}}")
