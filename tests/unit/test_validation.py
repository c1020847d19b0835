"""No error message of pydantic's own is shown to operators or to clients that report backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from badge.settings import Settings
from badge.sources.configuration.entry import Entry
from badge.validation import KNOWN_TYPES, did_you_mean, problem_of
from badge.web.intake.ops_body import ReportBody

CONSTRAINTS = {
    "ge": {"greater_than_equal"},
    "le": {"less_than_equal"},
    "max_length": {"string_too_long", "too_long"},
    "min_length": {"too_short"},
    "pattern": {"string_pattern_mismatch"},
    "tz_constraint": {"timezone_aware"},
}
KINDS = {
    "bool": {"bool_type", "bool_parsing"},
    "datetime": {"datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"},
    "dict": {"dict_type"},
    "enum": {"enum"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "json-or-python": {"json_invalid", "json_type"},
    "list": {"list_type"},
    "literal": {"literal_error"},
    "model": {"model_type", "model_attributes_type", "missing", "extra_forbidden", "invalid_key"},
    "str": {"string_type", "string_unicode"},
    "tagged-union": {"union_tag_invalid", "union_tag_not_found"},
    "timedelta": {"time_delta_type", "time_delta_parsing"},
    "tuple": {"tuple_type"},
}
VALIDATORS = {"function-after", "function-before", "function-plain", "function-wrap"}
"""They raise `ValueError`s with our own messages or, for paths, `path_type`."""
WRAPPERS = {"any", "chain", "default", "definition-ref", "definitions", "lax-or-strict", "model-fields", "nullable"}
"""They raise only the errors of the schemas that they contain."""
NOT_READ = {"metadata", "serialization", "json_schema_input_schema", "return_schema"}
OWN_TYPES = {"dataclass", "is-instance", "union"}
"""For values of our own types (templates, expressions, paths), which earlier validators create."""


def models(above: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for below in above.__subclasses__():
        yield below
        yield from models(below)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    match schema:
        case {"type": str(kind)}:
            yield schema
            inner = [] if kind in OWN_TYPES else [value for key, value in schema.items() if key not in NOT_READ]
        case dict():  # keyed by field names, one of which may be `type`
            inner = list(schema.values())
        case list() | tuple():
            inner = list(schema)
        case _:
            inner = []
    for item in inner:
        yield from nodes(item)


def error_types(node: dict[str, Any]) -> set[str]:
    of_constraints = [types for name, types in CONSTRAINTS.items() if name in node]
    return set().union(KINDS.get(node["type"], set()), *of_constraints)


def test_every_error_that_our_models_can_raise_has_our_own_message() -> None:
    ours = [model for model in models() if model.__module__.startswith("badge.")]
    assert {Settings, Entry, ReportBody} <= set(ours)
    found = [node for model in ours for node in nodes(model.__pydantic_core_schema__)]
    fields = {"model-field", "no-info", "with-info"}  # parts of their parent nodes
    kinds = {node["type"] for node in found}
    assert kinds <= KINDS.keys() | VALIDATORS | WRAPPERS | OWN_TYPES | fields, "add this kind of field to the table"
    assert set().union(*map(error_types, found)) <= KNOWN_TYPES


def problems(model: type[BaseModel], **values: object) -> list[tuple[ErrorDetails, str]]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(values)
    return [(detail, problem_of(detail)) for detail in raised.value.errors()]


WRONG: list[tuple[type[BaseModel], str, object, str]] = [
    (Settings, "dashboard", "closed", "or off"),
    (Settings, "preload", "perhaps", "must be on or off"),
    (Settings, "workers", "many", "must be a whole number"),
    (Settings, "workers", 1.5, "must be a whole number"),
    (Settings, "workers", 0, "must be 1 or more"),
    (Settings, "workers", 65, "must be 64 or less"),
    (Settings, "label", "x" * 65, "must have at most 64 characters"),
    (Settings, "label", 1, "must be text"),
    (Settings, "data_dir", 1, "must be a path"),
    (Settings, "session_lifetime", [], "must be a number and a unit"),
    (Entry, "match", 1, "must be a table of keys and values"),
    (Entry, "values", 1, "must be a table of keys and values"),
    (Entry, "samples", 1, "must be a list"),
    (Entry, "auth", {"kind": "magic"}, "must have kind = none, header, bearer, basic, login, oauth2, urbackup or aws"),
    (ReportBody, "observedAt", 1, "must be a time with a zone"),
]


@pytest.mark.parametrize(("model", "name", "value", "words"), WRONG)
def test_messages_say_what_is_valid(model: type[BaseModel], name: str, value: object, words: str) -> None:
    (told,) = [(detail, problem) for detail, problem in problems(model, **{name: value}) if detail["loc"][0] == name]
    detail, problem = told
    assert words in problem
    assert detail["msg"] not in problem


def test_only_a_name_that_is_almost_the_same_is_suggested() -> None:
    assert did_you_mean("rule", ["rules", "times"]) == "; did you mean rules?"
    assert did_you_mean("timeouts", ["rules", "times"]) == ""
