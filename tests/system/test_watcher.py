"""The watcher of a running service: every message arrives, in order, whatever is killed and restarted."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.postgres import running_postgres
from tests.servers import START_SECONDS, Service, eventually, flask_badge, running_service
from tests.webhook_receiver import SECRET, Received, receiving

TAKEOVER_SECONDS = 60.0
"""More than the lease, and enough for a busy machine."""
TOKEN = "the-token-for-metrics"
FILE = """
[[channel]]
name = "ops"
kind = "webhook"
url = "{url}"
secret = "env:HOOK"

[watch]
every = "2s"
flapping_changes = 100

[delivery]
first_retry = "1s"
longest_retry = "1s"
"""


def path_of(name: str) -> str:
    return f"GitHub/acme/Repository/{name}"


def watches(service: Service) -> bool:
    return '"watching for changes"' in service.log.read_text()


@dataclass
class Setup:
    service: Service
    received: Received
    folder: Path

    def report(self, name: str, *statuses: str) -> None:
        for status in statuses:
            self.service.flask_badge("report", path_of(name), status)

    def hears(self, name: str, *kinds: str, seconds: float = START_SECONDS) -> bool:
        wanted = [f"backup.{kind}" for kind in kinds]
        return eventually(lambda: self.received.kinds_of(path_of(name)) == wanted, seconds)

    def delivered(self) -> float:
        """Return the number of delivered messages in /metrics."""
        text = self.service.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
        return sum(map(float, re.findall(r'badge_messages_total{channel="ops",outcome="delivered"} (\S+)', text)))

    def file(self) -> Path:
        return self.folder / "notify.toml"


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
        watched_service(
            folder,
            received,
            BADGE_FEED="on",
            BADGE_PUBLIC_URL="https://badges.example.org",
            BADGE_DASHBOARD="open",
            BADGE_METRICS_TOKEN=TOKEN,
        ) as service,
    ):
        assert eventually(lambda: watches(service), START_SECONDS), service.log.read_text()
        yield Setup(service, received, folder)


def test_failures_and_recoveries_arrive_and_are_in_the_feed(running: Setup) -> None:
    running.report("web", "succeeded", "failed", "succeeded")
    assert running.hears("web", "failed", "recovered"), running.service.log.read_text()
    [url] = {message["data"]["url"] for message in running.received.messages}
    assert url == f"https://badges.example.org/status/{path_of('web')}"
    assert eventually(lambda: running.delivered() == 2, START_SECONDS)
    feed = running.service.get("/feed.atom")
    assert feed.text.count("<entry>") == 2
    log = running.service.log.read_text().partition("Booting worker")[2]
    assert '"message delivered"' in log
    assert SECRET not in log
    assert "Repository/web" not in log


def test_the_watcher_is_not_a_worker_and_is_restarted_when_it_ends(running: Setup) -> None:
    assert running.service.get("/readyz").json()["checks"]["watcher"] == "up"
    before = running.delivered()
    [watcher] = running.service.watchers()
    assert watcher.pid not in {worker.pid for worker in running.service.workers()}
    watcher.terminate()  # it gives its lease back, so the next one need not wait
    assert eventually(lambda: [one.pid for one in running.service.watchers()] not in ([], [watcher.pid]), START_SECONDS)
    running.report("restarted", "succeeded", "failed")
    assert running.hears("restarted", "failed")
    assert eventually(lambda: running.delivered() == before + 1, START_SECONDS)


def test_a_reload_replaces_the_watcher_unless_the_file_has_faults(running: Setup) -> None:
    [watcher] = running.service.watchers()
    good = running.file().read_text()
    running.file().write_text(good.replace("webhook", "webhok"))
    running.service.process.send_signal(signal.SIGHUP)
    fault = "notify.toml: ops: kind: must be webhook or apprise; did you mean webhook?"
    assert eventually(lambda: fault in running.service.log.read_text(), START_SECONDS)
    assert [one.pid for one in running.service.watchers()] == [watcher.pid]
    running.file().write_text(good)
    running.service.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: watcher.pid not in {one.pid for one in running.service.watchers()}, START_SECONDS)
    assert eventually(lambda: len(running.service.watchers()) == 1, START_SECONDS)


def test_it_ends_with_its_service_and_leaves_the_catalogue_in_one_file(tmp_path: Path) -> None:
    with receiving() as received, watched_service(tmp_path, received) as service:
        assert eventually(lambda: watches(service), START_SECONDS)
        [watcher] = service.watchers()
        service.process.terminate()
        service.process.wait(START_SECONDS)
        assert not watcher.is_running()
        assert not list(service.data_dir.glob("*-wal"))


@pytest.mark.slow
def test_it_ends_if_its_service_is_killed(tmp_path: Path) -> None:
    with receiving() as received, watched_service(tmp_path, received) as service:
        assert eventually(lambda: watches(service), START_SECONDS)
        [watcher] = service.watchers()
        children = psutil.Process(service.process.pid).children()
        service.process.kill()
        assert eventually(lambda: not watcher.is_running(), START_SECONDS)
        psutil.wait_procs(children, START_SECONDS)


@pytest.mark.slow
def test_a_receiver_that_is_down_for_a_while_gets_everything_in_order(tmp_path: Path) -> None:
    """The receiver and the whole service are stopped and started again in between."""
    received = Received()
    with receiving(received), watched_service(tmp_path, received) as service:
        setup = Setup(service, received, tmp_path)
        assert eventually(lambda: watches(service), START_SECONDS)
        for name in ("web", "api"):
            setup.report(name, "succeeded", "failed")
            assert setup.hears(name, "failed")
    with watched_service(tmp_path, received) as service:
        setup = Setup(service, received, tmp_path)
        for name in ("web", "api"):
            setup.report(name, "succeeded", "failed", "succeeded")
        assert eventually(lambda: '"message not delivered"' in service.log.read_text(), START_SECONDS)
        service.process.kill()
    with receiving(received), watched_service(tmp_path, received) as service:
        setup = Setup(service, received, tmp_path)
        for name in ("web", "api"):
            wanted = ("failed", "recovered", "failed", "recovered")
            assert setup.hears(name, *wanted, seconds=TAKEOVER_SECONDS), received.kinds_of(path_of(name))
        assert len(set(received.ids)) == len(received.ids) == 8
        # The receiver has the last message a moment before the service has its answer.
        assert eventually(lambda: service.flask_badge("notify", "list") == "No undelivered messages.\n", START_SECONDS)


@pytest.mark.slow
def test_of_two_services_one_watches_and_if_it_is_killed_nothing_is_lost(tmp_path: Path) -> None:
    with running_postgres() as server, receiving() as received:
        database = {"BADGE_CATALOGUE_URL": server.new_database()}
        with (
            watched_service(tmp_path, received, "first", **database) as first,
            watched_service(tmp_path, received, "second", **database) as second,
        ):
            assert eventually(lambda: watches(first) or watches(second), START_SECONDS)
            assert not (watches(first) and watches(second))
            elected, other = (first, second) if watches(first) else (second, first)

            def report(name: str, *statuses: str) -> None:
                for status in statuses:
                    flask_badge("report", path_of(name), status, BADGE_DATA_DIR=str(tmp_path / "cli"), **database)

            names = [f"r{number}" for number in range(5)]
            for name in names:
                report(name, "succeeded", "failed")
            assert eventually(lambda: len(received.messages) >= 3, START_SECONDS)
            [watcher] = elected.watchers()
            elected.process.kill()
            watcher.kill()
            for name in names:
                report(name, "succeeded")
            assert eventually(
                lambda: all(
                    [*dict.fromkeys(received.kinds_of(path_of(name)))] == ["backup.failed", "backup.recovered"]
                    for name in names
                ),
                TAKEOVER_SECONDS,
            ), received.messages
            assert watches(other)
            assert len(received.ids) - len(set(received.ids)) <= 1
            assert len(set(received.ids)) == 2 * len(names)
