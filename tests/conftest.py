"""For all tests: ignore this machine's settings file, and set no deadline for Hypothesis, as machines can be busy."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["BADGE_SETTINGS_FILE"] = os.devnull

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick files last, so that no process is left with a long one while the others are idle."""
    items.sort(key=lambda item: item.nodeid.startswith("tests/unit/"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """If only tests marked `alone` run, skip files that have none, because loading all files takes several seconds."""
    if not config.option.markexpr.startswith("alone") or not collection_path.match("test_*.py"):
        return None
    return "mark.alone" not in collection_path.read_text() or None
