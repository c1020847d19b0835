"""Sample answers of a system, and what a recipe has to make of them: a preset's tests, carried along with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, AwareDatetime, Field

from badge.contract import ContractBroken, parse_json, status_document
from badge.model import Subject
from badge.ports import SourceUnavailable
from badge.sources.recipes.reading import Reader, Reading
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.table import Table, templates_in
from badge.sources.recipes.template import NothingToAsk, Template, names_of

SUBJECT = "GitHub/acme/Repository/web"
TIME = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _json(text: str) -> str:
    try:
        parse_json(text.encode("utf-8", "replace"))
    except ContractBroken:
        raise ValueError("is not JSON") from None
    return text


def _subject(path: str) -> str:
    Subject.from_path(path)
    return path


Json = Annotated[str, AfterValidator(_json)]


class Sample(Table):
    """One answer in the shape that the system sends, and what it has to be read as."""

    name: str
    body: Json
    """The answer's JSON as text."""
    then: Json | None = None
    """The second answer's, where the recipe asks twice."""
    subject: Annotated[str, AfterValidator(_subject)] = SUBJECT
    values: dict[str, str] = Field(default_factory=dict)
    at: AwareDatetime = TIME
    expect: dict[str, Any]
    """Fields of the native contract's BackupStatus ("" for null), `exists`, `unknownWord`; or `fails`, the failure."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keys of the recipe with which this sample is read."""

    def read_by(self, recipe: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
        """What a recipe makes of it, in the words of `expect`."""
        try:
            reading = self.reading(recipe, values)
        except SourceUnavailable as unavailable:
            return {"fails": unavailable.kind, "because": str(unavailable.__cause__ or "")}
        except NothingToAsk:
            return {"fails": "nothingToAsk"}
        document = status_document(Subject.from_path(self.subject), reading.report)
        return {**document, "exists": reading.report.exists, "unknownWord": reading.unknown_word}

    def reading(self, recipe: Mapping[str, Any], values: Mapping[str, str]) -> Reading:
        """The same as a source would have it; raises `SourceUnavailable` and `NothingToAsk`."""
        subject = Subject.from_path(self.subject)
        used = Recipe.model_validate(merge(recipe, self.options))
        # A value that differs by subject stands for its own name here.
        places = {place: place for text in templates_in(used) for place in Template(text).places}
        names = names_of(subject, {**places, **values, **self.values})
        then = None if self.then is None else parse_json(self.then.encode())
        return Reader(used).read(parse_json(self.body.encode()), names, self.at, then)

    def misread(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Each difference between what was found and what is expected, as a sentence."""
        for key in dict.fromkeys([*self.expect, *({"fails"} & found.keys())]):
            is_found, is_expected = found.get(key), self.expect.get(key) or None
            if (is_found or None) != is_expected:
                yield f"{key} is {is_found!r}, expected {is_expected!r}"


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables key by key, everything else as a whole; a table of another `kind` replaces the one below."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        are_tables = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = _merged_tables(cast("Any", under), value) if are_tables else value
    return merged


def _merged_tables(below: Mapping[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    is_of_same_kind = above.get("kind", below.get("kind")) == below.get("kind")
    return merge(below, above) if is_of_same_kind else above
