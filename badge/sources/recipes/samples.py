"""Sample answers of a system with the expected report: the tests that come with a preset or a source."""

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
        raise ValueError("is not valid JSON") from None
    return text


def _subject(path: str) -> str:
    Subject.from_path(path)
    return path


Json = Annotated[str, AfterValidator(_json)]


class Sample(Table):
    """One answer in the form that the system sends, and the expected report."""

    name: str
    body: Json
    """The answer, JSON as text."""
    then: Json | None = None
    """The answer to the follow-up request, if the recipe has one."""
    subject: Annotated[str, AfterValidator(_subject)] = SUBJECT
    values: dict[str, str] = Field(default_factory=dict)
    at: AwareDatetime = TIME
    expect: dict[str, Any]
    """`fails` with the kind of failure; or `exists`, `unknownWord` and the native contract's fields ("" for null)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Recipe keys that are overridden for this sample."""

    def read_by(self, recipe: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
        """Read the sample according to a recipe; returns all fields of the result, named as in `expect`."""
        try:
            reading = self.reading(recipe, values)
        except SourceUnavailable as unavailable:
            # If there is a `__cause__`, it is a failed expression, whose message helps to correct the recipe.
            return {"fails": unavailable.kind, "because": str(unavailable.__cause__ or "")}
        except NothingToAsk:
            return {"fails": "nothingToAsk"}
        document = status_document(Subject.from_path(self.subject), reading.report)
        return {**document, "exists": reading.report.exists, "unknownWord": reading.has_unknown_status}

    def reading(self, recipe: Mapping[str, Any], values: Mapping[str, str]) -> Reading:
        """Read the sample as a source would; raises `SourceUnavailable` and `NothingToAsk`."""
        subject = Subject.from_path(self.subject)
        used = Recipe.model_validate(merge(recipe, self.options))
        # Values that are set per subject are not known here, so each placeholder's name serves as its value.
        placeholders = {name: name for text in templates_in(used) for name in Template(text).placeholders}
        names = names_of(subject, {**placeholders, **values, **self.values})
        then = None if self.then is None else parse_json(self.then.encode())
        return Reader(used).read(parse_json(self.body.encode()), names, self.at, then)

    def differences(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield each difference between the result and what is expected, as text."""
        for key in dict.fromkeys([*self.expect, *({"fails"} & found.keys())]):
            actual, expected = found.get(key), self.expect.get(key) or None
            if (actual or None) != expected:
                yield f"{key} is {actual!r}, expected {expected!r}"


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables key by key; other values are replaced, and so are tables of a different `kind`."""
    merged = dict(base)
    for key, value in override.items():
        inherited = merged.get(key)
        are_tables = isinstance(inherited, dict) and isinstance(value, dict)
        merged[key] = _merged_tables(cast("Any", inherited), value) if are_tables else value
    return merged


def _merged_tables(base: Mapping[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    is_of_same_kind = override.get("kind", base.get("kind")) == base.get("kind")
    return merge(base, override) if is_of_same_kind else override
