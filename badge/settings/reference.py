"""The settings as text: the example file, and the tables of docs/reference/configuration.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from badge.settings.display import shown
from badge.settings.loading import load
from badge.settings.names import variable_for
from badge.settings.table import GROUPS, Settings

_HEAD = """\
# Every setting with its default. Copy this file and uncomment what you change. The service and the `badge` command
# read the file that BADGE_SETTINGS_FILE names. If it is not set, they read the first of these that exists:
#   badge.env in the project's folder, if you run the service from a checkout; otherwise
#     ~/.config/backup-status-badge/badge.env
#   /etc/backup-status-badge/badge.env
# Lines are NAME=value, without quotes. Relative paths are relative to the file's folder. The environment takes
# precedence.
# Durations: 250ms, 90s, 15m, 26h, 7d. Secrets can also be read from a file: NAME_FILE=/path/to/file.
"""


def example_file() -> str:
    """Return the text of `config/badge.env.example`."""
    defaults = _defaults()
    parts = [_HEAD]
    for heading, settings in _groups():
        parts.append(f"# --- {heading} ---\n")
        parts += [f"{_comment(text)}\n#{variable}={defaults[variable]}\n" for variable, text in settings]
    return "\n".join(parts)


def table() -> str:
    """Return the headings and tables of docs/reference/configuration.md."""
    defaults = _defaults()
    parts = []
    for heading, settings in _groups():
        parts += [f"### {heading}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        parts += [
            f"| `{variable}` | {f'`{defaults[variable]}`' if defaults[variable] else '–'} | {text} |"  # noqa: RUF001 - a dash for an empty cell
            for variable, text in settings
        ]
        parts.append("")
    return "\n".join(parts).rstrip()


def _groups() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each group's heading with its variables and their descriptions, in the order of the fields."""
    heading, settings = "", list[tuple[str, str]]()
    for name, setting in Settings.model_fields.items():
        if name in GROUPS:
            if settings:
                yield heading, settings
            heading, settings = GROUPS[name], []
        settings.append((variable_for(name), str(setting.description)))
    yield heading, settings


def _comment(text: str) -> str:
    return textwrap.fill(text, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _defaults() -> dict[str, str]:
    # This default depends on the installation; the description gives it.
    return {**shown(load({})), "BADGE_DATA_DIR": ""}
