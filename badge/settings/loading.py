"""Loading the settings: from the environment and, where a variable is not set there, from the settings file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from badge import settings_file
from badge.installation import CHECKOUT, from_systemd
from badge.settings.faults import BadSettings, SettingFault
from badge.settings.names import (
    ENVIRONMENT_ONLY,
    FORMER_VARIABLES,
    PATHS,
    SECRETS,
    current_value,
    known_variables,
    not_a_setting,
    rename_warnings,
    variable_for,
)
from badge.settings.table import ENVIRONMENT, Settings
from badge.settings_file import SettingsFile
from badge.validation import problem_of


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from the environment and the settings file; raises `BadSettings` with every fault.

    If an `environment` is passed in, no settings file is read.
    """
    if environment is not None:
        return load_from(environment, None)
    return load_from(os.environ, settings_file.find_file(os.environ))


def load_from(environment: Mapping[str, str], file: SettingsFile | None, checkout: Path | None = CHECKOUT) -> Settings:
    """Return the settings from the environment and a file; the environment takes precedence.

    Raises `BadSettings` with every fault.
    """
    layers = [
        _Layer(environment),
        *([_Layer(file.values, file)] if file else []),
        _Layer(from_systemd(environment, checkout)),
    ]
    faults = list(_faults_of_file(file)) if file else []
    raw = {name: value for name in Settings.model_fields for value in _raw_value(layers, name, faults)}
    values = {name: current_value(name, value.text) for name, value in raw.items()}
    problems = _contradictions(values)
    context = {
        "origins": {name: value.layer.origin(value.variable) for name, value in raw.items()},
        "named_file": file.path if file and file.is_named else None,
        "warnings": [
            f"{sentence} ({value.layer.origin(value.variable)})"
            for name, value in raw.items()
            for sentence in rename_warnings(name, value.variable, value.text)
        ],
    }
    try:
        settings = Settings.model_validate(values, context=context)
    except ValidationError as error:
        names = ((str(detail["loc"][0]), detail) for detail in error.errors())
        problems += [(name, problem_of(detail, _limits(name))) for name, detail in names]
    faults += [_fault(name, problem, raw.get(name)) for name, problem in problems]
    if faults:
        faulty = {name for name, _ in problems}
        raise BadSettings(faults, {name: Path(values[name]) for name in values.keys() & PATHS - faulty})
    return settings


@dataclass(frozen=True, slots=True)
class _Layer:
    """Variables of the environment or of the settings file."""

    values: Mapping[str, str]
    file: SettingsFile | None = None
    """None for the environment."""

    def origin(self, variable: str) -> str:
        return f"{self.file.path}:{self.file.lines[variable]}" if self.file else ENVIRONMENT

    def fault(self, variable: str, problem: str) -> SettingFault:
        return SettingFault(variable, problem, self.origin(variable) if self.file else "")

    def path(self, value: str) -> str:
        return str(self.file.path.parent / value) if self.file else value


@dataclass(frozen=True, slots=True)
class _RawValue:
    """The text of a setting, and where it was read."""

    text: str
    variable: str
    layer: _Layer


def _raw_value(layers: Sequence[_Layer], name: str, faults: list[SettingFault]) -> Iterator[_RawValue]:
    """Yield the value from the first layer that has one; nothing if that value has a fault."""
    variable = variable_for(name)
    former = FORMER_VARIABLES.get(name)
    spellings = [variable, *([former.name] if former else [])]
    for layer in layers:
        # An empty value counts as not set: that is how the example file writes "no default".
        used = next((spelling for spelling in spellings if layer.values.get(spelling)), None)
        by_file = f"{variable}_FILE"
        if name in SECRETS and layer.values.get(by_file):
            if used:
                faults.append(layer.fault(variable, f"is also set as {by_file}; keep one"))
            else:
                yield from _secret(layer, by_file, faults)
            return
        if used:
            value = layer.values[used]
            yield _RawValue(layer.path(value) if name in PATHS else value, used, layer)
            return


def _secret(layer: _Layer, variable: str, faults: list[SettingFault]) -> Iterator[_RawValue]:
    try:
        value = Path(layer.path(layer.values[variable])).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        faults.append(layer.fault(variable, f"can't be read: {reason}"))
        return
    if value:
        yield _RawValue(value, variable, layer)


def _faults_of_file(file: SettingsFile) -> Iterator[SettingFault]:
    for fault in file.faults:
        if fault.line is None:
            where = settings_file.VARIABLE if file.is_named else ""
            yield SettingFault(str(file.path), fault.problem, where)
        else:
            yield SettingFault(f"{file.path}:{fault.line}", fault.problem)
    layer, known = _Layer(file.values, file), known_variables()
    for variable in file.values:
        if variable in ENVIRONMENT_ONLY:
            yield layer.fault(variable, "is read from the environment only")
        elif variable not in known:
            yield layer.fault(variable, not_a_setting(variable, known))


# Settings that a value of BADGE_DASHBOARD requires.
_REQUIRED = {
    "token": ("dashboard_token",),
    "oidc": ("oidc_issuer", "oidc_client_id", "oidc_allow", "public_url"),
}


def _contradictions(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings that conflict with others, each with its fault."""
    dashboard = values.get("dashboard", "")
    faults = [
        (name, f"is required if BADGE_DASHBOARD is {dashboard}")
        for name in _REQUIRED.get(dashboard, ())
        if name not in values
    ]
    if "upstream_api_key" in values and "upstream_url" not in values:
        faults.append(("upstream_api_key", "is set without BADGE_UPSTREAM_URL"))
    if "sources" in values and "upstream_url" in values:
        faults.append(("sources", "can't be combined with BADGE_UPSTREAM_URL; keep one"))
    return faults


def _fault(name: str, problem: str, raw: _RawValue | None) -> SettingFault:
    if raw is None:
        return SettingFault(variable_for(name), problem)
    return raw.layer.fault(raw.variable, problem)


def _limits(name: str) -> tuple[int | None, int | None]:
    """Return the minimum and maximum of a number; None for no limit."""
    metadata = Settings.model_fields[name].metadata
    least, most = ([getattr(item, side) for item in metadata if hasattr(item, side)] for side in ("ge", "le"))
    return next(iter(least), None), next(iter(most), None)
