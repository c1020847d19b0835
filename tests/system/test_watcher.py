"""The watcher of a running service: webhooks arrive, whatever is killed and restarted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.servers import START_SECONDS, Service, eventually, running_service
from tests.webhook_receiver import SECRET, Received, receiving

WATCHER = "badge-watcher"
FILE = """
[[channel]]
name = "ops"
kind = "webhook"
url = "{url}"
secret = "env:HOOK"

[watch]
every = "2s"

[delivery]
first_retry = "1s"
longest_retry = "1s"
"""


def path_of(name: str) -> str:
    return f"GitHub/acme/Repository/{name}"


def watchers(service: Service) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(service.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() == WATCHER and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def watches(service: Service) -> bool:
    return '"watching for changes"' in service.log.read_text()


@dataclass
class Setup:
    service: Service
    received: Received

    def report(self, name: str, status: str) -> None:
        self.service.flask_badge("report", path_of(name), status)

    def hears(self, name: str, *kinds: str) -> bool:
        wanted = [f"backup.{kind}" for kind in kinds]
        return eventually(lambda: self.received.kinds_of(path_of(name)) == wanted, START_SECONDS)


@contextlib.contextmanager
def watched_service(folder: Path, received: Received, data: str = "data", **settings: str) -> Iterator[Service]:
    file = folder / "notify.toml"
    file.write_text(FILE.format(url=received.url))
    with running_service(folder / data, BADGE_NOTIFY=str(file), HOOK=SECRET, **settings) as service:
        yield service


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("watcher")
    with (
        receiving() as received,
        watched_service(folder, received, BADGE_FEED="on", BADGE_PUBLIC_URL="https://badges.example.org") as service,
    ):
        assert eventually(lambda: watches(service), START_SECONDS), service.log.read_text()
        yield Setup(service, received)


def test_failures_and_recoveries_arrive(running: Setup) -> None:
    for status in ("succeeded", "failed", "succeeded"):
        running.report("web", status)
        wanted = {"succeeded": (), "failed": ("failed",)}
        if status in wanted and not running.received.messages:
            assert running.hears("web", *wanted[status])
        time.sleep(2.5)  # noqa: TID251 - changes between two glances are seen as one
    assert running.hears("web", "failed", "recovered")
    [url] = {message["data"]["url"] for message in running.received.messages}
    assert url == f"https://badges.example.org/status/{path_of('web')}"


def test_the_service_s_log_names_no_subject_and_no_secret(running: Setup) -> None:
    log = running.service.log.read_text()
    assert '"message delivered"' in log
    assert SECRET not in log
    assert "Repository/web" not in log.partition("Listening at")[2].partition("Booting worker")[2]
