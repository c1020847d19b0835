"""Checks across the keys of a source, each of which may be valid on its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from badge.contract import SUBJECT_FIELDS
from badge.model import InvalidSubject, Subject
from badge.sources.configuration.entry import Entry, Match
from badge.sources.recipes.presets import Preset
from badge.sources.recipes.template import Template, texts_in
from badge.subject_pattern import has_wildcard

KeyFault = tuple[str, str]
"""A key, and what is wrong with it."""


def required(preset: Preset | None, source: Mapping[str, Any]) -> Iterator[KeyFault]:
    """Yield the keys that the preset requires and the source lacks."""
    for key, reason in (preset.requires if preset else {}).items():
        if not _has(source, key):
            yield key, f"is required: {reason}"


def location(kind: str, source: Mapping[str, Any]) -> Iterator[KeyFault]:
    """Yield a fault unless the source has exactly one URL, file or folder, as its kind requires."""
    if kind in ("http", "native") and "url" not in source:
        yield "url", "is missing; give the system's address"
    # Equal if the source has both, or neither.
    if kind == "file" and ("file" in source) == ("folder" in source):
        yield "file", "use either file or folder"


def matches(match: Match) -> Iterator[KeyFault]:
    """Yield patterns that can never match: those that have no wildcard and are not a valid part of a subject."""
    anything = dict.fromkeys(Match.model_fields, "x")
    for part in Match.model_fields:
        for pattern in match.any_of(part):
            try:
                Subject.parse(**anything | {part: "x" if has_wildcard(pattern) else pattern})
            except InvalidSubject as invalid:
                yield f"match.{part}", str(invalid)


def values(
    entry: Entry, source: Mapping[str, Any], preset: Preset | None, faulty: Collection[str]
) -> Iterator[KeyFault]:
    """Yield placeholders that lack a value for some subject, and values without a placeholder."""
    used = _placeholders_in(source, entry)
    placeholders = used - {*SUBJECT_FIELDS, *_table(_table(source.get("then")).get("values"))}
    rows = list(entry.subjects.values())
    # If one of these keys is invalid, its fault is reported already, and the entry lacks its values.
    if not {"match", "subjects", "values"} & set(faulty):
        yield from _ambiguous(entry, used)
        for name in sorted(placeholders - entry.values.keys()):
            if entry.match is not None or not rows or any(name not in row for row in rows):
                description = (preset.parameters if preset else {}).get(name, f"the recipe uses {{{name}}}")
                yield f"values.{name}", f"is missing: {description}"
    inherited = preset.values.keys() if preset else set()
    given = (entry.values.keys() - inherited) | {name for row in rows for name in row}
    for value in sorted(given - placeholders):
        yield f"values.{value}", f"is not used; remove it, or use {{{value}}} in the recipe"


def _ambiguous(entry: Entry, used: Collection[str]) -> Iterator[KeyFault]:
    """Yield wildcards in parts that the recipe does not use: several subjects would get the same answer."""
    if entry.match is None and entry.subjects:
        return
    match = entry.match or Match()
    for name, part in zip(SUBJECT_FIELDS, Match.model_fields, strict=True):
        if name not in used and any(has_wildcard(pattern) for pattern in match.any_of(part)):
            yield f"match.{part}", f"set a value without wildcards, or use {{{name}}} in the recipe"


def _placeholders_in(source: Mapping[str, Any], entry: Entry) -> set[str]:
    """Return the placeholders in the raw table, because the validated one lacks invalid keys."""
    request, then, where = _table(source.get("request")), _table(source.get("then")), source.get("where")
    asking: list[object] = [request.get(key) for key in ("path", "query", "json", "form")]
    asking += [source.get("promql"), *(then.get(key) for key in ("path", "query", "promql"))]
    asking += [_table(item).get("equals") for item in where] if isinstance(where, list) else []
    if "folder" in source:
        asking.append(source.get("file_name", entry.file_name.text))
    return {name for text in texts_in(asking) for name in Template(text).placeholders}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _has(table: Mapping[str, Any], dotted: str) -> bool:
    value: Any = table
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
