"""Base class of the tables in sources.toml, and their faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from badge.sources.recipes.template import Template


class Table(BaseModel):
    """A table of the file. Unknown keys are refused, and no value gets into an error message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def faults_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the key of each fault, as written in the file, and what is wrong with it, without the given value."""
    for detail in error.errors():
        yield _key(detail["loc"]), _problem(detail)


def _key(location: Sequence[str | int]) -> str:
    """Return the key as in `rules[0].when`, without the names that pydantic adds for a union's members."""
    parts = [part for index, part in enumerate(location) if not (index == 1 and location[0] == "auth")]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _problem(detail: Mapping[str, Any]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "there is no such key"
        case "missing":
            return "is missing"
        case "string_pattern_mismatch":
            return "has characters that it can't have, or is too long"
        case _:
            problem = str(detail["msg"]).removeprefix("Value error, ")
            return problem[:1].lower() + problem[1:]


def templates_in(value: object) -> Iterator[str]:
    """Yield all texts in a table that may have placeholders."""
    match value:
        case Template():
            yield value.text
        case str():
            yield value
        case BaseModel():
            for name in type(value).model_fields:
                yield from templates_in(getattr(value, name))
        case dict():
            yield from (text for item in value.values() for text in templates_in(item))
        case list() | tuple():
            yield from (text for item in value for text in templates_in(item))
        case _:
            pass
