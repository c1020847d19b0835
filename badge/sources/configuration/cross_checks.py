"""What the keys of one source have to say together: each can be right by itself, and the whole be wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from badge.contract import SUBJECT_FIELDS
from badge.model import InvalidSubject, Subject
from badge.sources.configuration.entry import Entry, Match
from badge.sources.recipes.presets import Preset
from badge.sources.recipes.template import Template, texts_in
from badge.sources.subject_matcher import has_wildcard

Found = tuple[str, str]
"""A key, and what is wrong with it."""


def required(preset: Preset | None, source: Mapping[str, Any]) -> Iterator[Found]:
    """What the preset can't know and the source does not give."""
    for key, reason in (preset.requires if preset else {}).items():
        if not _has(source, key):
            yield key, f"has to be given: {reason}"


def place(kind: str, source: Mapping[str, Any]) -> Iterator[Found]:
    """There has to be one place to ask, as the kind has it."""
    if kind in ("http", "native") and "url" not in source:
        yield "url", "is missing: the system's address"
    if kind == "file" and ("file" in source) == ("folder" in source):
        yield "file", "give file or folder, one of them"


def matches(match: Match) -> Iterator[Found]:
    """A pattern for one text alone has to be one that a subject can have, or nothing ever matches."""
    anything = dict.fromkeys(Match.model_fields, "x")
    for part in Match.model_fields:
        for pattern in match.any_of(part):
            try:
                Subject.parse(**anything | {part: "x" if has_wildcard(pattern) else pattern})
            except InvalidSubject as invalid:
                yield f"match.{part}", str(invalid)


def values(entry: Entry, source: Mapping[str, Any], preset: Preset | None, faulty: Collection[str]) -> Iterator[Found]:
    """Every place is filled for every subject, and every value has a place."""
    asked = _places_in(source, entry)
    places = asked - {*SUBJECT_FIELDS, *_table(_table(source.get("then")).get("values"))}
    rows = list(entry.subjects.values())
    if not {"match", "subjects", "values"} & set(faulty):
        yield from _not_told_apart(entry, asked)
        for name in sorted(places - entry.values.keys()):
            if entry.match is not None or not rows or any(name not in row for row in rows):
                told = (preset.parameters if preset else {}).get(name, "there is no such name")
                yield f"values.{name}", f"is missing: {told}"
    inherited = preset.values.keys() if preset else set()
    given = (entry.values.keys() - inherited) | {name for row in rows for name in row}
    for value in sorted(given - places):
        yield f"values.{value}", "is used nowhere"


def _not_told_apart(entry: Entry, asked: Collection[str]) -> Iterator[Found]:
    """One answer must not stand for several subjects: what is not asked for has to be pinned."""
    if entry.match is None and entry.subjects:
        return
    match = entry.match or Match()
    for name, part in zip(SUBJECT_FIELDS, Match.model_fields, strict=True):
        if name not in asked and any(has_wildcard(pattern) for pattern in match.any_of(part)):
            yield f"match.{part}", f"has to be given without *: nothing asks for {{{name}}}"


def _places_in(source: Mapping[str, Any], entry: Entry) -> set[str]:
    """The names that the source asks for, as it is written, for some of it may be at fault."""
    request, then, where = _table(source.get("request")), _table(source.get("then")), source.get("where")
    asking: list[object] = [request.get(key) for key in ("path", "query", "json", "form")]
    asking += [source.get("promql"), then.get("path")]
    asking += [_table(item).get("equals") for item in where] if isinstance(where, list) else []
    if "folder" in source:
        asking.append(source.get("file_name", entry.file_name.text))
    return {name for text in texts_in(asking) for name in Template(text).places}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _has(table: Mapping[str, Any], dotted: str) -> bool:
    value: Any = table
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
