"""Settings as text, for people; secrets are hidden."""

from __future__ import annotations

from datetime import timedelta

from pydantic import SecretStr

from badge.settings.kinds import show_duration
from badge.settings.names import variable_for
from badge.settings.passwords import without_password
from badge.settings.table import Settings


def shown(settings: Settings) -> dict[str, str]:
    """Return each variable with its value as text."""
    return {variable_for(name): _as_text(name, getattr(settings, name)) for name in Settings.model_fields}


def changed(settings: Settings) -> list[str]:
    """Return a line for each setting that differs from its default, such as `BADGE_LABEL=backups (environment)`."""
    values = shown(settings)
    return [
        f"{variable_for(name)}={values[variable_for(name)]} ({settings.origin_of(name)})"
        for name, setting in Settings.model_fields.items()
        if getattr(settings, name) != setting.default
    ]


def _as_text(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return without_password(value.get_secret_value()) if name.endswith("_url") else "<secret>"
        case timedelta():
            return show_duration(value)
        case bool():
            return "on" if value else "off"
        case _:
            return str(value)
