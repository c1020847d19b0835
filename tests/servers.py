"""Real servers for tests: Valkey on its own socket, and the whole service on gunicorn."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import requests

from badge.app import utc_now
from badge.cache.embedded.server import answers, binary_path
from badge.catalogue.database import Database
from badge.catalogue.logins import Logins
from badge.serving.watcher_process import PROCESS_NAME
from badge.web.login.link import link_url
from tests.command_line import run_badge

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
WATCHER = PROCESS_NAME.decode()
START_SECONDS = 60.0
"""How long to wait for a program to start, generous for a busy machine. No test asserts this time."""


def needs(what: str, *, is_there: bool) -> None:
    """Skip the test if a component is missing; in CI, fail."""
    if not is_there:
        reason = f"{what} is missing; `make setup` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether a condition becomes true in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.02)  # noqa: TID251 - waits for other processes, bounded
    return condition()


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_program(*command: str, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; yields when the URL `ready` answers 200."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _is_ready(ready), START_SECONDS), command[0]
        yield process
    finally:
        process.kill()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


@dataclass
class ServerProcess:
    """A server process that tests can freeze and kill."""

    process: subprocess.Popen[bytes]

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class ValkeyServer(ServerProcess):
    """A Valkey on a Unix socket."""

    socket: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


@contextlib.contextmanager
def running_valkey(folder: Path, *options: str) -> Iterator[ValkeyServer]:
    """Run a Valkey without TCP."""
    binary = binary_path()
    needs("The Valkey binary", is_there=binary is not None)
    path = folder / "v.sock"
    command = [str(binary), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        assert eventually(lambda: answers(path))
        yield ValkeyServer(process, path)
    finally:
        ServerProcess(process).kill()


@dataclass
class Service:
    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path
    _cookie: tuple[str, str] | None = field(default=None, init=False)

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **options)  # type: ignore[arg-type] # passed through

    def cookie(self) -> tuple[str, str]:
        """Return name and value of the cookie of a browser that has opened a login link."""
        if self._cookie is None:
            self._cookie = log_in(self.url, self.login_link())
        return self._cookie

    def login_link(self) -> str:
        """Return the path of a new login link; quicker than the command, which starts a process."""
        database = Database(f"sqlite:///{self.data_dir / 'catalogue.sqlite3'}")
        try:
            return link_url("", Logins(database, utc_now).make_link(timedelta(minutes=10)))
        finally:
            database.close()

    def get_logged_in(self, path: str) -> requests.Response:
        return self.get(path, cookies=dict([self.cookie()]))

    def workers(self) -> list[psutil.Process]:
        """Return gunicorn's workers, without its other children: the cache, the watcher and the PNG check."""
        return workers_of(psutil.Process(self.process.pid))

    def watchers(self) -> list[psutil.Process]:
        return watchers_of(psutil.Process(self.process.pid))

    def series(self) -> dict[str, float]:
        """Return the samples of /metrics, by name and labels."""
        lines = [line for line in self.get("/metrics").text.splitlines() if not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    def counted(self, name: str) -> float:
        """Return the sum of the series whose name and labels start with `name`."""
        return sum(value for series, value in self.series().items() if series.startswith(name))

    def flask_badge(self, *args: str) -> str:
        """Run `badge …` on this service's data; returns its output."""
        return flask_badge(*args, BADGE_DATA_DIR=str(self.data_dir)).stdout


def log_in(url: str, link: str) -> tuple[str, str]:
    """Open a login link at the service's URL, press its button, and return the session's cookie."""
    page = requests.get(url + link, timeout=10)
    fields = dict(re.findall(r'name="(csrf_token|link)" value="([^"]+)"', page.text))
    # Sent by hand, as browsers do, because requests sends no `Secure` cookie to http://127.0.0.1.
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in page.cookies.items())}
    answer = requests.post(f"{url}/login", data=fields, headers=cookies, timeout=10, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    [(name, value)] = answer.cookies.items()
    return name, str(value)


def workers_of(master: psutil.Process) -> list[psutil.Process]:
    """Return a gunicorn's running workers, in the order in which they were forked."""
    return _forked_by(master, lambda child: "gunicorn" in " ".join(child.cmdline()) and child.name() != WATCHER)


def watchers_of(master: psutil.Process) -> list[psutil.Process]:
    """Return a gunicorn's running watchers; two during a reload."""
    return _forked_by(master, lambda child: child.name() == WATCHER)


def _forked_by(master: psutil.Process, is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found = []
    for child in sorted(master.children(), key=lambda child: child.create_time()):
        with contextlib.suppress(psutil.NoSuchProcess):  # ended since it was listed
            if child.status() != psutil.STATUS_ZOMBIE and is_wanted(child):
                found.append(child)
    return found


def flask_badge(*args: str, answer: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `badge …` with these settings and no others, in this process; `answer` is typed at its prompt."""
    done = run_badge(*args, answer=answer, **settings)
    return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)


def badge_process(*args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `badge …` with these settings and no others, in a process of its own, which takes a second."""
    return subprocess.run(
        [sys.executable, "-m", "badge", *args],
        env={**clean_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of the service; this machine's settings file is ignored."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BADGE_")}
    return {**inherited, "BADGE_SETTINGS_FILE": os.devnull}


@contextlib.contextmanager
def running_service(data_dir: Path, application: str = "asgi:application", **settings: str) -> Iterator[Service]:
    """Run the whole service as `make run` does, on a port of its own."""
    bind = settings.get("BADGE_BIND", f"127.0.0.1:{free_port()}")
    environment = {**clean_environment(), "BADGE_BIND": bind, "BADGE_DATA_DIR": str(data_dir), **settings}
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py", application]
    with started_service(command, PROJECT, environment, data_dir, bind) as service:
        yield service


@contextlib.contextmanager
def started_service(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], data_dir: Path, bind: str
) -> Iterator[Service]:
    """Run the whole service by a command in a folder; yields once it answers at `bind`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "service.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=sink, stderr=sink)
    service = Service(f"http://{bind}", data_dir, process, log)
    try:
        assert eventually(lambda: _is_live(service), START_SECONDS), log.read_text()
        yield service
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


def _is_live(service: Service) -> bool:
    try:
        return service.get("/livez").status_code == 200
    except requests.ConnectionError:
        return False
