"""A herd of requests for one badge, on two services with two workers each and one cache: one call, no wrong badge."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

import pytest

from tests.fault_server import FaultServer, running_fault_server
from tests.load import Answer, all_at_once, percentile
from tests.servers import Service, eventually, running_service, running_valkey
from tests.timing import ROOM, assert_within

pytestmark = pytest.mark.alone

IN_TIME_SECONDS = 2.0
SLACK_SECONDS = 1.0
UPSTREAM_SECONDS = 0.3
UPSTREAM_WAIT_SECONDS = 1.7
FRESH_SECONDS = 5


@dataclass
class Fleet:
    """Two services, their shared Valkey, and their upstream."""

    services: list[Service]
    upstream: FaultServer
    numbers: Iterator[int] = field(default_factory=count)
    known: dict[str, float] = field(default_factory=dict)
    """Badges with a cached status, and when it was fetched."""

    def new_path(self) -> str:
        return f"/badge/acme/repo-{next(self.numbers)}"

    def fetch_some(self) -> None:
        """Fetch badges for `expired_path` in advance, so that they expire while other tests run."""
        for path in (self.new_path(), self.new_path()):
            assert self.services[0].get(path).status_code == 200
            self.known[path] = time.monotonic()

    def expired_path(self) -> str:
        """Return a badge whose cached status has expired."""
        path, fetched = self.known.popitem()
        time.sleep(max(0.0, fetched + FRESH_SECONDS + 0.2 - time.monotonic()))  # noqa: TID251 - past its lifetime
        return path

    def urls(self, path: str, number: int) -> list[str]:
        return [self.services[index % len(self.services)].url + path for index in range(number)]

    def calls(self, path: str) -> int:
        name = path.rpartition("/")[2]
        return sum(asked.subject["subjectName"] == name for asked in self.upstream.asked)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fault_server() as upstream, running_valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        settings = {
            "BADGE_UPSTREAM_URL": upstream.url,
            "BADGE_REDIS_URL": valkey.url,
            "BADGE_REDIS_TIMEOUT": "300ms",  # so that a busy machine is not mistaken for a lost Redis
            "BADGE_UPSTREAM_TIMEOUT": "3s",
            # Every test starts with unknown subjects.
            "BADGE_UPSTREAM_NEW_BURST": "10000",
            "BADGE_UPSTREAM_CONCURRENCY": "32",
            "BADGE_FRESH_FINISHED": f"{FRESH_SECONDS}s",
        }
        with (
            running_service(tmp_path_factory.mktemp("one"), **settings) as one,
            running_service(tmp_path_factory.mktemp("two"), **settings) as two,
        ):
            fleet = Fleet([one, two], upstream)
            fleet.fetch_some()
            yield fleet


@pytest.fixture(autouse=True)
def healthy(fleet: Fleet) -> None:
    fleet.upstream.mode, fleet.upstream.delay = "ok", 0.0


def is_true_or_brief(answer: Answer) -> bool:
    """Whether an answer has the true status, or "unknown" with a short lifetime."""
    return answer.code == 200 and (answer.status == "succeeded" or (answer.status == "unknown" and answer.max_age <= 5))


def test_a_herd_for_a_cold_badge_makes_one_call_and_everyone_gets_the_true_status(fleet: Fleet) -> None:
    fleet.upstream.delay = UPSTREAM_SECONDS
    for _ in range(10):
        path = fleet.new_path()
        for answers in (all_at_once(fleet.urls(path, 256)) for _ in range(2)):
            assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
            assert max(answer.seconds for answer in answers) < IN_TIME_SECONDS + SLACK_SECONDS
        assert fleet.calls(path) == 1


@pytest.mark.slow
def test_in_hundreds_of_herds_everyone_gets_the_true_status(fleet: Fleet) -> None:
    fleet.upstream.delay = UPSTREAM_SECONDS
    for _ in range(20):
        paths = [fleet.new_path() for _ in range(20)]
        for path in paths:
            answers = all_at_once(fleet.urls(path, 256))
            assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
        calls = Counter(fleet.calls(path) for path in paths)
        assert calls[1] >= 19
        assert set(calls) <= {1, 2}


def counted(fleet: Fleet, name: str) -> float:
    return sum(service.counted(name) for service in fleet.services)


def waits(fleet: Fleet, how: str) -> float:
    """Return how many threads waited for a status that was not cached, with the outcome `how`; "" means any."""
    return counted(fleet, f'badge_waits_total{{how="{how}')


def test_a_herd_occupies_at_most_one_thread_of_each_worker_and_every_answer_is_counted_once(fleet: Fleet) -> None:
    fleet.upstream.delay = UPSTREAM_SECONDS
    before = {name: counted(fleet, name) for name in ("badge_requests_total", "badge_collapsed_total")}
    served, all_waits = waits(fleet, "served"), waits(fleet, "")
    answers = all_at_once(fleet.urls(fleet.new_path(), 256))
    assert {answer.status for answer in answers} == {"succeeded"}
    assert 1 <= waits(fleet, "served") - served == waits(fleet, "") - all_waits <= 4
    assert counted(fleet, "badge_requests_total") - before["badge_requests_total"] == 256
    assert counted(fleet, "badge_collapsed_total") > before["badge_collapsed_total"]


def test_many_keys_make_one_call_each(fleet: Fleet) -> None:
    fleet.upstream.delay = 0.05
    paths = [fleet.new_path() for _ in range(64)]
    answers = all_at_once([url for path in paths for url in fleet.urls(path, 8)])
    assert all(is_true_or_brief(answer) for answer in answers)
    assert eventually(lambda: all(fleet.calls(path) == 1 for path in paths), 10)
    time.sleep(0.6)  # noqa: TID251 - time for a further call, which must not come
    again = [answer for path in paths for answer in all_at_once(fleet.urls(path, 8))]
    assert {(answer.code, answer.status) for answer in again} == {(200, "succeeded")}
    assert Counter(fleet.calls(path) for path in paths) == {1: 64}


@pytest.mark.parametrize("mode", ["500", "hang-before-headers", "reset", "bad-json", "html200"])
def test_a_herd_makes_one_call_to_a_failing_upstream_too(fleet: Fleet, mode: str) -> None:
    fleet.upstream.mode, fleet.upstream.delay = mode, 0.1
    path = fleet.new_path()
    answers = all_at_once(fleet.urls(path, 256))
    assert {(answer.code, answer.status) for answer in answers} == {(200, "unknown")}
    assert max(answer.seconds for answer in answers) < IN_TIME_SECONDS + SLACK_SECONDS
    assert fleet.calls(path) == 1


def test_nobody_waits_for_an_expired_badge_and_there_is_one_call(fleet: Fleet) -> None:
    path = fleet.expired_path()
    fleet.upstream.delay = 2.0
    waited = waits(fleet, "")
    answers = all_at_once(fleet.urls(path, 100))
    assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
    assert waits(fleet, "") == waited
    assert max(answer.seconds for answer in answers) < UPSTREAM_WAIT_SECONDS / 2
    assert fleet.calls(path) == 2


def test_an_outage_changes_no_badge_and_costs_one_call_per_back_off(fleet: Fleet) -> None:
    path = fleet.expired_path()
    fleet.upstream.mode = "500"
    ends, answers = time.monotonic() + 8, []
    while time.monotonic() < ends:
        answers += all_at_once(fleet.urls(path, 10))
        time.sleep(0.2)  # noqa: TID251 - a rate, not a flood
    assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
    assert fleet.calls(path) == 1 + 2  # one before the outage; during it, one at once and one after 4 to 6 s


def test_warm_badges_do_not_wait_behind_cold_ones_of_a_hanging_upstream(fleet: Fleet) -> None:
    def wait() -> float:
        fleet.upstream.mode = "ok"
        assert eventually(lambda: is_every_breaker_closed(fleet), 20)
        warm = fleet.new_path()
        fleet.services[0].get(warm)
        fleet.upstream.mode = "hang-before-headers"
        cold = [url for _ in range(256) for url in fleet.urls(fleet.new_path(), 1)]
        with ThreadPoolExecutor() as pool:
            herd = pool.submit(all_at_once, cold)
            time.sleep(0.3)  # noqa: TID251 - the cold ones have arrived
            seen = [all_at_once(fleet.urls(warm, 1))[0] for _ in range(150)]
            assert {(answer.code, answer.status) for answer in herd.result(10)} == {(200, "unknown")}
        assert {(answer.code, answer.status) for answer in seen} == {(200, "succeeded")}
        assert max(answer.seconds for answer in herd.result()) < IN_TIME_SECONDS + SLACK_SECONDS
        return percentile(seen, 0.99)

    assert_within(ROOM * 0.05, wait)


def is_every_breaker_closed(fleet: Fleet) -> bool:
    answers = [all_at_once(fleet.urls(fleet.new_path(), 1))[0] for _ in range(16)]
    return all(answer.status == "succeeded" for answer in answers)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run two services with one worker each, one cache and one upstream."""
    with running_fault_server() as upstream, running_valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        settings = {"BADGE_UPSTREAM_URL": upstream.url, "BADGE_REDIS_URL": valkey.url, "BADGE_WORKERS": "1"}
        with (
            running_service(tmp_path_factory.mktemp("one"), **settings) as one,
            running_service(tmp_path_factory.mktemp("two"), **settings) as two,
        ):
            yield Fleet([one, two], upstream)


def test_when_a_fetching_worker_is_killed_another_takes_over_in_time(pair: Fleet) -> None:
    one, two = pair.services
    pair.upstream.delay = UPSTREAM_SECONDS
    path = pair.new_path()
    first = threading.Thread(target=all_at_once, args=([one.url + path],))
    first.start()
    assert eventually(lambda: pair.calls(path) == 1)
    os.kill(one.workers()[0].pid, signal.SIGKILL)
    answers = all_at_once([two.url + path] * 4)
    first.join()
    assert {(answer.code, answer.status) for answer in answers} == {(200, "succeeded")}
    assert pair.calls(path) == 2
    assert max(answer.seconds for answer in answers) < IN_TIME_SECONDS + SLACK_SECONDS


def test_a_worker_suspended_during_a_fetch_does_not_bring_back_the_old_status(pair: Fleet) -> None:
    one, two = pair.services
    assert eventually(lambda: one.get("/livez").ok)  # its worker was killed above
    pair.upstream.delay = UPSTREAM_SECONDS
    path, late = pair.new_path(), one.workers()[0]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(all_at_once, [one.url + path])
        assert eventually(lambda: pair.calls(path) == 1)
        late.suspend()
        time.sleep(2 * UPSTREAM_SECONDS)  # noqa: TID251 - the old status is on its way to the suspended worker
        pair.upstream.status = "failed"
        assert all_at_once([two.url + path])[0].status == "failed"
        time.sleep(3 - 2 * UPSTREAM_SECONDS)  # noqa: TID251 - past the lease and all deadlines
        late.resume()
        assert first.result()[0].status != "succeeded"
    time.sleep(1)  # noqa: TID251 - past the edge cache's lifetime
    assert [answer.status for answer in all_at_once([one.url + path, two.url + path])] == ["failed", "failed"]
    assert pair.calls(path) == 2
