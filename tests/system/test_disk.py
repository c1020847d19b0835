"""The data folder on a real file system that fills up, turns read-only or disappears under a running service."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.disk import fill, make_room, mounted
from tests.servers import Service, eventually, flask_badge, running_service

WEB = "GitHub/acme/Repository/web"


@pytest.fixture(params=["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(request.param, tmp_path) as place:
        yield place


on_tmpfs_or_slowly_on_ext4 = pytest.mark.parametrize(
    "disk", ["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)], indirect=True
)


@contextlib.contextmanager
def service_on(disk: Path) -> Iterator[Service]:
    """Run a service with its data on the disk and its log beside it."""
    with running_service(disk.parent / "log", BADGE_DATA_DIR=str(disk / "data"), BADGE_WORKERS="2") as service:
        assert eventually(lambda: len(service.workers()) == 2)
        yield service


def report(service: Service, key: str, status: str) -> requests.Response:
    names = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}
    url = f"{service.url}/ops/status/report"
    return requests.post(url, json={**names, "status": status}, headers={"X-API-Key": key}, timeout=15)


def shown(service: Service, query: str = "") -> str:
    return service.get(f"/badge/{WEB}.txt?{query}").text.strip()


def assert_all_is_served(service: Service) -> None:
    """Assert that every kind of request is answered, even for a new name, and that no worker was replaced."""
    workers = service.workers()
    for path in (f"/badge/{WEB}", "/badge/acme/other", f"/badge/{WEB}.png?label=full", "/livez", "/metrics"):
        assert service.get(path).status_code == 200, path
    assert [worker.pid for worker in service.workers()] == [worker.pid for worker in workers]


def test_a_full_disk_prevents_only_reports(disk: Path) -> None:
    with service_on(disk) as service:
        key = flask_badge("key", "create", "ci", BADGE_DATA_DIR=str(disk / "data")).stdout.strip()
        assert report(service, key, "succeeded").status_code == 200
        assert shown(service) == "succeeded"
        before = service.counted("badge_requests_total")
        fill(disk)
        refused = report(service, key, "failed")
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
        assert_all_is_served(service)
        assert service.counted("badge_requests_total") > before
        assert shown(service, "v=2") == "succeeded"
        make_room(disk)
        assert report(service, key, "failed").status_code == 200
        assert eventually(lambda: shown(service) == "failed", 2)


def test_a_service_starts_on_a_full_disk_and_shows_what_is_stored_there(disk: Path) -> None:
    with service_on(disk) as service:
        key = flask_badge("key", "create", "ci", BADGE_DATA_DIR=str(disk / "data")).stdout.strip()
        assert report(service, key, "failed").status_code == 200
    fill(disk)
    with service_on(disk) as service:
        assert shown(service) == "failed"
        assert_all_is_served(service)
        make_room(disk)
        assert report(service, key, "succeeded").status_code == 200
        assert eventually(lambda: shown(service) == "succeeded", 2)


@on_tmpfs_or_slowly_on_ext4
def test_a_disk_that_turns_read_only_stops_nothing(disk: Path) -> None:
    with service_on(disk) as service:
        key = flask_badge("key", "create", "ci", BADGE_DATA_DIR=str(disk / "data")).stdout.strip()
        assert report(service, key, "succeeded").status_code == 200
        assert shown(service) == "succeeded"
        # Files open for writing prevent a plain remount; with a bind mount on top, the next open finds it read-only.
        subprocess.run(["mount", "--bind", disk, disk], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
            assert_all_is_served(service)
            assert shown(service, "v=2") == "succeeded"
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        assert eventually(lambda: report(service, key, "failed").status_code == 200)
        assert eventually(lambda: shown(service) == "failed", 2)


@on_tmpfs_or_slowly_on_ext4
def test_removing_the_data_folder_stops_nothing(disk: Path) -> None:
    with service_on(disk) as service:
        assert flask_badge("report", WEB, "succeeded", BADGE_DATA_DIR=str(disk / "data")).returncode == 0
        assert shown(service) == "succeeded"
        shutil.rmtree(disk / "data")
        assert_all_is_served(service)
        assert shown(service, "v=2") in ("succeeded", "unknown")
