"""What the service does before its workers start."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badge.catalogue.migration import migrate
from badge.model import BackupStatus
from badge.serving import _migrated
from badge.settings import load
from tests.store import Store


def test_the_start_warns_about_times_ahead_of_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    migrate(settings.catalogue_location)
    with closing(Store.on(settings.catalogue_location)) as store:
        assert (_migrated(settings), capsys.readouterr().err) == (0, "")
        store.clock.now = datetime(2099, 1, 1, tzinfo=UTC)
        store.receive(BackupStatus.SUCCEEDED)
    assert _migrated(settings) == 0
    assert "1 subject has times ahead of this machine's clock" in capsys.readouterr().err
