"""Faults in the settings, `sources.toml` and `notify.toml`, all of which are reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One fault, with the variable or key to change."""

    variable: str
    problem: str
    where: str = ""
    """File and line; empty if the value is from the environment."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.variable, self.problem) if part)


class BadSettings(Exception):
    """All faults of a configuration. `files` maps each path setting without a fault to its value."""

    def __init__(self, faults: Sequence[SettingFault], files: Mapping[str, Path] = MappingProxyType({})) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
        self.files = files
