"""Names of the environment variables that settings are read from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from badge import settings_file
from badge.settings.table import Settings
from badge.validation import did_you_mean

PREFIX = "BADGE_"

FORMER_VARIABLES = {
    "edge_cache": "BADGE_HOT_PATH",
    "edge_cache_entries": "BADGE_HOT_PATH_ENTRIES",
    "edge_cache_mb": "BADGE_HOT_PATH_MB",
    "fresh_provisional": "BADGE_FRESH_UNWAITED",
}
"""Former variables of renamed settings, which still work."""

# A search in the annotation's text also finds the type inside a union or `Annotated`.
SECRETS = frozenset(name for name, setting in Settings.model_fields.items() if "SecretStr" in str(setting.annotation))
"""Settings that can also be read from a file (`BADGE_REDIS_URL_FILE`)."""

PATHS = frozenset(
    name
    for name, setting in Settings.model_fields.items()
    if Path in (setting.annotation, *get_args(setting.annotation))
)
"""Settings that are paths; in the settings file, they are relative to its folder."""

ENVIRONMENT_ONLY = frozenset({"BADGE_API_KEY", settings_file.VARIABLE})
"""Variables that are not settings of the service: the key of `badge report --to`, and the settings file's path."""


def variable_for(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def known_variables() -> set[str]:
    """Return every variable that a setting can be read from."""
    names = {variable_for(name) for name in Settings.model_fields}
    return names | set(FORMER_VARIABLES.values()) | {f"{variable_for(name)}_FILE" for name in SECRETS}


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for each BADGE_ variable that is not a setting, with the one that was probably meant.

    Not a fault: Kubernetes sets BADGE_SERVICE_HOST for a service called "badge".
    """
    environment = os.environ if environment is None else environment
    known = known_variables() | ENVIRONMENT_ONLY
    return [
        f"{variable} {not_a_setting(variable, known)}"
        for variable in sorted(environment)
        if variable.startswith(PREFIX) and variable not in known
    ]


def not_a_setting(variable: str, known: set[str]) -> str:
    """Return what is wrong with an unknown variable, as the end of a sentence."""
    return "is not a setting" + did_you_mean(variable, known)
