"""Every fault an upstream was seen to have, through the whole service over HTTP.

Always an image, in time, with the true status; the true code for programs; nothing of the
upstream's in any answer or log line; one log line for each question that failed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import pytest
import requests
from defusedxml import ElementTree

from tests.fault_server import MODES, SECRET, FaultServer, running_fault_server
from tests.servers import Service, eventually, running_service

KEY = "bsb_canary-of-the-api-key"
IN_TIME_SECONDS = 2.0
SLACK_SECONDS = 1.0
"""Two cores run the service, the upstream and the test at once."""

# What a subject never heard of shows: status, true code.
ANSWERS = {
    "ok": ("succeeded", 200),
    "moved": ("succeeded", 200),
    "404-html": ("unknown", 404),
    "410": ("deleted", 410),
    "new-enum": ("unknown", 200),
    "future-time": ("succeeded", 200),
}
OUTAGE = ("unknown", 503)


@dataclass
class Rig:
    """A service and the upstream that fails it."""

    service: Service
    upstream: FaultServer
    names: Iterator[int]

    def fresh_path(self) -> str:
        return f"/badge/acme/repo-{next(self.names)}"

    def log(self) -> str:
        return self.service.log.read_text()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_fault_server() as upstream:
        settings = {
            "BADGE_UPSTREAM_URL": upstream.url,
            "BADGE_UPSTREAM_API_KEY": KEY,
            "BADGE_FRESH_FINISHED": "1s",
            "BADGE_WORKERS": "1",
        }
        with running_service(tmp_path_factory.mktemp("faults"), **settings) as service:
            yield Rig(service, upstream, iter(range(10_000)))


def status_of(image: requests.Response) -> str:
    assert image.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    title = ElementTree.fromstring(image.content).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    return str(title.text).removeprefix("backup: ")


def ask(rig: Rig, path: str) -> list[requests.Response]:
    """The image, the strict image and the JSON of one badge, at once; each in time."""

    def timed(suffix: str) -> requests.Response:
        began = time.monotonic()
        answer = rig.service.get(path + suffix)
        assert time.monotonic() - began < IN_TIME_SECONDS + SLACK_SECONDS
        assert SECRET not in answer.text + str(answer.headers)
        return answer

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(timed, ["", "?strict=1", ".json"]))


@pytest.mark.parametrize("mode", MODES)
def test_a_subject_never_heard_of(rig: Rig, mode: str) -> None:
    rig.upstream.mode = mode
    status, code = ANSWERS.get(mode, OUTAGE)
    image, strict, document = ask(rig, rig.fresh_path())
    assert (image.status_code, status_of(image)) == (200, status)
    assert (strict.status_code, document.status_code) == (code, code)
    assert ("Retry-After" in document.headers) is (code == 503)


def failures(rig: Rig) -> int:
    return rig.log().count("source unavailable")


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ANSWERS])
def test_a_known_subject_keeps_its_status_and_each_failure_is_one_line(rig: Rig, mode: str) -> None:
    rig.upstream.mode = "ok"
    path = rig.fresh_path()
    assert status_of(rig.service.get(path)) == "succeeded"
    time.sleep(1.05)  # noqa: TID251 - past the lifetime, so that the upstream is asked
    rig.upstream.mode = mode
    before = failures(rig)
    image, strict, document = ask(rig, path)
    assert (image.status_code, status_of(image), strict.status_code) == (200, "succeeded", 200)
    assert (document.json()["status"], document.json()["stale"]) == ("succeeded", True)
    assert eventually(lambda: failures(rig) == before + 3)


def test_nothing_of_the_upstream_is_in_the_log(rig: Rig) -> None:
    log = rig.log().rpartition("Booting worker")[2]
    assert "badge served" in log
    for canary in (SECRET, KEY, str(rig.upstream.port), "acme", "repo-"):
        assert canary not in log


def worker_of(rig: Rig) -> psutil.Process:
    children = psutil.Process(rig.service.process.pid).children()
    return next(child for child in children if "valkey-server" not in child.name())


def test_bombs_and_floods_leave_no_memory_behind(rig: Rig) -> None:
    rig.upstream.mode = "huge"
    ask(rig, rig.fresh_path())
    worker = worker_of(rig)
    before, threads = worker.memory_info().rss, worker.num_threads()
    for mode in ("huge", "gzip-bomb", "deep-json", "hang-before-headers"):
        rig.upstream.mode = mode
        for _ in range(3):
            ask(rig, rig.fresh_path())
    assert worker.memory_info().rss - before < 20_000_000
    assert worker.num_threads() <= threads
