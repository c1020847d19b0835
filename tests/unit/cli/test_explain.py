"""`badge explain` names each reason why a badge shows what it shows, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from badge.app import build_parts
from badge.cache.memory import MemoryStatusCache
from badge.cli.explain import Explanation, explained
from badge.model import BackupStatus, CacheEntry, Report, Subject, Visibility
from badge.settings import load
from tests.doubles import START, ManualClock, ScriptedSource

WEB = Subject.legacy("acme", "web")
SUCCEEDED = Report(status=BackupStatus.SUCCEEDED, observed_at=START)
CACHED = CacheEntry(report=SUCCEEDED, fetched_at=START, confirmed_at=START, fresh_until=START + timedelta(minutes=2))


@dataclass
class Bench:
    """Parts whose source must not be called."""

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.cache = MemoryStatusCache(self.clock)
        self.source = ScriptedSource(lambda _: pytest.fail("the source was called"))
        self.parts = build_parts(load({}), source=self.source, cache=self.cache, clock=self.clock)

    def explained(self, entry: CacheEntry | None) -> Explanation:
        if entry is not None:
            self.cache.put(self.parts.resolver.key(WEB), entry)
        return explained(self.parts, WEB)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def with_report(**changes: object) -> CacheEntry:
    return replace(CACHED, report=replace(SUCCEEDED, **changes))  # type: ignore[arg-type] # the fields' own types


@pytest.mark.parametrize(
    ("entry", "minutes", "words"),
    [
        (None, 0, "Nothing is cached"),
        (CACHED, 1, "Shown as “succeeded”, as its source reported."),
        (CACHED, 5, "; the cached status has expired, so the next request triggers a refresh"),
        (CACHED, 90, "The status is over an hour old, so the badge shows its age."),
        (replace(CACHED, failures=3), 5, "failed queries since it was confirmed: 3"),
        (CACHED, 25 * 60, "longer than BADGE_MAX_STATUS_AGE"),
        (
            replace(CACHED, report=None, failures=2),
            0,
            "no status is cached, as the source does not answer; failed queries: 2",
        ),
        (replace(CACHED, report=Report.absent(START)), 0, "has no such subject"),
        (with_report(visibility=Visibility.PRIVATE), 0, "says that the subject is private"),
        (with_report(status=BackupStatus.UNKNOWN), 0, "the source says so itself"),
        (with_report(stale_after=START + timedelta(minutes=4)), 5, "“succeeded” would be outdated after"),
    ],
)
def test_each_reason_is_a_sentence(bench: Bench, entry: CacheEntry | None, minutes: int, words: str) -> None:
    bench.explained(entry)
    bench.clock.advance(minutes=minutes)
    assert words in bench.explained(None).rule


def test_it_shows_the_source_the_age_and_the_next_refresh(bench: Bench) -> None:
    bench.explained(CACHED)
    bench.clock.advance(seconds=30)
    found = bench.explained(None)
    assert (found.source, found.kept, found.age_seconds) == ("scripted", "succeeded", 30)
    assert found.next_refresh == "2026-11-23T12:02:00Z"


def test_a_source_s_pause_postpones_the_next_refresh(bench: Bench) -> None:
    bench.parts.pauses.pause("scripted", START + timedelta(minutes=10))
    found = bench.explained(CACHED)
    assert found.next_refresh == found.paused_until == "2026-11-23T12:10:00Z"


def test_if_the_cache_does_not_respond_it_says_only_that() -> None:
    parts = build_parts(load({"BADGE_UPSTREAM_URL": "http://127.0.0.1:1", "BADGE_REDIS_URL": "redis://127.0.0.1:1/0"}))
    found = explained(parts, WEB)
    assert "the cache does not respond" in found.rule
    assert (found.kept, found.next_refresh) == (None, None)
