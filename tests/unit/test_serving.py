"""What the service does before its workers start."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badge.catalogue.migration import migrate
from badge.model import BackupStatus
from badge.serving import _migrate_and_check
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
