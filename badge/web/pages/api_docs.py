"""The API's documentation: badge/web/openapi.yaml as a page without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Response

from badge.web.health import OPENAPI_FILE
from badge.web.page import show

_METHODS = ("get", "post")
_PLACES = {"path": "in the path", "query": "in the query", "header": "a header"}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON value or plain text: its type in words, and what it consists of."""

    words: str
    link: str = ""
    """The name of the schema that describes it, if the page has one."""
    note: str = ""
    fields: Sequence[ShapeField] = ()
    parts: Sequence[Shape] = ()
    """The alternatives of a `oneOf`, the parts of an `allOf`, or the items of a list."""


@dataclass(frozen=True, slots=True)
class ShapeField:
    """A field of an object."""

    name: str
    shape: Shape
    is_required: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    is_required: bool
    shape: Shape
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of an operation."""

    status: str
    note: str
    headers: Sequence[tuple[str, str]]
    """Names and descriptions."""
    contents: Sequence[tuple[str, Shape]]
    """Media types, each with what it contains."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path."""

    method: str
    path: str
    anchor: str
    summary: str
    note: str
    key: str
    """The API key or token that the operation needs, in words; empty if it is open to everyone."""
    parameters: Sequence[Parameter]
    body: Shape | None
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class OperationGroup:
    """The operations with one tag."""

    name: str
    note: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Description:
    """An OpenAPI document as the page shows it."""

    groups: Sequence[OperationGroup]
    schemas: Sequence[tuple[str, Shape]]


def api_docs() -> Response:
    """Show the API documentation."""
    return show("docs.html", api=_own_description())


@cache
def _own_description() -> Description:
    import yaml  # noqa: PLC0415 - few workers ever show this page

    return description_of(yaml.safe_load(OPENAPI_FILE.read_text(encoding="utf-8")))


def description_of(document: Document) -> Description:
    """Return what the page shows of an OpenAPI document."""
    reader = _Reader(document)
    operations = [*reader.operations()]
    groups = [
        OperationGroup(
            tag["name"],
            tag.get("description", ""),
            [operation for name, operation in operations if name == tag["name"]],
        )
        for tag in document["tags"]
    ]
    schemas = document["components"]["schemas"]
    return Description(groups, [(name, reader.shape(schema)) for name, schema in schemas.items()])


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document

    def operations(self) -> Iterator[tuple[str, Operation]]:
        """Yield each operation with its tag."""
        for path, item in self.document["paths"].items():
            for method in _METHODS:
                if method in item:
                    yield item[method]["tags"][0], self._operation(method, path, item)

    def _operation(self, method: str, path: str, item: Document) -> Operation:
        operation = item[method]
        body = operation.get("requestBody")
        return Operation(
            method=method.upper(),
            path=path,
            anchor=re.sub(r"[^a-z]+", "-", f"{method}{path}".lower()).strip("-"),
            summary=operation["summary"],
            note=operation.get("description") or item.get("description", ""),
            key=_key_in_words(operation.get("security", ())),
            parameters=[
                self._parameter(one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))
            ],
            body=self.shape(body["content"]["application/json"]["schema"]) if body else None,
            answers=[self._answer(str(status), one) for status, one in operation["responses"].items()],
        )

    def _parameter(self, given: Document) -> Parameter:
        parameter = self._resolved(given)
        # Most parameters refer to a string with limits; describing it here takes less room than a link.
        shape = self.shape(self._resolved(parameter["schema"]))
        note = parameter.get("description", "") or shape.note
        return Parameter(parameter["name"], _PLACES[parameter["in"]], parameter.get("required", False), shape, note)

    def _answer(self, status: str, given: Document) -> Answer:
        answer = self._resolved(given)
        return Answer(
            status="otherwise" if status == "default" else status,
            note=answer["description"],
            headers=[(name, one.get("description", "")) for name, one in answer.get("headers", {}).items()],
            contents=[(kind, self.shape(one["schema"])) for kind, one in answer.get("content", {}).items()],
        )

    def shape(self, schema: Document) -> Shape:
        """Return a schema in words."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return Shape(name, link=name)
        note, required = schema.get("description", ""), schema.get("required", ())
        for key, words in (("oneOf", "one of these"), ("allOf", "all of these")):
            if key in schema:
                return Shape(words, note=note, parts=[self.shape(part) for part in schema[key]])
        fields = [
            ShapeField(name, self.shape(field), is_required=name in required)
            for name, field in schema.get("properties", {}).items()
        ]
        parts = [self.shape(schema["items"])] if "items" in schema else []
        return Shape(", ".join(_type_in_words(schema)), note=note, fields=fields, parts=parts)

    def _resolved(self, given: Document) -> Document:
        found: Any = given
        while "$ref" in found:
            path = found["$ref"].removeprefix("#/").split("/")
            found = self.document
            for name in path:
                found = found[name]
        return found  # type: ignore[no-any-return] # a part of the document


def _key_in_words(security: Sequence[Document]) -> str:
    names = {"apiKey": "an API key in X-API-Key", "bearer": "a bearer token"}
    words = [names[name] for one in security for name in one]
    if not words:
        return ""
    return f"{' or '.join(words)}{', except as described above' if {} in security else ''}"


def _type_in_words(schema: Document) -> Iterator[str]:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "const" in schema:
        yield f"always {schema['const']}"
    elif "enum" in schema:
        yield " or ".join("null" if value is None else str(value) for value in schema["enum"])
    else:
        names = {"array": "list", "null": "null"}
        yield " or ".join(names.get(kind, kind) for kind in kinds) or "any value"
    for key, words in _LIMITS.items():
        if key in schema:
            yield words.format(schema[key])
    if examples := schema.get("examples"):
        yield f"such as {' or '.join(map(str, examples))}"


_LIMITS = {
    "format": "{}",
    "pattern": "matching {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "up to {} characters",
    "maxItems": "up to {} items",
    "default": "default {}",
}
