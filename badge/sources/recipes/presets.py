"""Presets: recipes for known systems, each in a file with sample answers and their expected reports."""

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
    """A preset's sample, optionally with the HTTP status that a monitor gets."""

    expect_succeeded: Literal[200, 503] | None = None
    """The HTTP status of `.json?expect=succeeded`; used by the tests."""


class Preset(Table):
    """A preset: its own keys, and its recipe."""

    description: str
    kind: str
    requires: dict[str, str] = Field(default_factory=dict)
    """Keys that each source with this preset has to set, with the reason for each."""
    parameters: dict[str, str] = Field(default_factory=dict)
    """Descriptions of the values that a source has to provide."""
    values: dict[str, str] = Field(default_factory=dict)
    auth: dict[str, Any] = Field(default_factory=dict)
    samples: list[PresetSample] = Field(min_length=1)
    recipe: dict[str, Any]


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml")))


@cache
def preset(name: str) -> Preset:
    """Return a preset, merged with the one that it extends; `name` has to be one of `names()`."""
    own = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    base = own.pop("extends", None)
    own["recipe"] = {key: own.pop(key) for key in RECIPE_KEYS & own.keys()}
    merged = own if base is None else merge(preset(base).model_dump(by_alias=True, exclude={"samples"}), own)
    return Preset.model_validate(merged)
