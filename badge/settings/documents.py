"""Configuration files in TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from badge.settings.faults import BadSettings, SettingFault


def read_document(path: Path, variable: str) -> dict[str, Any]:
    """Return a file's tables and keys; raises `BadSettings`. `variable` is the setting that names the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BadSettings([SettingFault(variable, f"{path} can't be read: {reason}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings([SettingFault(path.name, f"is not valid TOML: {error}")]) from None
