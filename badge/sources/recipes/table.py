"""Tables of sources.toml: what they have in common, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from badge.sources.recipes.template import Template
from badge.validation import problem_of


class Table(BaseModel):
    """A table of the file: unknown keys are refused, and no value gets into a complaint."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def faults_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Each fault's key, as the file would spell it, and what is wrong; nothing of what was given."""
    for detail in error.errors():
        yield _key(detail["loc"]), problem_of(detail)


def _key(location: Sequence[str | int]) -> str:
    """`rules[0].when`; the names that pydantic gives to a union's members are left out."""
    parts = [part for index, part in enumerate(location) if not (index == 1 and location[0] == "auth")]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def templates_in(value: object) -> Iterator[str]:
    """All texts with places in a table."""
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
