"""`badge status` says why there is no status: the source has no such subject, or no source matches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import run_badge
from tests.migrated import migrate

SOURCES = """
[[source]]
name = "own"
kind = "catalogue"
match = {platform = "GitHub"}
"""


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("GitHub/acme/Repository/none", "The source has no such subject."),
        ("GitLab/acme/Repository/web", "No source matches this subject."),
    ],
)
def test_an_absent_subject_is_unknown_for_one_of_two_reasons(tmp_path: Path, subject: str, why: str) -> None:
    migrate(f"sqlite:///{tmp_path / 'catalogue.sqlite3'}")
    file = tmp_path / "sources.toml"
    file.write_text(SOURCES)
    done = run_badge("status", subject, BADGE_DATA_DIR=str(tmp_path), BADGE_SOURCES=str(file))
    assert (done.exit_code, done.stdout) == (0, f"{subject}: unknown\n{why}\n")
