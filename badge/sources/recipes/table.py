"""Base class of the tables in sources.toml, notify.toml and presets, and their faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from badge.sources.recipes.template import Template
from badge.validation import problem_of


class Table(BaseModel):
    """A table of sources.toml, notify.toml or a preset. Rejects unknown keys; error messages contain no secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def faults_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the key of each fault, as written in the file, and a message that contains no secret."""
    for detail in error.errors():
        yield _key(detail["loc"]), problem_of(detail)


def _key(location: Sequence[str | int]) -> str:
    """Return the key as in `rules[0].when`, without the names that pydantic adds for a union's members."""
    parts = [part for index, part in enumerate(location) if not (index == 1 and location[0] == "auth")]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def templates_in(value: object) -> Iterator[str]:
    """Yield all strings in a table that may have placeholders."""
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
