"""Finds and reads the settings file, which the service and its commands share.

Standard library only, because the health check imports it twice a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from badge.installation import CHECKOUT, home_folder, settings_places

VARIABLE = "BADGE_SETTINGS_FILE"
PLACES = settings_places(CHECKOUT, home_folder())
"""Where to look for the file if no variable names it; the first that exists is used."""

LARGEST_BYTES = 1_048_576

_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_QUOTED = re.compile(r"(['\"]).*\1")


@dataclass(frozen=True, slots=True)
class LineFault:
    """One fault in the file."""

    line: int | None
    """None for the file as a whole."""
    problem: str


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The file's `NAME=value` lines; values are literal, without quoting or expansion."""

    path: Path
    is_named: bool = False
    """Whether BADGE_SETTINGS_FILE names it; if not, it is in one of `PLACES`, where every command finds it."""
    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    faults: Sequence[LineFault] = ()


def find_file(environment: Mapping[str, str], places: Sequence[Path] = PLACES) -> SettingsFile | None:
    """Read the settings file and return it; None if there is none."""
    if named := environment.get(VARIABLE):
        return _read(Path(named).absolute(), is_named=True)
    found = next((place for place in places if _exists(place)), None)
    return None if found is None else _read(found, is_named=False)


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return True  # the folder can't be read; reading the file reports why


def _read(path: Path, *, is_named: bool) -> SettingsFile:
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(LARGEST_BYTES + 1)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return SettingsFile(path, is_named, faults=[LineFault(None, f"can't be read: {reason}")])
    if len(text) > LARGEST_BYTES:
        return SettingsFile(path, is_named, faults=[LineFault(None, "can't be read: it is larger than 1 MB")])
    return _parsed(path, text, is_named=is_named)


def _parsed(path: Path, text: str, *, is_named: bool) -> SettingsFile:
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults = []
    # Editors on Windows may put a byte order mark in front, which is not part of the first line.
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None and line.startswith("export "):
            faults.append(LineFault(number, "write NAME=value without export"))
        elif match is None:
            faults.append(LineFault(number, "write NAME=value, or begin the line with # for a comment"))
        elif _QUOTED.fullmatch(match[2]):
            faults.append(LineFault(number, f"{match[1]}: write the value without quotes"))
        elif match[1] in lines:
            faults.append(LineFault(number, f"{match[1]} is already set on line {lines[match[1]]}; keep one"))
        else:
            values[match[1]], lines[match[1]] = match[2], number
    return SettingsFile(path, is_named, values, lines, faults)
