"""Names of the environment variables that settings are read from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from badge import settings_file
from badge.settings.table import Settings
from badge.validation import did_you_mean

PREFIX = "BADGE_"


class FormerName(NamedTuple):
    """A former name that still works, with a warning."""

    name: str
    removed_in: str
    """The first version that no longer reads it: the next minor one after the rename."""


FORMER_VARIABLES = {
    "edge_cache": FormerName("BADGE_HOT_PATH", "0.2"),
    "edge_cache_entries": FormerName("BADGE_HOT_PATH_ENTRIES", "0.2"),
    "edge_cache_mb": FormerName("BADGE_HOT_PATH_MB", "0.2"),
    "fresh_provisional": FormerName("BADGE_FRESH_UNWAITED", "0.2"),
}
"""Former variables of renamed settings."""

FORMER_VALUES = {"dashboard": {"link": FormerName("local", "0.2")}}
"""Former values of settings, by setting and current value."""

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
"""Not settings of the service: the API key that commands use with `--to`, and the path of the settings file."""


def variable_for(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def known_variables() -> set[str]:
    """Return every variable that a setting can be read from."""
    names = {variable_for(name) for name in Settings.model_fields}
    return (
        names
        | {former.name for former in FORMER_VARIABLES.values()}
        | {f"{variable_for(name)}_FILE" for name in SECRETS}
    )


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a message for each unknown BADGE_ variable, with a suggestion if a known name is similar.

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


def current_value(name: str, text: str) -> str:
    """Return a setting's value; a former value is replaced by the current one."""
    return next((new for new, former in FORMER_VALUES.get(name, {}).items() if former.name == text), text)


def rename_warnings(name: str, variable: str, text: str) -> Iterator[str]:
    """Yield a warning if the variable is a former name of the setting, and one if the text is a former value."""
    current, value = variable_for(name), current_value(name, text)
    if (former := FORMER_VARIABLES.get(name)) and former.name == variable:
        yield _warning(variable, current, former)
    if value != text:
        yield _warning(f"{variable}={text}", f"{current}={value}", FORMER_VALUES[name][value])


def _warning(old: str, new: str, former: FormerName) -> str:
    return f"{old} has been renamed to {new}; version {former.removed_in} will no longer accept the old name"
