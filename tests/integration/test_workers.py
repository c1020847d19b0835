"""Of two workers, only one receives a report, and yet the badge of the other is correct."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badge.app import build_parts
from badge.catalogue.events import RunEvent
from badge.catalogue.migration import migrate
from badge.model import BackupStatus, Subject
from badge.settings import load
from tests.servers import running_valkey

WEB = Subject.legacy("acme", "web")

BESIDE_ANOTHER = """
[[source]]
name = "elsewhere"
kind = "native"
url = "http://127.0.0.1:9"
match = { platform = "Other" }

[[source]]
name = "own"
kind = "catalogue"
"""


@pytest.mark.parametrize("sources", [None, BESIDE_ANOTHER], ids=["alone", "beside another source"])
@pytest.mark.parametrize("is_cache_there", [True, False], ids=["with Redis", "without Redis"])
def test_a_report_to_one_worker_changes_the_badge_of_the_other(
    tmp_path: Path, sources: str | None, *, is_cache_there: bool
) -> None:
    (tmp_path / "valkey").mkdir()
    with running_valkey(tmp_path / "valkey") as valkey, ExitStack() as until_the_end:
        settings = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_REDIS_URL": valkey.url}
        if sources is not None:
            (tmp_path / "sources.toml").write_text(sources)
            settings["BADGE_SOURCES"] = str(tmp_path / "sources.toml")
        if not is_cache_there:
            valkey.process.kill()
        loaded = load(settings)
        migrate(loaded.catalogue_location)
        workers = [until_the_end.enter_context(closing(build_parts(loaded))) for _ in range(2)]
        first = workers[0]
        assert first.catalogue is not None
        for status in (BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.SUCCEEDED):
            first.catalogue.store.record(RunEvent(subject=WEB, status=status, at=datetime.now(UTC)))
            first.resolver.invalidate(WEB)
            assert [worker.resolver.resolve(WEB).status for worker in workers] == [status, status]
