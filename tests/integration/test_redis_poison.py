"""Values planted under our keys in a real Valkey cause no exception and no wrong status, and are replaced."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from badge.cache.envelope import LONGEST, KeyNames, key_names, pause_name, seal
from badge.cache.redis.connection import connect
from badge.cache.redis.pictures import PICTURES_KEY, RedisPictureStore
from badge.events import CacheEntryRefused
from badge.model import BackupStatus, CacheEntry, Report
from tests.doubles import SharedCache
from tests.servers import ValkeyServer, running_valkey

KEY = ("upstream:1", "github", "acme", "repository", "web")
OTHER = ("upstream:1", "github", "acme", "repository", "api")
ELSEWHERE = ("upstream:2", "github", "acme", "repository", "web")
NAMES = key_names(KEY)
PAUSE = pause_name("upstream")
PATIENCE = timedelta(seconds=2)
# More than these tests need to read, and far less than the planted 10 MB.
LONGEST_SENT = 300_000
DECADE = timedelta(days=3650)
TRUTH, NEWS = BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS


def now() -> datetime:
    return datetime.now(UTC)


def entry(status: BackupStatus = TRUTH) -> CacheEntry:
    moment = now()
    report = Report(status=status, observed_at=moment)
    return CacheEntry(report=report, fetched_at=moment, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))


@dataclass
class Rig:
    """A server that all tests in this module share, emptied before each test."""

    server: ValkeyServer
    shared: SharedCache = field(init=False)

    def __post_init__(self) -> None:
        self.client: Any = connect(self.server.url, timedelta(seconds=10), 1)
        self.invalidate_all()

    def invalidate_all(self) -> None:
        self.client.flushall()
        self.shared = self.process()
        self.sent_before = self.sent()

    def process(self, clock_error: timedelta = timedelta(0)) -> SharedCache:
        """Return the cache of another process."""
        return SharedCache(self.server.url, lambda: now() + clock_error, PATIENCE.total_seconds())

    def sent(self) -> int:
        """Return the number of bytes the server has sent so far."""
        return int(self.client.info("stats")["total_net_output_bytes"])

    def is_untroubled(self) -> bool:
        """Whether all events were rejections, and no value too long to be ours was transferred."""
        is_read_in_part = self.sent() - self.sent_before < LONGEST_SENT
        return is_read_in_part and all(isinstance(event, CacheEntryRefused) for event in self.shared.events.seen)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def rig(server: ValkeyServer) -> Rig:
    return Rig(server)


class Executed:
    """Creates a folder if it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


def changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(seal(KEY, entry())), **changes}).encode()


def moved_by(name: str, ahead: timedelta) -> bytes:
    return changed(**{name: json.loads(seal(KEY, entry()))[name] + ahead // timedelta(microseconds=1)})


def poisons() -> dict[str, bytes]:
    """Return values that must be rejected, by name."""
    good = json.loads(seal(KEY, entry()))
    changes: dict[str, dict[str, Any]] = {
        "other schema": {"v": 99},
        "other key": {"k": list(OTHER)},
        "no key": {"k": None},
        "year 10000": {"f": 10**18},
        "huge number": {"at": 10**30},
        "text for time": {"t0": "now"},
        "text for report": {"r": "succeeded"},
        "bool for count": {"n": True},
    }
    fields: dict[str, dict[str, Any]] = {
        "status word": {"st": "great"},
        "status type": {"st": 1},
        "bool for number": {"rev": True},
        "number for bool": {"ex": 1},
        "visibility": {"vis": "everybody"},
    }
    poisoned = {name: changed(**change) for name, change in changes.items()}
    poisoned |= {name: changed(r={**good["r"], **change}) for name, change in fields.items()}
    poisoned |= {f"no {name}": json.dumps({k: v for k, v in good.items() if k != name}).encode() for name in good}
    poisoned |= {f"no {name}": changed(r={k: v for k, v in good["r"].items() if k != name}) for name in good["r"]}
    return poisoned | {
        "bytes": b"\x80\x04\xff",
        "number": b"5",
        "deep": b"[" * LONGEST,
        "pickle": pickle.dumps({"st": "succeeded"}),
        "10 MB": b" " * 10_000_000,
        "half": seal(KEY, entry())[:80],
        "of another subject": seal(OTHER, entry(BackupStatus.FAILED)),
        "of another deployment": seal(ELSEWHERE, entry(BackupStatus.FAILED)),
    }


@pytest.mark.parametrize("name", poisons())
def test_a_poisoned_value_is_a_miss_and_is_replaced(rig: Rig, name: str) -> None:
    cache = rig.shared.cache
    rig.client.set(NAMES.value, poisons()[name])
    assert cache.get(KEY) is None
    assert [type(event) for event in rig.shared.events.seen] == [CacheEntryRefused]
    assert rig.client.exists(NAMES.value) == 0
    rig.client.set(NAMES.value, poisons()[name])
    assert cache.claim(KEY).entry is None
    rig.client.set(NAMES.value, poisons()[name])
    value = entry()
    assert cache.put(KEY, value)
    assert cache.get(KEY) == value
    assert rig.is_untroubled()


# An entry may be fresh for at most 20 minutes: the longest wait (15) plus the clock tolerance (5). The tested entry is
# fresh for 2 anyway, so 19 more are too many.
@pytest.mark.parametrize("ahead", [DECADE, timedelta(days=2), timedelta(minutes=19)], ids=str)
@pytest.mark.parametrize("name", ["at", "f"])
def test_a_value_too_far_ahead_is_a_miss_and_is_replaced(rig: Rig, name: str, ahead: timedelta) -> None:
    cache = rig.shared.cache
    rig.client.set(NAMES.value, moved_by(name, ahead))
    assert cache.get(KEY) is None
    assert cache.claim(KEY).entry is None
    assert rig.shared.events.seen == 2 * [CacheEntryRefused("aheadOfClock")]
    value = entry()
    assert cache.put(KEY, value)
    assert cache.get(KEY) == value


def test_a_value_whose_fetch_began_in_the_future_is_replaced(rig: Rig) -> None:
    rig.client.set(NAMES.value, moved_by("t0", DECADE))
    value = entry(NEWS)
    assert rig.shared.cache.put(KEY, value)
    assert rig.shared.cache.get(KEY) == value


@pytest.mark.parametrize("minutes", [-6, -60, 6, 60])
def test_a_host_with_a_wrong_clock_uses_its_own_entries(rig: Rig, minutes: int) -> None:
    shared = rig.process(timedelta(minutes=minutes))
    value = fetched_by(shared)
    assert shared.cache.get(KEY) == value
    assert shared.cache.claim(KEY).entry == value
    assert shared.events.seen == []


def test_a_host_whose_clock_is_behind_leaves_the_entries_of_others(rig: Rig) -> None:
    value, slow = fetched_by(rig.shared), rig.process(timedelta(minutes=-6))
    assert slow.cache.get(KEY) is None
    assert rig.shared.cache.get(KEY) == value


def fetched_by(shared: SharedCache) -> CacheEntry:
    """Store an entry as a fetch of this process does, with its start by the server's clock."""
    began, moment = shared.cache.fetch_began(KEY), shared.clock()
    report = Report(status=TRUTH, observed_at=moment)
    value = CacheEntry(report=report, fetched_at=began, confirmed_at=moment, fresh_until=moment + timedelta(minutes=2))
    assert shared.cache.put(KEY, value)
    return value


def test_a_value_of_another_type_is_replaced(rig: Rig) -> None:
    for name in (*NAMES, PAUSE, PICTURES_KEY):
        rig.client.lpush(name, "x")
    cache = rig.shared.cache
    assert cache.get(KEY) is None
    assert rig.shared.pauses.paused_until("upstream") is None
    rig.client.lpush(NAMES.value, "x")
    lease = cache.claim(KEY).lease
    value = entry()
    assert cache.put(KEY, value, lease)
    assert cache.get(KEY) == value
    assert rig.is_untroubled()


@pytest.mark.parametrize("poison", [b"mine for ever", b""])
@pytest.mark.parametrize("seconds", [None, 86_400])
def test_a_lease_with_an_impossible_lifetime_is_ignored(rig: Rig, poison: bytes, seconds: int | None) -> None:
    rig.client.set(NAMES.lease, poison, ex=seconds)
    assert rig.shared.cache.claim(KEY).lease is not None


@pytest.mark.parametrize("poison", [b"99999999999999999", b"9" * 400, b"inf", b"nan", b"soon", b""])
def test_a_fence_in_the_future_is_ignored(rig: Rig, poison: bytes) -> None:
    rig.client.set(NAMES.fence, poison)
    assert rig.shared.cache.put(KEY, entry())


@pytest.mark.parametrize("poison", [b"-5", b"99999999999999999", b"9" * 30, b"soon", b"", b"9" * 10_000_000])
def test_an_impossible_pause_is_ignored(rig: Rig, poison: bytes) -> None:
    rig.client.set(PAUSE, poison)
    assert rig.shared.pauses.paused_until("upstream") is None
    assert rig.is_untroubled()


def test_a_picture_that_is_too_large_is_a_miss_and_is_not_transferred(rig: Rig) -> None:
    store = RedisPictureStore(rig.shared.commands)
    rig.client.hset(PICTURES_KEY, "one", b"one\n" + b"x" * 10_000_000)
    assert store.get("one") is None
    assert rig.client.hexists(PICTURES_KEY, "one") is False
    assert rig.is_untroubled()


def test_a_pickle_is_never_loaded(rig: Rig, tmp_path: Path) -> None:
    for name in (*NAMES, PAUSE):
        rig.client.set(name, pickle.dumps(Executed(tmp_path / "proof")))
    assert_harmless(rig)
    assert not (tmp_path / "proof").exists()


def assert_harmless(rig: Rig) -> None:
    """Assert that the planted value is a miss or the truth, and is replaced by the next report."""
    cache = rig.shared.cache
    for found in (cache.get(KEY), cache.claim(KEY).entry):
        assert found is None or found.report is None or found.report.status is TRUTH
    until = rig.shared.pauses.paused_until("upstream")
    assert until is None or until < now() + timedelta(hours=1)
    news = entry(NEWS)
    assert cache.put(KEY, news)
    assert rig.process().cache.get(KEY) == news
    assert rig.is_untroubled()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
GOOD: dict[str, Any] = json.loads(seal(KEY, entry()))


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """Generate valid envelopes with some fields changed."""
    made = {**GOOD, **draw(st.dictionaries(st.sampled_from(sorted(GOOD)), json_values, max_size=3))}
    if isinstance(made["r"], dict):
        made["r"] = {**made["r"], **draw(st.dictionaries(st.sampled_from(sorted(GOOD["r"])), json_values, max_size=3))}
    return json.dumps(made).encode()


plants = st.binary(max_size=300) | envelopes() | json_values.map(lambda value: json.dumps(value).encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*NAMES, PAUSE]), planted=plants, seconds=st.none() | st.integers(1, 10**6))
@example(NAMES.value, b"x" * 10_000_000, None)
@example(NAMES.fence, b"9" * 10_000_000, None)
@example(NAMES.lease, b"x" * 10_000_000, 10**6)
@example(NAMES.value, moved_by("t0", -DECADE), None)
@example(NAMES.value, moved_by("f", -DECADE), None)
@example(NAMES.value, moved_by("at", -DECADE), None)
def test_any_planted_value_is_harmless(rig: Rig, name: str, planted: bytes, seconds: int | None) -> None:
    rig.invalidate_all()
    assert rig.process().cache.put(KEY, entry())
    rig.client.set(name, planted, ex=seconds)
    assert_harmless(rig)


@pytest.mark.parametrize("name", [*NAMES, PAUSE], ids=[*KeyNames._fields, "pause"])
@pytest.mark.parametrize(
    "plant",
    [
        lambda client, name: client.lpush(name, "x"),
        lambda client, name: client.hset(name, "t0", "x"),
        lambda client, name: client.sadd(name, "x"),
        lambda client, name: client.zadd(name, {"x": 1}),
        lambda client, name: client.xadd(name, {"x": "1"}),
    ],
    ids=["list", "hash", "set", "sorted set", "stream"],
)
def test_any_planted_type_is_harmless(rig: Rig, name: str, plant: Any) -> None:
    plant(rig.client, name)
    assert_harmless(rig)
