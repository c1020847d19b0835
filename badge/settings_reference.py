"""The settings as text: the example file and the table of docs/configuration.md are made of the code's own words."""

from __future__ import annotations

from badge.settings import Settings, load, shown, variable_for

_HEAD = """\
# Every setting with its default. Uncomment what you change. The service and the `badge` command both read the first of
#   $BADGE_SETTINGS_FILE, badge.env in the project's folder, /etc/backup-status-badge/badge.env
# that exists; the environment wins. Lines are NAME=value, without quotes; relative paths start at the file's folder.
# Durations: 250ms, 90s, 15m, 26h, 7d. Secrets can also be given as NAME_FILE=/path/of/a/file.
"""


def example_file() -> str:
    """`config/badge.env.example`."""
    defaults = _defaults()
    entries = [f"# {text}\n#{variable}={defaults[variable]}\n" for variable, text in _descriptions()]
    return "\n".join([_HEAD, *entries])


def table() -> str:
    """The rows of docs/configuration.md."""
    defaults = _defaults()
    rows = [
        f"| `{variable}` | {f'`{defaults[variable]}`' if defaults[variable] else '–'} | {text} |"  # noqa: RUF001 - a dash for nothing
        for variable, text in _descriptions()
    ]
    return "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows])


def _descriptions() -> list[tuple[str, str]]:
    return [(variable_for(name), str(setting.description)) for name, setting in Settings.model_fields.items()]


def _defaults() -> dict[str, str]:
    # Wherever the project lies, its data lie in its folder var.
    return {**shown(load({})), "BADGE_DATA_DIR": "var"}
