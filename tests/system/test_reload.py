"""Reloads of a running service (SIGHUP): good ones, faulty ones, and changes that need a restart."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from badge.cache.embedded.server import answers, socket_path
from badge.catalogue.in_use import CatalogueInUse, alone
from tests.command_line import run_badge
from tests.load import at_a_rate
from tests.servers import Service, eventually, running_service

WEB = "GitHub/acme/Repository/web"
SOURCES = """
[[source]]
name = "own"
kind = "catalogue"
match = {{ account = "{account}" }}
"""
CURRENT = "badge_configuration_current"
RELOADED, REFUSED = "The configuration was reloaded.", "The configuration was not reloaded"


@dataclass
class Reloadable:
    """A service with a settings file, a sources.toml and a secret in a file."""

    service: Service
    settings: Path
    sources: Path
    secret: Path

    def write_good(self, *lines: str, account: str = "*") -> None:
        self.secret.write_text("x" * 20)
        self.sources.write_text(SOURCES.format(account=account))
        own = ["BADGE_SOURCES=sources.toml", "BADGE_METRICS_TOKEN_FILE=secret", "BADGE_REDIS_TIMEOUT=300ms"]
        self.settings.write_text("\n".join([*own, *lines]) + "\n")

    def hang_up(self) -> None:
        self.service.process.send_signal(signal.SIGHUP)

    def reload(self) -> str:
        """Reload; returns what was logged meanwhile."""
        before = len(self.service.log.read_text())
        self.hang_up()
        assert eventually(lambda: any(end in self.log_since(before) for end in (RELOADED, REFUSED)), 20)
        return self.log_since(before)

    def log_since(self, position: int) -> str:
        return self.service.log.read_text()[position:]

    def state(self) -> tuple[str, float]:
        """Return the configuration's state on /readyz, and the metric."""
        answers: list[requests.Response] = []

        def is_answered_by_a_new_worker() -> bool:
            answers.append(self.service.get("/readyz"))
            return answers[-1].text != '{"status":"draining"}\n'

        assert eventually(is_answered_by_a_new_worker, 20)
        assert answers[-1].status_code == 200
        checks = answers[-1].json()["checks"]
        assert checks.keys() == {"cache", "catalogue", "source", "png", "configuration"}
        return checks["configuration"], self.service.series()[CURRENT]

    def valkeys(self) -> list[int]:
        children = psutil.Process(self.service.process.pid).children(recursive=True)
        return [child.pid for child in children if "valkey" in child.name()]


@contextlib.contextmanager
def reloadable(folder: Path, **settings: str) -> Iterator[Reloadable]:
    files = Reloadable(None, folder / "badge.env", folder / "sources.toml", folder / "secret")  # type: ignore[arg-type] # set below
    files.write_good()
    with running_service(folder / "data", BADGE_SETTINGS_FILE=str(files.settings), **settings) as service:
        files.service = service
        yield files


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloadable]:
    with reloadable(tmp_path_factory.mktemp("reload")) as it:
        yield it


FAULTS: dict[str, tuple[Callable[[Reloadable], object], str]] = {
    "broken sources.toml": (lambda it: it.sources.write_text("[[source]\n"), "sources.toml: is not valid TOML"),
    "missing secret": (lambda it: it.secret.unlink(), "BADGE_METRICS_TOKEN_FILE: can't be read: No such file"),
    "unreadable settings": (lambda it: it.settings.write_bytes(b"\xff"), "can't be read: it is not UTF-8 text"),
    "unusable catalogue": (
        lambda it: it.write_good("BADGE_CATALOGUE_URL=sqlite:////dev/null/catalogue.sqlite3"),
        "The catalogue sqlite:////dev/null/catalogue.sqlite3 can't be used: ",
    ),
    "several": (
        lambda it: it.write_good("BADGE_WORKERS=many", "BADGE_LABLE=x"),
        "BADGE_WORKERS: must be a whole number from 1 to 64",
    ),
}


@pytest.mark.parametrize(("spoil", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_configuration_is_logged_and_the_previous_one_stays(
    running: Reloadable, spoil: Callable[[Reloadable], object], fault: str
) -> None:
    assert eventually(lambda: len(running.service.workers()) == 2)
    workers = running.service.workers()
    spoil(running)
    log = running.reload()
    faults = [line.partition("[ERROR] ")[2] for line in log.splitlines() if "[ERROR]" in line]
    assert fault in "\n".join(faults)
    # One line for each fault, and one for the outcome.
    assert len(faults) == (3 if "BADGE_WORKERS" in fault else 2)
    assert running.state() == ("down", 0)
    assert running.service.workers() == workers
    assert running.service.get(f"/badge/{WEB}").status_code == 200
    running.write_good()


def test_a_good_reload_takes_effect_and_keeps_the_cache_and_the_counts(running: Reloadable) -> None:
    settings = {"BADGE_SETTINGS_FILE": str(running.settings), "BADGE_DATA_DIR": str(running.service.data_dir)}
    assert run_badge("report", WEB, "succeeded", **settings).exit_code == 0
    assert running.service.get(f"/badge/{WEB}.txt").text == "succeeded\n"
    calls, requests, valkeys = (
        running.service.counted("badge_source_calls_total"),
        running.service.counted("badge_requests_total"),
        running.valkeys(),
    )
    running.write_good("BADGE_LABEL=nightly")
    running.reload()
    assert running.state() == ("up", 1)
    assert "nightly: succeeded" in running.service.get(f"/badge/{WEB}").text
    assert (running.valkeys(), len(valkeys)) == (valkeys, 1)
    assert running.service.counted("badge_source_calls_total") == calls  # the status was still cached
    assert running.service.counted("badge_requests_total") == requests + 1


def test_a_changed_source_takes_effect(running: Reloadable) -> None:
    for account, status in (("nobody", 404), ("*", 200)):
        running.write_good(account=account)
        running.reload()
        assert running.service.get(f"/badge/{WEB}.json").status_code == status


def test_another_catalogue_is_created_and_the_previous_one_released(running: Reloadable, tmp_path: Path) -> None:
    previous, other = running.service.data_dir / "catalogue.sqlite3", tmp_path / "other.sqlite3"
    for line, status, released in ((f"BADGE_CATALOGUE_URL=sqlite:///{other}", 404, previous), ("", 200, other)):
        running.write_good(line)
        running.reload()
        assert running.service.get(f"/badge/{WEB}.json").status_code == status
        with alone(released), pytest.raises(CatalogueInUse), alone(other if released == previous else previous):
            pass


def test_what_needs_a_restart_is_named_and_the_rest_is_reloaded(running: Reloadable, tmp_path: Path) -> None:
    running.write_good("BADGE_WORKERS=3", "BADGE_REDIS_URL=redis://127.0.0.1:9", "BADGE_LABEL=rest")
    (line,) = [line for line in running.reload().splitlines() if "restart" in line]
    assert "BADGE_WORKERS, BADGE_REDIS_URL" in line
    assert running.state() == ("down", 0)
    assert eventually(lambda: len(running.service.workers()) == 2)
    assert "rest: succeeded" in running.service.get(f"/badge/{WEB}").text
    running.write_good()
    assert "restart" not in running.reload()
    assert running.state() == ("up", 1)


def test_no_badge_is_lost_while_good_and_bad_reloads_overlap(running: Reloadable) -> None:
    before = len(running.service.log.read_text())

    def change(seconds: float) -> None:
        if int(seconds * 10) % 4 == 0:
            running.hang_up()
        log = running.log_since(before)
        if REFUSED in log:
            running.write_good("BADGE_LABEL=last")
        elif RELOADED in log:
            running.sources.write_text("[[")

    answers = at_a_rate([f"{running.service.url}/badge/{WEB}?v={number}" for number in range(75)], 30, change)
    assert {answer.code for answer in answers} == {200}
    assert {answer.status.rpartition(": ")[2] for answer in answers} <= {"succeeded", "unknown"}
    assert eventually(lambda: REFUSED in running.log_since(before), 20)
    running.write_good("BADGE_LABEL=last")
    running.hang_up()
    assert eventually(lambda: running.state() == ("up", 1), 20)
    assert eventually(lambda: "last: " in running.service.get(f"/badge/{WEB}?now").text, 20)
    log = running.log_since(before)
    # All signals during a reload trigger only one more.
    assert log.count(RELOADED) + log.count(REFUSED) < 30


def test_a_stop_during_a_reload_finishes_requests_and_cleans_up(running: Reloadable) -> None:
    """Runs last, because it stops the service that other tests share."""
    running.sources.write_text("[[")
    before = len(running.service.log.read_text())
    running.hang_up()
    # Wait for this reload, so that no earlier one can still replace workers.
    assert eventually(lambda: REFUSED in running.log_since(before), 20)
    with unfinished_request(running.service) as (client, worker):
        running.hang_up()
        running.service.process.terminate()
        assert eventually(lambda: running.service.workers() == [worker], 9), "the trial is still running"
        client.sendall(b"\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert running.service.process.wait(15) == 0
    assert "Traceback" not in running.log_since(before)
    assert eventually(lambda: not answers(socket_path(running.service.data_dir)), 2.0), "the cache still runs"


@contextlib.contextmanager
def unfinished_request(service: Service) -> Iterator[tuple[socket.socket, psutil.Process]]:
    """Send all of a request but its last line; yields the connection and the worker that waits for that line."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.sendall(f"GET /badge/{WEB} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n".encode())
        own, waiting = client.getsockname(), list[psutil.Process]()

        def is_accepted() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):  # a reload's trial process, which ends by itself
                holders = (each for each in service.workers() if any(to.raddr == own for to in each.net_connections()))
                waiting[:] = holders
            return len(waiting) == 1

        assert eventually(is_accepted)
        yield client, waiting[0]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloadable]:
    with reloadable(tmp_path_factory.mktemp("single"), BADGE_PRELOAD="false", BADGE_WORKERS="1") as it:
        yield it


def test_without_preloading_a_new_worker_uses_the_configuration_in_force(single: Reloadable) -> None:
    single.write_good("BADGE_LABEL=changed")
    single.reload()
    (worker,) = single.service.workers()
    single.sources.write_text("[[")
    worker.kill()
    assert eventually(lambda: single.service.workers() not in ([], [worker]), 10)
    assert eventually(lambda: "changed: unknown" in single.service.get(f"/badge/{WEB}").text, 10)


def test_a_trial_that_hangs_holds_up_neither_badges_nor_the_stop(single: Reloadable) -> None:
    single.write_good()
    single.secret.unlink()
    os.mkfifo(single.secret)  # reading it waits for a writer
    master = psutil.Process(single.service.process.pid)
    before = master.children()
    single.hang_up()
    assert eventually(lambda: len(master.children()) > len(before))
    (trial,) = set(master.children()) - set(before)
    assert eventually(lambda: not trial.net_connections()), "the trial keeps the address in use"
    assert single.service.get(f"/badge/{WEB}").status_code == 200
    children = master.children()
    single.service.process.terminate()
    assert single.service.process.wait(15) == 0
    assert eventually(lambda: all(map(has_ended, children)))


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has ended, though its exit code may not be collected yet: init may take seconds."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
