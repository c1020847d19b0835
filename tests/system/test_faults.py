"""Every known way in which upstreams fail, through the whole service over HTTP.

There is always an image, in time, with the true status; programs get the true status code; no answer
or log line contains anything from the upstream; each failed call is one log line.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import requests
from defusedxml import ElementTree

from tests.fault_server import MODES, SECRET, FaultServer, running_fault_server
from tests.servers import Service, eventually, running_service, workers_of

KEY = "bsb_canary-of-the-api-key"
IN_TIME_SECONDS = 2.0
SLACK_SECONDS = 1.0
"""Allowance for running the service, the upstream and the test on two cores."""

# By mode: what an unknown subject's badge shows, and its status code with strict=1.
ANSWERS = {
    "ok": ("succeeded", 200),
    "moved": ("succeeded", 200),
    "404-html": ("unknown", 404),
    "410": ("deleted", 410),
    "new-enum": ("unknown", 200),
    "future-time": ("succeeded", 200),
}
OUTAGE = ("unknown", 503)


# Modes in which the upstream asks for a pause, during which it is not called for any subject.
PAUSING = {"403-ratelimit", "429-seconds", "429-date", "503"}


@dataclass
class Rig:
    """A service with a cached status for each mode, and its upstream, which fails from then on."""

    service: Service
    upstream: FaultServer
    mode: str = "ok"
    failures_before: int = 0

    @property
    def known(self) -> str:
        return f"/badge/acme/known-{self.mode}"

    @property
    def unknown(self) -> str:
        return f"/badge/acme/never-heard-of-{self.mode}"

    def log(self) -> str:
        return self.service.log.read_text()

    def failures(self) -> int:
        return self.log().count("source unavailable") - self.failures_before

    def failing_by(self, mode: str) -> Rig:
        """Check that the service is healthy, then make the upstream fail in this way; returns the new state."""
        rig = replace(self, mode=mode, failures_before=self.failures_before + self.failures())
        self.upstream.mode = "ok"
        assert status_of(self.service.get(f"/badge/acme/well-before-{mode}")) == "succeeded", self.log()
        self.upstream.mode = mode
        return rig


@contextlib.contextmanager
def healthy_rig(folder: Path, modes: Sequence[str] = ()) -> Iterator[Rig]:
    """Run a service that knows the subject of each of these modes."""
    with running_fault_server() as upstream:
        settings = {
            "BADGE_UPSTREAM_URL": upstream.url,
            "BADGE_UPSTREAM_API_KEY": KEY,
            "BADGE_UPSTREAM_TIMEOUT": "2s",
            "BADGE_FRESH_FINISHED": "1s",
            "BADGE_WORKERS": "1",
        }
        with running_service(folder, **settings) as service:
            rig = Rig(service, upstream)
            for mode in modes:  # all at once, so that their lifetimes end together
                assert status_of(service.get(replace(rig, mode=mode).known)) == "succeeded"
            yield rig


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with healthy_rig(tmp_path_factory.mktemp("shared"), [mode for mode in MODES if mode not in PAUSING]) as rig:
        yield rig


@pytest.fixture(scope="module", params=MODES)
def rig(request: pytest.FixtureRequest, shared: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    if request.param not in PAUSING:
        yield shared.failing_by(request.param)
        return
    with healthy_rig(tmp_path_factory.mktemp("pausing"), [request.param]) as rig:
        yield rig.failing_by(request.param)


def status_of(image: requests.Response) -> str:
    assert image.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    title = ElementTree.fromstring(image.content).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    return str(title.text).removeprefix("backup: ")


def ask(rig: Rig, path: str) -> list[requests.Response]:
    """Request image, strict image and JSON of one badge at the same time; asserts that each is in time."""

    def timed(suffix: str) -> requests.Response:
        began = time.monotonic()
        answer = rig.service.get(path + suffix)
        assert time.monotonic() - began < IN_TIME_SECONDS + SLACK_SECONDS
        assert SECRET not in answer.text + str(answer.headers)
        return answer

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(timed, ["", "?strict=1", ".json"]))


def test_badges_of_an_upstream_need_no_database_library(shared: Rig) -> None:
    master = psutil.Process(shared.service.process.pid)
    processes = [master, *workers_of(master)]
    assert len(processes) == 2
    assert not [file.path for process in processes for file in process.memory_maps() if "sqlalchemy" in file.path]


def test_an_unknown_subject_gets_an_image_in_time(rig: Rig) -> None:
    status, code = ANSWERS.get(rig.mode, OUTAGE)
    image, strict, document = ask(rig, rig.unknown)
    assert (image.status_code, status_of(image)) == (200, status)
    assert (strict.status_code, document.status_code) == (code, code)
    assert ("Retry-After" in document.headers) is (code == 503)
    # Three requests at once make one call and one log line.
    assert eventually(lambda: rig.failures() == (rig.mode not in ANSWERS), 3), rig.log()


def test_a_known_subject_keeps_its_status_and_is_stale(rig: Rig) -> None:
    if rig.mode in ANSWERS:
        return  # covered by the previous test
    assert eventually(lambda: bool(rig.service.get(rig.known + ".json").json()["stale"]), 5)
    image, strict, document = ask(rig, rig.known)
    assert (image.status_code, status_of(image), strict.status_code) == (200, "succeeded", 200)
    assert (document.json()["status"], document.json()["stale"]) == ("succeeded", True)
    assert rig.failures() == (1 if rig.mode in PAUSING else 2)


def test_nothing_from_the_upstream_is_in_the_log_or_the_metrics(rig: Rig) -> None:
    log = rig.log().rpartition("Booting worker")[2]
    assert "badge served" in log
    metrics = rig.service.get("/metrics").text
    assert "badge_source_calls_total" in metrics
    port = rf"(?<![\d.]){rig.upstream.port}(?!\d)"  # as a whole number, not as digits of a duration
    for canary in (SECRET, KEY, port, "acme", "never-heard"):
        assert re.search(canary, log) is None
        assert re.search(canary, metrics) is None


def peak_rss(worker: psutil.Process) -> int:
    """Return the peak RSS so far, in bytes (proc(5), VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_bombs_and_floods_do_not_fill_the_memory(tmp_path: Path) -> None:
    with healthy_rig(tmp_path) as healthy:
        rig = healthy.failing_by("huge")
        ask(rig, "/badge/acme/first")
        worker = rig.service.workers()[0]
        before, threads = peak_rss(worker), worker.num_threads()
        for number, mode in enumerate(["huge", "gzip-bomb", "deep-json", "drip", "hang-before-headers"] * 2):
            for now, path in ((mode, f"/badge/acme/bomb-{number}"), ("ok", f"/badge/acme/well-{number}")):
                rig.upstream.mode = now  # healthy in between, or the circuit breaker would open
                ask(rig, path)
        assert eventually(lambda: rig.failures() == 1 + 10, 3)
        assert peak_rss(worker) - before < 5_000_000
        assert worker.num_threads() <= threads + 8
