"""A rolling upgrade: the last release and this version run side by side on one PostgreSQL and one Valkey."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from tests.postgres import running_postgres
from tests.releases import built_wheel, installed, releases, wheel_of
from tests.servers import (
    PROJECT,
    START_SECONDS,
    Service,
    clean_environment,
    eventually,
    free_port,
    log_in,
    needs,
    running_valkey,
    started_service,
)

pytestmark = pytest.mark.slow

SUBJECTS = 4
ROUNDS = 8
"""How often each subject is reported and read while both versions run."""
_TITLE = re.compile(r"<title>backup: ([^<]*)</title>")


@dataclass(frozen=True)
class Version:
    """An installed version, with the settings that all instances share."""

    packages: Path
    shared: dict[str, str]

    @property
    def command(self) -> str:
        return str(self.packages / "bin" / "badge")

    @property
    def environment(self) -> dict[str, str]:
        return {**clean_environment(), "PYTHONPATH": str(self.packages), **self.shared}

    def badge(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this version."""
        command = [self.command, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[Service]:
        """Run an instance of this version."""
        bind = f"127.0.0.1:{free_port()}"
        environment = {**self.environment, "BADGE_BIND": bind, "BADGE_DATA_DIR": str(folder)}
        with started_service([self.command, "serve"], folder.parent, environment, folder, bind) as service:
            yield service


@dataclass
class Users:
    """Jobs that report to one instance after the other, and readers that then look at the badge on every instance."""

    key: str
    instances: list[Service]
    """Those that the load balancer uses. The list is replaced as a whole and never mutated."""
    answers: Counter[object] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rounds: list[int] = field(default_factory=lambda: SUBJECTS * [0])
    has_ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.threads = [threading.Thread(target=self.use, args=(subject,)) for subject in range(SUBJECTS)]

    def use(self, subject: int) -> None:
        """Report and read until the end."""
        turns = itertools.cycle(["failed", "succeeded", "in progress", "failed", "in progress", "succeeded"])
        for number, status in enumerate(turns):
            if self.has_ended.is_set():
                return
            instances = self.instances
            self._report(instances[(number + subject) % len(instances)], subject, status)
            for service in instances:
                self._read(service, subject, number, status)
            self.rounds[subject] += 1

    def _report(self, service: Service, subject: int, status: str) -> None:
        body = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": f"s{subject}"}
        self._count(
            lambda: requests.post(
                f"{service.url}/ops/status/report",
                json={**body, "status": status},
                headers={"X-API-Key": self.key},
                timeout=10,
            ),
        )

    def _read(self, service: Service, subject: int, number: int, status: str) -> None:
        # Another URL each time, because the edge cache may repeat an answer for half a second.
        answer = self._count(lambda: service.get(f"/badge/acme/s{subject}?v={number}"))
        shown = _TITLE.findall(answer.text) if answer is not None else ["no answer"]
        if shown != [status]:
            self.wrong.append(f"{service.url} showed {shown} instead of {status}")

    def _count(self, request: Callable[[], requests.Response]) -> requests.Response | None:
        try:
            answer = request()
        except requests.RequestException as error:
            self.answers[type(error).__name__] += 1
            return None
        self.answers[answer.status_code] += 1
        return answer

    def go_on(self, rounds: int = ROUNDS) -> None:
        """Wait until each subject has been through that many more rounds."""
        target = [done + rounds for done in self.rounds]
        assert eventually(lambda: all(map(int.__ge__, self.rounds, target)), 10 * START_SECONDS)

    def end(self) -> None:
        """Stop, and wait until no request is under way."""
        self.has_ended.set()
        for thread in self.threads:
            thread.join()

    def use_only(self, *instances: Service) -> None:
        """Change the load balancer's list; returns once no request to a removed instance is under way."""
        self.instances = list(instances)
        self.go_on(2)


@contextlib.contextmanager
def load(key: str, *instances: Service) -> Iterator[Users]:
    users = Users(key, list(instances))
    for thread in users.threads:
        thread.start()
    try:
        yield users
    finally:
        users.end()


@pytest.fixture(scope="module")
def old_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release, installed."""
    commit = releases()[-1].commit() if releases() else None
    needs("The last release in the repository's history", is_there=commit is not None)
    assert commit is not None
    folder = tmp_path_factory.mktemp("old")
    return installed(built_wheel(commit, folder), folder / "packages")


@pytest.fixture(scope="module")
def new_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    return installed(wheel_of(PROJECT, folder / "dist"), folder / "packages")


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "valkey").mkdir()
    with running_postgres() as postgres, running_valkey(tmp_path / "valkey") as valkey:
        yield {
            "BADGE_CATALOGUE_URL": postgres.new_database(),
            "BADGE_REDIS_URL": valkey.url,
            "BADGE_SECRET_KEY": 40 * "s",
            "BADGE_WORKERS": "2",
            "BADGE_REDIS_TIMEOUT": "300ms",
            "BADGE_OPS_PER_MINUTE": "1000000",
        }


def test_no_badge_is_wrong_while_instances_are_replaced_one_by_one(
    old_packages: Path, new_packages: Path, shared: dict[str, str], tmp_path: Path
) -> None:
    old, new = Version(old_packages, shared), Version(new_packages, shared)
    key = old.badge("key", "create", "ci").stdout.strip()
    with old.running(tmp_path / "a") as a, old.running(tmp_path / "b") as b, load(key, a, b) as users:
        users.go_on()
        cookie = log_in(a.url, old.badge("login-link").stdout.strip().removeprefix("http://127.0.0.1:8000"))
        with new.running(tmp_path / "c") as c:  # migrates the schema
            users.use_only(a, b, c)
            users.go_on()
            respawn_a_worker(a)
            reload(b)
            users.go_on()
            users.use_only(b, c)
            stop(a)
            with new.running(tmp_path / "d") as d:
                users.use_only(b, c, d)
                users.go_on()
                users.use_only(c, d)
                stop(b)
                users.go_on()
                users.end()
                assert d.get("/dashboard", cookies=dict([cookie])).status_code == 200
                assert summarised(c) == summarised(d) == protected(d)
    assert users.wrong == []
    assert set(users.answers) == {200}


def summarised(service: Service) -> int:
    """Return how many subjects are protected according to the stored totals, which both versions have updated."""
    return int(service.get("/summary/GitHub/acme.json?v=end").json()["protected"])


def protected(service: Service) -> int:
    """Return how many subjects are protected according to their badges."""
    badges = [service.get(f"/badge/acme/s{subject}.json?v=end").json() for subject in range(SUBJECTS)]
    return sum(badge["lastFinished"] == "succeeded" for badge in badges)


def stop(service: Service) -> None:
    service.process.terminate()
    assert service.process.wait(START_SECONDS) == 0


def respawn_a_worker(service: Service) -> None:
    """Kill a worker, which gunicorn then replaces with another that runs the old code."""
    before = {worker.pid for worker in service.workers()}
    psutil.Process(min(before)).send_signal(signal.SIGTERM)
    assert eventually(lambda: len({worker.pid for worker in service.workers()} - before) == 1, START_SECONDS)


def reload(service: Service) -> None:
    service.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "The configuration was reloaded." in service.log.read_text(), START_SECONDS)
