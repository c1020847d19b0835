"""The commands, run in the tests' own process."""

from __future__ import annotations

import os

from click.testing import CliRunner, Result

from badge.cli import badge


def run_badge(*arguments: str, **settings: str) -> Result:
    """Run `badge …` with these settings; much quicker than a process of its own."""
    return CliRunner(env={"BADGE_SETTINGS_FILE": os.devnull, **settings}).invoke(badge, arguments)
