"""The presets: recipes for known systems, each a file with sample answers and what they have to give."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import Field

from badge.sources.recipes.recipe import RECIPE_KEYS
from badge.sources.recipes.samples import Sample, merge
from badge.sources.recipes.table import Table

_FOLDER = resources.files("badge.sources.recipes") / "presets"


class PresetSample(Sample):
    """A sample of ours, which may also say what a monitor gets."""

    expect_succeeded: Literal[200, 503] | None = None
    """The HTTP status of `.json?expect=succeeded`; the tests look at it."""


class Preset(Table):
    """A preset's own keys; the others are a recipe's."""

    description: str
    kind: str
    requires: dict[str, str] = Field(default_factory=dict)
    """Keys that every source has to give itself, and why."""
    parameters: dict[str, str] = Field(default_factory=dict)
    """Names of the values that a source has to give, and what they are."""
    values: dict[str, str] = Field(default_factory=dict)
    auth: dict[str, Any] = Field(default_factory=dict)
    samples: list[PresetSample] = Field(min_length=1)
    recipe: dict[str, Any]


@cache
def names() -> tuple[str, ...]:
    """All presets, by the names of their files."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml")))


@cache
def preset(name: str) -> Preset:
    """The preset of that name, which has to be one of `names()`, upon the one that it extends."""
    own = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    base = own.pop("extends", None)
    own["recipe"] = {key: own.pop(key) for key in RECIPE_KEYS & own.keys()}
    merged = own if base is None else merge(preset(base).model_dump(by_alias=True, exclude={"samples"}), own)
    return Preset.model_validate(merged)
