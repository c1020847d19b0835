"""A frozen or killed Redis, floods of invented names, forks: under load, no badge is wrong or late."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from badge import appearance
from badge.appearance import Look
from badge.artwork import png
from badge.cache.redis.connection import connect
from badge.model import BackupStatus, Origin, Report, Resolution
from tests.doubles import START
from tests.fault_server import FaultServer, running_fault_server
from tests.load import Answer, all_at_once, at_a_rate, percentile
from tests.servers import Service, ValkeyServer, eventually, needs, running_service, running_valkey
from tests.timing import ROOM, assert_within

UPSTREAM_SECONDS = 0.05


def status_for(name: str) -> str:
    """Return the upstream's status for a name; it varies, so that mix-ups are detected."""
    return ("succeeded", "failed", "inProgress", "scheduled")[hashlib.sha256(name.encode()).digest()[0] % 4]


WORDS = {"succeeded": "succeeded", "failed": "failed", "inProgress": "in progress", "scheduled": "scheduled"}


def is_true(answer: Answer) -> bool:
    name = answer.path.rpartition("/")[2].partition("?")[0]
    return (answer.code, answer.status) == (200, WORDS[status_for(name)])


@dataclass
class Rig:
    service: Service
    upstream: FaultServer


@contextmanager
def rig_with(folder: Path, **settings: str) -> Iterator[Rig]:
    with running_fault_server() as upstream:
        upstream.status_of = lambda subject: status_for(subject["subjectName"])
        settings = {
            "BADGE_UPSTREAM_URL": upstream.url,
            "BADGE_UPSTREAM_NEW_BURST": "10000",
            "BADGE_UPSTREAM_PER_SECOND": "1000",
            "BADGE_LOG_LEVEL": "warning",
            **settings,
        }
        with running_service(folder, **settings) as service:
            yield Rig(service, upstream)


@contextmanager
def rig_on_a_valkey(folder: Path, **settings: str) -> Iterator[tuple[Rig, ValkeyServer]]:
    (folder / "valkey").mkdir()
    with (
        running_valkey(folder / "valkey") as valkey,
        rig_with(folder / "service", BADGE_REDIS_URL=valkey.url, **settings) as rig,
    ):
        yield rig, valkey


# For tests that are not about time: a busy machine must not be mistaken for a lost Redis.
IN_NO_HURRY = {"BADGE_REDIS_TIMEOUT": "300ms"}
# For tests in which no caller may be refused: on a busy machine, more of them wait at the same time.
ALL_MAY_WAIT = {"BADGE_THREADS": "32"}


def one_in_five_is_cold(rig: Rig, seconds: float, per_second: int) -> Iterator[str]:
    for number in range(int(seconds * per_second)):
        name = f"cold-{number}" if number % 5 == 0 else f"warm-{number % 7}"
        # A unique parameter, so that the edge cache does not answer instead of Redis.
        yield f"{rig.service.url}/badge/acme/{name}?n={number}"


def at(moment: float, act: Callable[[], object]) -> Callable[[float], None]:
    """Return a function that calls `act` once, after `moment` seconds."""
    left = [act]

    def act_if_due(seconds: float) -> None:
        if left and seconds >= moment:
            left.pop()()

    return act_if_due


@pytest.mark.alone
def test_badges_stay_correct_and_fast_when_redis_freezes_under_load(tmp_path_factory: pytest.TempPathFactory) -> None:
    def stop_it() -> float:
        with rig_on_a_valkey(tmp_path_factory.mktemp("stopped"), **ALL_MAY_WAIT) as (rig, valkey):
            return p99_without_redis(rig, at(1.0, valkey.freeze), at(4.0, valkey.thaw))

    assert_within(ROOM * (UPSTREAM_SECONDS + 0.02), stop_it)


@pytest.mark.alone
def test_badges_stay_correct_and_fast_when_redis_restarts_under_load(tmp_path_factory: pytest.TempPathFactory) -> None:
    def kill_it() -> float:
        folder = tmp_path_factory.mktemp("killed")
        with (
            rig_on_a_valkey(folder, **ALL_MAY_WAIT) as (rig, valkey),
            ExitStack() as later,
            ThreadPoolExecutor(1) as beside,
        ):
            start = partial(beside.submit, later.enter_context, running_valkey(folder / "valkey"))
            return p99_without_redis(rig, at(1.0, valkey.process.kill), at(4.0, start))

    assert_within(ROOM * (UPSTREAM_SECONDS + 0.02), kill_it)


def p99_without_redis(rig: Rig, lose: Callable[[float], None], restore: Callable[[float], None]) -> float:
    """Return the p99 under load while Redis is lost and comes back; asserts correct badges and a working cache."""
    all_at_once([f"{rig.service.url}/badge/acme/warm-{number}" for number in range(7)])
    rig.upstream.delay = UPSTREAM_SECONDS
    answers = at_a_rate(one_in_five_is_cold(rig, 6, 100), 100, lose, restore)
    wrong = [answer for answer in answers if not is_true(answer)]
    assert wrong == []
    assert eventually(lambda: is_cache_up(rig), 5)
    after = all_at_once([f"{rig.service.url}/badge/acme/after-{number}" for number in range(4)])
    assert all(is_true(answer) for answer in after)
    return percentile(answers, 0.99)


def is_cache_up(rig: Rig) -> bool:
    return all(rig.service.get("/readyz").json()["checks"]["cache"] == "up" for _ in range(4))


@pytest.mark.alone
def test_without_redis_each_process_calls_the_source_at_most_once_per_badge(tmp_path: Path) -> None:
    with rig_on_a_valkey(tmp_path) as (rig, valkey):
        valkey.process.kill()
        valkey.process.wait()
        for _ in range(10):
            answers = all_at_once([f"{rig.service.url}/badge/acme/repo-{number}" for number in range(10)])
            assert all(answer.code == 200 for answer in answers)
        assert all(is_true(answer) for answer in answers)
        assert len(rig.upstream.asked) <= 2 * 10


def assert_shown_eventually(rig: Rig, names: Sequence[str]) -> None:
    """Assert that each badge shows its true status, perhaps after a brief "unknown", and never another."""
    urls, number = [f"{rig.service.url}/badge/acme/{name}" for name in names], count()
    for _ in range(40):
        if not urls:
            return
        unique = [f"{url}?n={next(number)}" for url in urls]
        answers = [answer for first in range(0, len(unique), 25) for answer in all_at_once(unique[first : first + 25])]
        urls = [answer.path.partition("?")[0] for answer in answers if not is_true(answer) and is_unknown(answer)]
    assert urls == []


@pytest.mark.parametrize("kind", ["list", "string"])
def test_poison_in_redis_is_never_shown(tmp_path: Path, kind: str) -> None:
    names = [f"repo-{number}" for number in range(100)]
    with rig_on_a_valkey(tmp_path, **IN_NO_HURRY) as (rig, valkey):
        client = connect(valkey.url, timedelta(seconds=5), 1)
        assert_shown_eventually(rig, names)
        stored = {key: client.get(key) for key in client.scan_iter() if client.type(key) == b"string"}
        whole = [value for value in stored.values() if isinstance(value, bytes) and value.startswith(b"{")]
        assert len(whole) >= len(names)
        for number, key in enumerate(stored):
            if kind == "list":
                client.delete(key)
                client.lpush(key, "x")
            else:
                # Another subject's report, whole and truncated; a pickle; noise.
                other = whole[(number + 1) % len(whole)]
                client.set(key, (other, other[:-9], b"\x80\x04cos\nsystem\n.", bytes(range(256)))[number % 4])
        assert_shown_eventually(rig, names)
        assert is_cache_up(rig)
        client.close()


ROOM_FOR_SOME = 60_000
"""In bytes; one report with its overhead takes about a thousand."""


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_a_full_redis_changes_no_badge_and_is_not_an_outage(tmp_path: Path, policy: str) -> None:
    with rig_on_a_valkey(tmp_path, **IN_NO_HURRY) as (rig, valkey):
        client = connect(valkey.url, timedelta(seconds=5), 1)
        assert_shown_eventually(rig, [f"first-{number}" for number in range(100)])  # connections take memory too
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_FOR_SOME)

        def is_full() -> bool:
            if policy == "noeviction":
                return rig.service.counted("badge_cache_failures_total") > 0
            return bool(client.info("stats")["evicted_keys"] > 0)

        # Connections that took up memory when the limit was set may be closed by now, so filling it can take a while.
        for first in range(0, 2_000, 200):
            assert_shown_eventually(rig, [f"repo-{number}" for number in range(first, first + 200)])
            if is_full():
                break
        assert is_full()
        assert is_cache_up(rig)
        assert rig.service.counted("badge_breaker_moves_total") == 0
        client.close()


@pytest.mark.alone
def test_during_a_flood_of_invented_names_the_budget_holds_and_warm_badges_stay_fast(tmp_path: Path) -> None:
    limits = {"BADGE_UPSTREAM_NEW_BURST": "20", "BADGE_UPSTREAM_NEW_PER_SECOND": "5", "BADGE_UPSTREAM_PER_SECOND": "20"}
    with rig_with(tmp_path, **limits) as rig:
        warm = f"{rig.service.url}/badge/acme/warm"
        rig.service.get("/badge/acme/warm")
        for number in range(10):  # a worker's first answers are slow, because they import code
            assert all(is_true(answer) for answer in all_at_once([f"{warm}?first={number}"] * 8))
        numbers, began, before = count(), time.monotonic(), len(rig.upstream.asked)

        def flood() -> float:
            urls = (f"{warm}?n={n}" if n % 6 == 0 else f"{warm}-{n}" for n in islice(numbers, 5 * 360))
            answers = at_a_rate(urls, 360)
            assert {answer.code for answer in answers} == {200}
            known = [answer for answer in answers if "/warm?" in answer.path]
            assert all(is_true(answer) for answer in known)
            return percentile(known, 0.99)

        assert_within(ROOM * 0.025, flood)
        # Two workers, each with a burst and a rate.
        assert len(rig.upstream.asked) - before <= 2 * (20 + 5 * (time.monotonic() - began))


@pytest.mark.parametrize("preload", ["true", "false"])
def test_no_badge_shows_another_subject_s_status_with_forked_workers(tmp_path: Path, preload: str) -> None:
    patient = {"BADGE_THREADS": "32", "BADGE_WAITING": "32", "BADGE_UPSTREAM_CONCURRENCY": "16"}
    with rig_with(tmp_path, BADGE_WORKERS="4", BADGE_PRELOAD=preload, **patient) as rig:
        for first in range(0, 2000, 100):
            urls = [f"{rig.service.url}/badge/acme/repo-{number}" for number in range(first, first + 100)]
            for _ in range(20):
                urls = [answer.path for answer in all_at_once(urls) if not is_true(answer) and is_unknown(answer)]
                if not urls:
                    break
                time.sleep(0.1)  # noqa: TID251 - before the badges that were unknown are requested again
            assert urls == []


def is_unknown(answer: Answer) -> bool:
    """Whether the status is not known yet; any other wrong status would be another subject's."""
    assert (answer.code, answer.status) == (200, "unknown"), answer.path
    return True


def test_counts_are_exact_over_all_workers_and_last_until_the_service_ends(tmp_path: Path) -> None:
    with rig_with(tmp_path, BADGE_WORKERS="4") as rig:
        urls = [f"{rig.service.url}/badge/acme/web?n={number % 10}" for number in range(50)]
        for _ in range(4):
            assert {answer.code for answer in all_at_once(urls)} == {200}
        assert rig.service.counted("badge_requests_total") == 200
        for child in rig.service.workers():
            child.terminate()
        assert eventually(lambda: len(rig.service.workers()) == 4, 10)
        assert eventually(lambda: rig.service.counted("badge_requests_total") == 200, 10)
        all_at_once([f"{rig.service.url}/badge/acme/other-{number}" for number in range(40)])
        assert rig.service.counted("badge_requests_total") == 240
        # No label contains anything that a request can set.
        assert not [name for name in rig.service.series() if "other" in name or "acme" in name]
    with rig_with(tmp_path) as rig:
        assert rig.service.counted("badge_requests_total") == 0


TRUE_OF_WEB = Resolution(
    report=Report(status=BackupStatus(status_for("web")), observed_at=START),
    origin=Origin.UPSTREAM,
    age=timedelta(0),
    fresh_for=timedelta(minutes=1),
    now=START,
)


@pytest.mark.alone
def test_pngs_are_all_drawn_in_time_under_load(tmp_path: Path) -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    with rig_with(tmp_path, BADGE_WORKERS="1") as rig:
        rig.service.get("/badge/acme/web.png")
        firsts = count(0, 250)

        def load() -> float:
            answers = twenty_at_a_time(rig, next(firsts))
            assert {answer.code for answer in answers} == {200}
            for answer in answers:
                label, scale = re.findall(r"label=(l\d+)&scale=(\d)", answer.path)[0]
                assert answer.body == png.draw(appearance.badge_for(TRUE_OF_WEB, Look(label=label)), int(scale))
            return percentile(answers, 0.99)

        load()
        worker = rig.service.workers()[0]
        before = worker.memory_info().rss
        assert_within(ROOM * 0.1, load)
        assert worker.memory_info().rss - before < 5_000_000
        assert rig.service.get("/badge/acme/web.png?scale=99").content == rig.service.get("/badge/acme/web.png").content


def twenty_at_a_time(rig: Rig, first: int) -> list[Answer]:
    """Request 250 PNGs with new labels at scales 1 to 4, twenty at a time."""
    urls = [f"{rig.service.url}/badge/acme/web.png?label=l{n}&scale={1 + n % 4}" for n in range(first, first + 250)]
    return [answer for start in range(0, 250, 20) for answer in all_at_once(urls[start : start + 20])]


def test_a_stopped_service_leaves_nothing_behind(tmp_path: Path) -> None:
    with rig_with(tmp_path) as rig:
        children = psutil.Process(rig.service.process.pid).children(recursive=True)
    assert eventually(lambda: not any(child.is_running() for child in children), 3)
    assert not (tmp_path / "metrics").exists()
