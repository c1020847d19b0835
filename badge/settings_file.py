"""The settings file: found, and read line by line. One file for the service and its commands, wherever they start.

Standard library only, for the health check reads it twice a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "BADGE_SETTINGS_FILE"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent
PLACES = (PROJECT_FOLDER / "badge.env", Path("/etc/backup-status-badge/badge.env"))
"""Where a file is looked for that no variable names; the first that exists counts, and never the working directory."""

LARGEST_BYTES = 1_048_576

_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")


@dataclass(frozen=True, slots=True)
class LineFault:
    """One thing that is wrong in the file."""

    line: int | None
    """None where it is the file as a whole."""
    problem: str


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What the file says: `NAME=value` lines, taken as they are, without quoting or expansion."""

    path: Path
    is_named: bool = False
    """Whether BADGE_SETTINGS_FILE names it; else each command finds it by itself."""
    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    faults: Sequence[LineFault] = ()


def find_file(environment: Mapping[str, str], places: Sequence[Path] = PLACES) -> SettingsFile | None:
    """Return the file that counts, read; None where there is none."""
    if named := environment.get(VARIABLE):
        return _read(Path(named).absolute(), is_named=True)
    found = next((place for place in places if _exists(place)), None)
    return None if found is None else _read(found, is_named=False)


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return True  # in a folder that can't be looked into: reading it tells why


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
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(LineFault(number, "write NAME=value, or begin the line with # for a comment"))
        elif match[1] in lines:
            faults.append(LineFault(number, f"{match[1]} is given twice, also in line {lines[match[1]]}; keep one"))
        else:
            values[match[1]], lines[match[1]] = match[2], number
    return SettingsFile(path, is_named, values, lines, faults)
