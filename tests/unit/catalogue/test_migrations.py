"""The schema's newest revision, which is found without Alembic."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from badge.catalogue.migration import (
    MIGRATIONS,
    is_current,
    migrate,
    newest_revision,
)


def test_the_newest_revision_is_what_alembic_calls_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


def test_a_migrated_schema_is_current(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'catalogue.sqlite3'}"
    assert not is_current(url)
    migrate(url)
    assert is_current(url)
