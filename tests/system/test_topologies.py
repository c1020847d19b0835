"""A whole service on Redis servers that fail over, fall silent, die and hand over their slots, under a steady load."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import pytest
from redis.crc import key_slot

from badge.app import build_parts
from badge.cache.envelope import key_names, to_micros
from badge.model import BackupStatus, CacheEntry, Report, Subject
from badge.ports import CacheKey
from badge.settings import load
from tests.doubles import SharedCache
from tests.fault_server import running_fault_server
from tests.load import Answer, at_a_rate, percentile
from tests.servers import Service, running_service
from tests.timing import ROOM
from tests.topologies import Cluster, TcpServer, cluster, watched_servers

pytestmark = pytest.mark.slow

COMMAND_SECONDS = 0.05
UPSTREAM_SECONDS = 0.05
CACHED_SECONDS = 0.01
BACK_SECONDS, SLACK_SECONDS = 5.0, 3.0
TRUTH = {f"repo-{number}": ("succeeded", "failed")[number % 2] for number in range(60)}
SUBJECTS = list(TRUTH)


@dataclass
class Rig:
    """A service, and the function that returns a subject's cache key."""

    service: Service
    key_of: Callable[[Subject], CacheKey]

    def value_name(self, name: str) -> str:
        """Return the Redis key of a repository's status."""
        return key_names(self.key_of(Subject.legacy("acme", name))).value

    def load(self, per_second: float, seconds: float, meanwhile: Callable[[float], None]) -> list[Answer]:
        """Request all subjects in turn; returns when every request has been answered."""
        urls = [f"{self.service.url}/badge/acme/{name}" for name in SUBJECTS]
        return at_a_rate(islice(cycle(urls), int(per_second * seconds)), per_second, meanwhile)


def assert_true(answers: list[Answer]) -> None:
    """Assert that every answer is an image with the true status; a few may be "unknown" for a moment."""
    assert {answer.code for answer in answers} == {200}
    untrue = [answer for answer in answers if answer.status != TRUTH[name_of(answer)]]
    assert {answer.status for answer in untrue} <= {"unknown"}
    assert all(answer.max_age <= 5 for answer in untrue)
    assert len(untrue) <= len(answers) // 50


def name_of(answer: Answer) -> str:
    return answer.path.rpartition("/")[2]


@contextmanager
def running_rig(folder: Path, redis_url: str) -> Iterator[Rig]:
    with running_fault_server() as upstream:
        upstream.delay = UPSTREAM_SECONDS
        upstream.status_of = lambda subject: TRUTH[subject["subjectName"]]
        settings = {
            "BADGE_UPSTREAM_URL": upstream.url,
            "BADGE_REDIS_URL": redis_url,
            # No answer comes from the edge cache, and each status is fetched again after two seconds.
            "BADGE_EDGE_CACHE": "0",
            "BADGE_FRESH_FINISHED": "2s",
            "BADGE_UPSTREAM_PER_SECOND": "1000",
            "BADGE_UPSTREAM_NEW_BURST": "10000",
        }
        with running_service(folder / "service", **settings) as service:
            rig = Rig(service, build_parts(load(settings)).resolver.key)
            assert_true(rig.load(30, 2, lambda _: None))
            yield rig


@dataclass
class Timetable:
    """Actions to take, each at a given second."""

    steps: list[tuple[float, Callable[[], object]]]

    def __call__(self, seconds: float) -> None:
        while self.steps and seconds >= self.steps[0][0]:
            self.steps.pop(0)[1]()


def test_badges_survive_a_cluster_that_loses_servers_and_moves_slots(tmp_path: Path) -> None:
    with (
        cluster(tmp_path, "--cluster-require-full-coverage", "no") as servers,
        running_rig(tmp_path, servers.url) as rig,
    ):
        silent, dead, left = servers.masters
        moved = next(name for name in SUBJECTS if lies_on(servers, rig.value_name(name)) is left)
        slot = key_slot(rig.value_name(moved).encode())
        answers = rig.load(
            100,
            14,
            Timetable(
                [
                    (1, lambda: servers.begin_to_move(slot, silent)),
                    (2, lambda: servers.move_keys(slot, silent)),
                    (3, lambda: servers.end_move(slot, silent)),
                    (4, silent.freeze),
                    (8, silent.thaw),
                    (9, dead.kill),
                ]
            ),
        )
        assert silent.admin().exists(rig.value_name(moved))
    assert_true(answers)
    others = [answer for answer in answers if name_of(answer) != moved]
    alive = [answer for answer in others if lies_on(servers, rig.value_name(name_of(answer))) is left]
    assert len(alive) > 200
    assert percentile(alive, 0.99) < ROOM * CACHED_SECONDS
    assert max(answer.seconds for answer in answers) < ROOM * (UPSTREAM_SECONDS + 4 * COMMAND_SECONDS)


def lies_on(servers: Cluster, redis_key: str) -> TcpServer:
    return servers.master_of(key_slot(redis_key.encode()))


@dataclass
class Pulse:
    """Another client of the same Redis, which writes and reads twenty times a second and times each command."""

    shared: SharedCache
    longest: float = 0.0
    ending: threading.Event = field(default_factory=threading.Event)
    key: CacheKey = ("github", "acme", "repository", "pulse")

    def beat(self) -> None:
        while not self.ending.wait(0.05):
            moment = datetime.now(UTC)
            ends = moment + timedelta(minutes=1)
            report = Report(status=BackupStatus.SUCCEEDED, observed_at=moment)
            entry = CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=ends)
            self.timed(partial(self.shared.cache.claim, self.key))
            self.timed(partial(self.shared.cache.put, self.key, entry), commands=2)
            self.timed(partial(self.shared.cache.get, self.key))

    def timed(self, operation: Callable[[], object], commands: int = 1) -> None:
        began = time.monotonic()
        operation()
        self.longest = max(self.longest, (time.monotonic() - began) / commands)


@contextmanager
def beating(pulse: Pulse) -> Iterator[None]:
    thread = threading.Thread(target=pulse.beat)
    thread.start()
    try:
        yield
    finally:
        pulse.ending.set()
        thread.join()


@dataclass
class Promotion:
    """The replica, and when it first held a value written after the loss of its primary."""

    server: TcpServer
    redis_key: str
    lost_at: datetime | None = None
    wrote_after: float | None = None

    def look(self) -> None:
        if self.lost_at is None or self.wrote_after is not None:
            return
        raw = self.server.admin().get(self.redis_key)
        if isinstance(raw, bytes) and json.loads(raw)["t0"] > to_micros(self.lost_at):
            self.wrote_after = (datetime.now(UTC) - self.lost_at).total_seconds()


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_badges_survive_the_loss_of_a_primary_under_sentinel(tmp_path: Path, fault: str) -> None:
    with watched_servers(tmp_path) as servers, running_rig(tmp_path, servers.url) as rig:
        promotion = Promotion(servers.replica, rig.value_name("repo-0"))
        pulse = Pulse(SharedCache(servers.url, lambda: datetime.now(UTC)))

        def lose() -> None:
            promotion.lost_at = datetime.now(UTC)
            getattr(servers.primary, fault)()

        lost = Timetable([(2, lose)])

        def meanwhile(seconds: float) -> None:
            lost(seconds)
            promotion.look()

        with beating(pulse):
            answers = rig.load(50, 12, meanwhile)
    assert_true(answers)
    assert promotion.wrote_after is not None
    assert promotion.wrote_after < BACK_SECONDS + SLACK_SECONDS
    assert pulse.longest < ROOM * COMMAND_SECONDS
    assert max(answer.seconds for answer in answers) < ROOM * (UPSTREAM_SECONDS + 4 * COMMAND_SECONDS)
