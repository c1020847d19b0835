"""What the service does before its workers start."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badge.app import Configuration
from badge.catalogue.migration import migrate
from badge.model import BackupStatus
from badge.serving import CatalogueUnusable, _migrate_and_check, _open_catalogue
from badge.settings import load
from tests.store import Store


def test_the_start_warns_about_times_ahead_of_now(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    migrate(settings.catalogue_location)
    with closing(Store.on(settings.catalogue_location)) as store:
        _migrate_and_check(settings)
        assert capfd.readouterr().err == ""
        store.clock.now = datetime(2099, 1, 1, tzinfo=UTC)
        store.receive(BackupStatus.SUCCEEDED)
    _migrate_and_check(settings)
    assert "1 subject has times ahead of this machine's clock" in capfd.readouterr().err


def test_an_unusable_lock_costs_only_what_needs_the_catalogue(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "catalogue.sqlite3.in-use").symlink_to("elsewhere")
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    with pytest.raises(CatalogueUnusable, match="in-use can't be used: Too many levels of symbolic links"):
        _open_catalogue(Configuration(settings, []))
    with_upstream = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_UPSTREAM_URL": "http://127.0.0.1:9"})
    assert _open_catalogue(Configuration(with_upstream, [])) is None
    assert "Nobody can log in to the dashboard." in capfd.readouterr().err
