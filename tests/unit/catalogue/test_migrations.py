"""The schema's newest revision, which is found without Alembic."""

import contextlib
import stat
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from badge.catalogue.database import Database
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


def test_a_catalogue_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.sqlite3"
    url = f"sqlite:///{file}"
    migrate(url)
    with contextlib.closing(Database(url)) as database:
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM logins")
        files = [file, Path(f"{file}-wal"), Path(f"{file}-shm")]
        for path in files:
            path.chmod(0o644)
        migrate(url)
        assert [stat.S_IMODE(path.stat().st_mode) for path in files] == 3 * [0o600]


def test_a_migrated_schema_is_current(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'catalogue.sqlite3'}"
    assert not is_current(url)
    migrate(url)
    assert is_current(url)
