"""The documented way to back up and restore, and deployments that share one Valkey."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import run_badge
from tests.fault_server import running_fault_server
from tests.servers import (
    PROJECT,
    Service,
    ValkeyServer,
    clean_environment,
    running_service,
    running_valkey,
)

WEB = "GitHub/acme/Repository/web"
RESTORE = r"^    (\.venv/bin/badge restore /backup/\S+)$"
PAGE = (PROJECT / "docs" / "how-to" / "back-up-and-upgrade.md").read_text()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


def in_shell(pattern: str, data: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the matching command line from the page, with other paths."""
    found = re.search(pattern, PAGE, re.MULTILINE)
    assert found is not None
    line = re.sub(r"\S*\.venv/bin/badge", f"{sys.executable} -m badge", found[1])
    line = line.replace("\\%", "%").replace("/backup/", f"{folder}/")
    environment = {**clean_environment(), "BADGE_DATA_DIR": str(data)}
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False)


def shown(service: Service) -> str:
    return service.get(f"/badge/{WEB}.txt").text.strip()


def test_a_restore_brings_back_the_backup_although_the_cache_kept_running(tmp_path: Path, valkey: ValkeyServer) -> None:
    data = tmp_path / "data"
    settings = {"BADGE_REDIS_URL": valkey.url, "BADGE_FRESH_FINISHED": "1h", "BADGE_EDGE_CACHE": "0"}
    with running_service(data, **settings) as service:
        assert run_badge("report", WEB, "succeeded", BADGE_DATA_DIR=str(data)).exit_code == 0
        assert shown(service) == "succeeded"
        made = in_shell(r"^    15 3 \* \* \*  (.+)$", data, tmp_path)
        as_of = made.stdout.strip().rpartition(", as of ")[2]
        (backup,) = tmp_path.glob("catalogue-*.sqlite3")
        backup.rename(tmp_path / "catalogue.sqlite3")
        run_badge("report", WEB, "failed", BADGE_DATA_DIR=str(data), BADGE_REDIS_URL=valkey.url)
        assert shown(service) == "failed"
        refused = in_shell(RESTORE, data, tmp_path)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "in use: stop the service first" in refused.stderr
    assert not list(data.glob("*-wal")), "the stop left part of the catalogue in a log"
    restored = in_shell(RESTORE, data, tmp_path)
    assert f"as of {as_of.removesuffix('.')}: 1 subject with 1 run." in restored.stdout, restored
    with running_service(data, **settings) as service:
        assert shown(service) == "succeeded"


def test_after_a_stop_the_database_is_a_single_file_even_if_its_worker_was_killed(tmp_path: Path) -> None:
    with running_service(tmp_path, BADGE_WORKERS="1") as service:
        assert run_badge("report", WEB, "succeeded", BADGE_DATA_DIR=str(tmp_path)).exit_code == 0
        assert shown(service) == "succeeded"
        service.process.send_signal(signal.SIGSTOP)  # so that the master doesn't replace the worker
        (worker,) = service.workers()
        worker.kill()
        assert list(tmp_path.glob("*-wal"))
        service.process.terminate()
        service.process.send_signal(signal.SIGCONT)
        assert service.process.wait(15) == 0
    assert not list(tmp_path.glob("*-wal"))


def test_two_deployments_on_one_valkey_share_no_status(tmp_path: Path, valkey: ValkeyServer) -> None:
    settings = {"BADGE_REDIS_URL": valkey.url, "BADGE_WORKERS": "1"}
    with running_fault_server() as good, running_fault_server() as bad:
        good.status_of, bad.status_of = lambda _: "succeeded", lambda _: "failed"
        with (
            running_service(tmp_path / "one", BADGE_UPSTREAM_URL=good.url, **settings) as one,
            running_service(tmp_path / "two", BADGE_UPSTREAM_URL=bad.url, **settings) as two,
            running_service(tmp_path / "three", BADGE_UPSTREAM_URL=good.url, **settings) as replica,
        ):
            assert [shown(service) for service in (one, two, one, replica)] == [
                "succeeded",
                "failed",
                "succeeded",
                "succeeded",
            ]
        assert (len(good.asked), len(bad.asked)) == (1, 1)


def spoil(data: Path) -> None:
    """Overwrite pages in the middle of the catalogue."""
    with (data / "catalogue.sqlite3").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16384)


def test_a_damaged_catalogue_is_reported_in_one_sentence_and_not_used(tmp_path: Path) -> None:
    here = {"BADGE_DATA_DIR": str(tmp_path)}
    tmp_path.chmod(0o755)
    run_badge("report", WEB, "succeeded", **here)
    spoil(tmp_path)
    command, check = run_badge("report", WEB, "failed", **here), run_badge("check-config", **here)
    sentence = f"{tmp_path}/catalogue.sqlite3 can't be used: its file is damaged; restore a backup with"
    with running_service(tmp_path) as service:
        assert shown(service) == "unknown"
        readiness = service.get("/readyz").json()
        log = service.log.read_text()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.iterdir()}
    assert "Other users can access BADGE_DATA_DIR" in log
    assert set(modes) - {name for name, for_others in modes.items() if not for_others} == {"service.log"}
    assert (command.exit_code, check.exit_code) == (1, 1)
    assert (readiness["status"], readiness["checks"]["catalogue"]) == ("degraded", "down")
    for text in (command.output, check.output, log):
        assert sentence in text
        assert "Traceback" not in text
