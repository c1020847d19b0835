"""`sources.toml`: which source answers which subjects. Read once, as a whole, with every fault told at once.

What the keys mean: docs/sources.md.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from badge.model import InvalidSubject, Subject
from badge.settings import BadSettings, SettingFault
from badge.sources import presets
from badge.sources.claim import Claim, Pattern
from badge.sources.entry import KEYS_OF_KINDS, Entry, Match
from badge.sources.presets import Preset
from badge.sources.recipe import RECIPE_KEYS, Recipe
from badge.sources.samples import merge
from badge.sources.table import faults_of, templates_in
from badge.sources.template import SUBJECT_NAMES, Template

MOST_SOURCES = 100


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """One source, understood."""

    entry: Entry
    claim: Claim
    recipe: Recipe | None
    """None for kinds that have no answer to read: catalogue and native."""
    identity: str
    """Changes whenever anything that decides how answers are read does."""


class BadSources(BadSettings):
    """All faults of the file at once."""


_Model = TypeVar("_Model", bound=BaseModel)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Sequence[ConfiguredSource]:
    """The sources in the file, in its order; raises `BadSources` with every fault in it."""
    reading = _Reading(path.name, os.environ if environment is None else environment)
    found = reading.sources(_tables(path))
    if reading.faults:
        raise BadSources(reading.faults)
    return found


def _tables(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise BadSources([SettingFault("BADGE_SOURCES", f"{path} can't be read: {reason}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise BadSources([SettingFault(path.name, f"is not TOML: {error}")]) from None
    tables = document.pop("source", None)
    faults = [
        SettingFault(path.name, f"{key} is no key of the file; sources are [[source]] tables") for key in document
    ]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        faults.append(SettingFault(path.name, "has no [[source]]"))
    elif len(tables) > MOST_SOURCES:
        faults.append(SettingFault(path.name, f"has more than {MOST_SOURCES} sources"))
    if faults:
        raise BadSources(faults)
    return cast("Sequence[Mapping[str, Any]]", tables)


class _Reading:
    """One pass over the file, collecting what is wrong."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self.file, self.environment = file, environment
        self.faults: list[SettingFault] = []

    def sources(self, tables: Sequence[Mapping[str, Any]]) -> Sequence[ConfiguredSource]:
        found = []
        labels: set[str] = set()
        for number, table in enumerate(tables, 1):
            name = table.get("name")
            one = _OneSource(self, name if isinstance(name, str) else f"source {number}")
            if one.label in labels:
                one.fault("name", "is given to two sources")
            labels.add(one.label)
            if (source := one.read(table)) is not None:
                found.append(source)
        return found


@dataclass(frozen=True, slots=True)
class _OneSource:
    reading: _Reading
    label: str

    def fault(self, key: str, problem: str) -> None:
        where = f"{self.reading.file}: {self.label}" + (f": {key}" if key else "")
        self.reading.faults.append(SettingFault(where, problem))

    def read(self, table: Mapping[str, Any]) -> ConfiguredSource | None:
        preset = self._preset(table)
        if "preset" in table and preset is None:
            return None
        below = {} if preset is None else _source_of(preset)
        merged = merge(below, {key: value for key, value in table.items() if key != "preset"})
        self._check_keys(table, str(merged.get("kind", "")))
        recipe_keys = {key: value for key, value in merged.items() if key in RECIPE_KEYS}
        self._check_required(preset, merged)
        entry = self._validated(Entry, {key: value for key, value in merged.items() if key not in RECIPE_KEYS})
        has_recipe = merged.get("kind") in ("http", "file")
        recipe = self._validated(Recipe, recipe_keys) if has_recipe else None
        if entry is None or (has_recipe and recipe is None):
            return None
        self._check_place(entry)
        claim = self._claim(entry)
        if recipe is not None:
            self._check_values(entry, recipe, preset)
            self._check_samples(entry, recipe_keys, preset)
        identity = repr((sorted(recipe_keys.items()), entry.folds_case, entry.visibility))
        return ConfiguredSource(entry, claim, recipe, identity)

    def _preset(self, table: Mapping[str, Any]) -> Preset | None:
        name = table.get("preset")
        if name is None:
            return None
        if name not in presets.names():
            near = difflib.get_close_matches(str(name), presets.names(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(presets.names())}"
            self.fault("preset", f"there is no such preset; {hint}")
            return None
        if table.get("kind") is not None:
            self.fault("kind", "is given by the preset")
        return presets.preset(str(name))

    def _validated(self, model: type[_Model], values: Mapping[str, Any]) -> _Model | None:
        try:
            return model.model_validate(values, context={"environment": self.reading.environment})
        except ValidationError as error:
            for key, problem in faults_of(error):
                self.fault(key, problem)
            return None

    def _check_keys(self, table: Mapping[str, Any], kind: str) -> None:
        allowed = KEYS_OF_KINDS.get(kind, frozenset(table))
        for key in sorted(table.keys() - allowed):
            near = difflib.get_close_matches(key, sorted(allowed), n=1)
            self.fault(key, f"is no key of a source of kind {kind}" + (f"; did you mean {near[0]}?" if near else ""))

    def _check_required(self, preset: Preset | None, merged: Mapping[str, Any]) -> None:
        for key, reason in (preset.requires if preset else {}).items():
            if not _has(merged, key):
                self.fault(key, f"has to be given: {reason}")

    def _check_place(self, entry: Entry) -> None:
        if entry.kind in ("http", "native") and entry.url is None:
            self.fault("url", "is missing: the system's address")
        if entry.kind == "file" and (entry.file is None) == (entry.folder is None):
            self.fault("file", "give file or folder, one of them")

    def _claim(self, entry: Entry) -> Claim:
        subjects = {}
        for path, values in entry.subjects.items():
            try:
                subjects[Subject.from_path(path).key(fold_case=True)] = values
            except InvalidSubject as invalid:
                self.fault(f'subjects."{path}"', str(invalid))
        match = entry.match if entry.match is not None or entry.subjects else Match()
        pattern = None
        if match is not None:
            pattern = Pattern({part: match.any_of(part) for part in Match.model_fields})
        return Claim(pattern, subjects, entry.values)

    def _check_values(self, entry: Entry, recipe: Recipe, preset: Preset | None) -> None:
        """Every place is filled for every subject, and every value has a place."""
        texts = [*templates_in(recipe), *([entry.file_name.text] if entry.folder else [])]
        asked = {place for text in texts for place in Template(text).places}
        self._check_told_apart(entry, asked)
        places = asked - {*SUBJECT_NAMES, *(recipe.then.values if recipe.then else {})}
        rows = list(entry.subjects.values())
        for place in sorted(places - entry.values.keys()):
            if entry.match is not None or not rows or any(place not in row for row in rows):
                told = (preset.parameters if preset else {}).get(place, "there is no such name")
                self.fault(f"values.{place}", f"is missing: {told}")
        inherited = preset.values.keys() if preset else set()
        given = (entry.values.keys() - inherited) | {name for row in rows for name in row}
        for value in sorted(given - places):
            self.fault(f"values.{value}", "is used nowhere")

    def _check_told_apart(self, entry: Entry, asked: set[str]) -> None:
        """One answer must not stand for several subjects: what is not asked for has to be pinned."""
        if entry.match is None and entry.subjects:
            return
        match = entry.match or Match()
        for place, part in zip(SUBJECT_NAMES, Match.model_fields, strict=True):
            if place not in asked and any(set("*?[") & set(pattern) for pattern in match.any_of(part)):
                self.fault(f"match.{part}", f"has to be given without *: nothing asks for {{{place}}}")

    def _check_samples(self, entry: Entry, recipe: Mapping[str, Any], preset: Preset | None) -> None:
        """Own samples have to come out as expected; in the preset's, no expression may fail that did not before."""
        for sample in preset.samples if preset else []:
            found = sample.read_by(recipe, entry.values)
            if found.get("fails") == "badExpression" and "fails" not in sample.expect:
                self.fault("", f'fails on the preset\'s sample "{sample.name}": {found["because"]}')
        for sample in entry.samples:
            if self._validated(Recipe, merge(recipe, sample.options)) is not None:
                for difference in sample.misread(sample.read_by(recipe, entry.values)):
                    self.fault(f'samples "{sample.name}"', difference)


def _source_of(preset: Preset) -> dict[str, Any]:
    """What a preset says of a source that uses it."""
    auth = {"auth": preset.auth} if preset.auth else {}
    return {"kind": preset.kind, "values": preset.values, **auth, **preset.recipe}


def _has(table: Mapping[str, Any], dotted: str) -> bool:
    value: Any = table
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
