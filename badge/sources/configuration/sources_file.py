"""`sources.toml`: which source answers for which subjects. All faults are reported together.

The keys are documented in docs/reference/sources-toml.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from badge.model import InvalidSubject, Subject
from badge.settings import BadSettings, SettingFault
from badge.settings.documents import read_document
from badge.sources.configuration.cross_checks import KeyFault, location, matches, required, values
from badge.sources.configuration.entry import KEYS_OF_KINDS, Entry, Match
from badge.sources.recipes import presets
from badge.sources.recipes.presets import Preset
from badge.sources.recipes.recipe import RECIPE_KEYS, Recipe
from badge.sources.recipes.samples import merge
from badge.sources.recipes.table import faults_of
from badge.sources.subject_matcher import SubjectMatcher
from badge.subject_pattern import Pattern
from badge.validation import did_you_mean

MOST_SOURCES = 100


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """One source of the file, validated."""

    entry: Entry
    matcher: SubjectMatcher
    recipe: Recipe | None
    """None for the kinds catalogue and native."""
    identity: str
    """Changes whenever the rules for reading answers change."""


_Model = TypeVar("_Model", bound=BaseModel)


# Replaces keys that are invalid or missing, so that the others can still be checked.
_STAND_INS: Mapping[str, Any] = {
    "name": "unnamed",
    "kind": "catalogue",
    "rules": [{"when": "@", "status": "unknown"}],
    "state": "@",
    "map": {"": "unknown"},
}
_KEYS_OF_ANY_KIND = frozenset[str]().union(*KEYS_OF_KINDS.values())


def load(path: Path, environment: Mapping[str, str] | None = None) -> Sequence[ConfiguredSource]:
    """Return the sources in file order; raises `BadSettings` with every fault of the file."""
    reading = _Reading(path.name, os.environ if environment is None else environment)
    found = reading.sources(reading.tables(read_document(path, "BADGE_SOURCES")))
    if reading.faults:
        raise BadSettings(reading.faults)
    return found


class _Reading:
    """One pass over the file, collecting its faults."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self.file, self.environment = file, environment
        self.faults: list[SettingFault] = []

    def tables(self, document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        for key in document.keys() - {"source"}:
            self._fault(f"{key} is not a key of this file; write sources as [[source]] tables")
        tables = document.get("source")
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._fault("must have at least one [[source]] table")
            return []
        if len(tables) > MOST_SOURCES:
            self._fault(f"must have at most {MOST_SOURCES} sources")
        return cast("Sequence[Mapping[str, Any]]", tables)

    def _fault(self, problem: str) -> None:
        self.faults.append(SettingFault(self.file, problem))

    def sources(self, tables: Sequence[Mapping[str, Any]]) -> Sequence[ConfiguredSource]:
        found = []
        labels: set[str] = set()
        for number, table in enumerate(tables, 1):
            name = table.get("name")
            one = _OneSource(self, name if isinstance(name, str) else f"source {number}")
            if one.label in labels:
                one.fault("name", "is used by two sources; each needs a name of its own")
            labels.add(one.label)
            if (source := one.read(table)) is not None:
                found.append(source)
        return found


@dataclass(frozen=True, slots=True)
class _OneSource:
    reading: _Reading
    label: str
    faulty: set[str] = field(default_factory=set)
    """Invalid keys. Checks that depend on one are skipped, so that each fault is reported once."""

    def fault(self, key: str, problem: str) -> None:
        where = f"{self.reading.file}: {self.label}" + (f": {key}" if key else "")
        self.reading.faults.append(SettingFault(where, problem))

    def read(self, table: Mapping[str, Any]) -> ConfiguredSource | None:
        preset = self._preset(table)
        merged = self._merged(table, preset)
        kind = "" if "preset" in self.faulty else str(merged.get("kind", ""))
        allowed = KEYS_OF_KINDS.get(kind, _KEYS_OF_ANY_KIND)
        self._check_keys(table, kind, allowed)
        merged = {key: value for key, value in merged.items() if key in allowed}
        self._add_faults([*required(preset, merged), *location(kind, merged)])
        entry = self._read_as(Entry, {key: value for key, value in merged.items() if key in Entry.model_fields})
        if entry is None:
            return None
        matcher = self._matcher(entry)
        recipe, recipe_keys = None, {key: value for key, value in merged.items() if key in RECIPE_KEYS}
        if kind in ("http", "file"):
            recipe = self._read_as(Recipe, recipe_keys)
            self._add_faults(values(entry, merged, preset, self.faulty))
            if recipe is not None and not self.faulty & {*RECIPE_KEYS, "values"}:
                self._check_samples(entry, recipe_keys, preset)
        elif "preset" in self.faulty:
            # Without its preset the recipe is incomplete, but faults in the given keys can still be reported.
            self._read_as(Recipe, recipe_keys)
        identity = repr((sorted(recipe_keys.items()), entry.folds_case, entry.visibility))
        return ConfiguredSource(entry, matcher, recipe, identity)

    def _merged(self, table: Mapping[str, Any], preset: Preset | None) -> dict[str, Any]:
        """Return the source's keys merged with its preset's, or with stand-ins for an unknown preset."""
        if preset is not None:
            return merge(
                _source_of(preset), {key: value for key, value in table.items() if key not in ("preset", "kind")}
            )
        below = {key: _STAND_INS[key] for key in ("kind", "rules", "map")} if "preset" in self.faulty else {}
        return merge(below, {key: value for key, value in table.items() if key != "preset"})

    def _preset(self, table: Mapping[str, Any]) -> Preset | None:
        name = table.get("preset")
        if name is None:
            return None
        if table.get("kind") is not None:
            self.fault("kind", "remove it; the preset sets the kind")
        if name not in presets.names():
            hint = did_you_mean(str(name), presets.names()) or f"; use one of {', '.join(presets.names())}"
            self.fault("preset", f"there is no such preset{hint}")
            self.faulty.add("preset")
            return None
        return presets.preset(str(name))

    def _read_as(self, model: type[_Model], values: Mapping[str, Any]) -> _Model | None:
        """Validate a table; report its faults and try again without the invalid keys. None if that doesn't help."""
        try:
            return model.model_validate(values, context={"environment": self.reading.environment})
        except ValidationError as error:
            self._add_faults(faults_of(error))
            faulty = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]} - self.faulty
        if not faulty:
            return None
        self.faulty.update(faulty)
        rest = {key: value for key, value in values.items() if key not in faulty}
        return self._read_as(model, {**rest, **{key: _STAND_INS[key] for key in faulty & _STAND_INS.keys()}})

    def _add_faults(self, found: Iterable[KeyFault]) -> None:
        for key, problem in found:
            self.fault(key, problem)

    def _check_keys(self, table: Mapping[str, Any], kind: str, allowed: frozenset[str]) -> None:
        preset = f'preset = "{table["preset"]}", which has ' if "preset" in table else ""
        for key in sorted(table.keys() - allowed):
            if key in _KEYS_OF_ANY_KIND:
                self.fault(key, f'can\'t be used with {preset}kind = "{kind}"')
            else:
                self.fault(key, "there is no such key" + did_you_mean(key, allowed))

    def _matcher(self, entry: Entry) -> SubjectMatcher:
        paths: dict[tuple[str, str, str, str], str] = {}
        for path in entry.subjects:
            try:
                key = Subject.from_path(path).key(fold_case=True)
            except InvalidSubject as invalid:
                self.fault(f'subjects."{path}"', str(invalid))
                continue
            if key in paths:
                self.fault(f'subjects."{path}"', f'is the same subject as "{paths[key]}"; remove one')
            paths[key] = path
        subjects = {key: entry.subjects[path] for key, path in paths.items()}
        match = entry.match if entry.match is not None or entry.subjects else Match()
        if match is None:
            return SubjectMatcher(None, subjects, entry.values)
        self._add_faults(matches(match))
        return SubjectMatcher(
            Pattern({part: match.any_of(part) for part in Match.model_fields}), subjects, entry.values
        )

    def _check_samples(self, entry: Entry, recipe: Mapping[str, Any], preset: Preset | None) -> None:
        """Check that the source's samples yield the expected reports.

        Also check that no expression of the source fails on the preset's samples.
        """
        for sample in preset.samples if preset else []:
            found = sample.read_by(recipe, entry.values)
            if found.get("fails") == "badExpression" and "fails" not in sample.expect:
                self.fault("", f'fails on the preset\'s sample "{sample.name}": {found["because"]}')
        for own in entry.samples:
            try:
                found = own.read_by(recipe, entry.values)
            except ValidationError as error:
                self._add_faults(faults_of(error))
                continue
            for difference in own.differences(found):
                self.fault(f'samples "{own.name}"', difference)


def _source_of(preset: Preset) -> dict[str, Any]:
    """Return the keys that a source inherits from its preset."""
    auth = {"auth": preset.auth} if preset.auth else {}
    return {"kind": preset.kind, "values": preset.values, **auth, **preset.recipe}
