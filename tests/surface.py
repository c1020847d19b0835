"""What docs/reference/stability.md promises, as data: routes, parameters, fields, metrics, settings and commands.

`make surface` writes it to tests/contracts/surface.json, with which a test compares it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from badge.app import create_app
from badge.cli import badge
from badge.settings import load
from badge.settings.names import FORMER_VARIABLES, known_variables, variable_for
from badge.settings.table import Settings
from badge.sources.configuration.entry import Entry
from badge.sources.recipes.presets import names as preset_names
from badge.sources.recipes.recipe import Recipe
from badge.telemetry.metrics import METRICS
from badge.telemetry.subject_metrics import SUBJECT_METRICS
from badge.watching.notify_file import AppriseTable, DeliveryTable, RuleTable, WatchTable, WebhookTable
from badge.web.health import OPENAPI_FILE

RECORDED = Path(__file__).parent / "contracts" / "surface.json"

METHODS = ("GET", "POST")
DEEPEST = 6

Surface = dict[str, list[str]]
"""For each kind of interface, a sorted list of lines.

A change that breaks clients removes a line, or adds one that ends in "(required)".
"""


def surface() -> Surface:
    """Return what this version offers."""
    lines = {
        "routes": _routes(),
        "query parameters": _parameters(),
        "requests": _request_fields(),
        "responses": _response_fields(),
        "metrics": (f"{metric.name} {' '.join(metric.labels)}".strip() for metric in (*METRICS, *SUBJECT_METRICS)),
        "settings": _settings(),
        "sources.toml": _source_keys(),
        "notify.toml": _notify_keys(),
        "commands": _commands(badge, "badge"),
    }
    return {kind: sorted(set(found)) for kind, found in lines.items()}


def recorded() -> Surface:
    """Return what was offered when it was last recorded."""
    found: Surface = json.loads(RECORDED.read_text())
    return found


def _routes() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        rules = create_app(load({"BADGE_DATA_DIR": folder})).url_map.iter_rules()
    for rule in rules:
        path = re.sub("<.+?>", "*", rule.rule)
        yield from (f"{method} {path}" for method in METHODS if method in (rule.methods or ()))


@cache
def _openapi() -> dict[str, Any]:
    description: dict[str, Any] = yaml.safe_load(OPENAPI_FILE.read_text())
    return description


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in _openapi()["paths"].items():
        for method in METHODS:
            if method.lower() in methods:
                yield method, path, methods[method.lower()]


def _resolved(node: dict[str, Any], document: dict[str, Any] | None = None) -> dict[str, Any]:
    """Follow a reference such as `#/components/schemas/Badge` within a document, by default the description."""
    while "$ref" in node:
        found = document or _openapi()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _parameters() -> Iterator[str]:
    for method, path, operation in _operations():
        for parameter in map(_resolved, operation.get("parameters", [])):
            if parameter["in"] != "path":
                required = " (required)" if parameter.get("required") else ""
                yield f"{method} {path} {parameter['name']}{required}"
                yield from (f"{parameter['name']}={value}" for value in _values(_resolved(parameter["schema"])))


def _values(schema: dict[str, Any]) -> list[str]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [str(value) for value in values if value is not None]


def _request_fields() -> Iterator[str]:
    for method, path, operation in _operations():
        for kind, content in _resolved(operation.get("requestBody", {})).get("content", {}).items():
            yield from _fields(content["schema"], f"{method} {path} {kind}", are_requirements_shown=True)


def _response_fields() -> Iterator[str]:
    for method, path, operation in _operations():
        for code, response in operation["responses"].items():
            prefix = f"{method} {path} {code}"
            yield prefix
            for kind, content in _resolved(response).get("content", {}).items():
                yield from _fields(content.get("schema", {}), f"{prefix} {kind}", are_requirements_shown=False)


def _fields(
    schema: dict[str, Any],
    prefix: str,
    *,
    are_requirements_shown: bool,
    depth: int = 0,
    document: dict[str, Any] | None = None,
) -> Iterator[str]:
    """Yield the prefix, then each field with its path, then each value of a closed list."""
    schema = _resolved(schema, document)
    yield prefix
    if depth > DEEPEST:  # a schema that contains itself
        return
    more: Any = {"are_requirements_shown": are_requirements_shown, "document": document}
    yield from (f"{prefix} = {value}" for value in _values(schema))
    required = schema.get("required", []) if are_requirements_shown else []
    for name, field in schema.get("properties", {}).items():
        at = f"{prefix} .{name}" if depth == 0 else f"{prefix}.{name}"
        yield from (f"{at} (required)" for _ in range(name in required))
        yield from _fields(field, at, depth=depth + 1, **more)
    if "items" in schema:
        yield from _fields(schema["items"], f"{prefix}[]", depth=depth + 1, **more)
    for choice in (*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])):
        yield from _fields(choice, prefix, depth=depth, **more)


class _Quiet(GenerateJsonSchema):
    """Suppresses warnings about defaults that can't be written as JSON; defaults are not recorded anyway."""

    ignored_warning_kinds: Any = frozenset({"non-serializable-default", "skipped-choice"})


def _source_keys() -> Iterator[str]:
    for model in (Entry, Recipe):
        schema = model.model_json_schema(schema_generator=_Quiet)
        yield from _fields(schema, "source", are_requirements_shown=True, document=schema)
    yield from (f"preset = {name}" for name in preset_names())


def _notify_keys() -> Iterator[str]:
    tables: list[tuple[str, type[BaseModel]]] = [
        ("channel", WebhookTable),
        ("channel", AppriseTable),
        ("rule", RuleTable),
        ("watch", WatchTable),
        ("delivery", DeliveryTable),
    ]
    for name, model in tables:
        schema = model.model_json_schema(schema_generator=_Quiet)
        yield from _fields(schema, name, are_requirements_shown=False, document=schema)


def _settings() -> Iterator[str]:
    yield from known_variables()
    yield from (f"{former.name} means {variable_for(name)}" for name, former in FORMER_VARIABLES.items())
    for name, setting in Settings.model_fields.items():
        yield from (f"{variable_for(name)}={value}" for value in _choices(setting.annotation))


def _choices(annotation: Any) -> list[str]:
    """Return the values of a `Literal`, also inside a union or `Annotated`."""
    inner = getattr(annotation, "__args__", ())
    return [str(one) for one in inner if isinstance(one, str)] + [value for one in inner for value in _choices(one)]


def _commands(command: click.Command, name: str) -> Iterator[str]:
    yield name
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield f"{name} {parameter.human_readable_name}{'' if parameter.required else ' (optional)'}"
        else:
            required = " (required)" if parameter.required else ""
            yield from (f"{name} {option}{required}" for option in (*parameter.opts, *parameter.secondary_opts))
        if isinstance(parameter.type, click.Choice):
            option = next((one for one in parameter.opts if one.startswith("--")), parameter.human_readable_name)
            yield from (f"{name} {option} {value}" for value in parameter.type.choices if isinstance(value, str))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _commands(child, f"{name} {child.name}")
        yield from (f"{name} {former} means {new}" for former, new in getattr(command, "old_names", {}).items())


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n")
