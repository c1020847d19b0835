"""How long proxies may keep an answer."""

from dataclasses import replace
from datetime import timedelta

from badge.model import BackupStatus, Origin, Report, Resolution
from badge.web.badges.http_cache import CachePolicy, cache_status
from tests.doubles import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GOOD = Resolution(
    report=Report(status=BackupStatus.SUCCEEDED, observed_at=START),
    origin=Origin.CACHE,
    age=timedelta(seconds=3),
    fresh_for=timedelta(seconds=5.7),
    now=START,
    usable_for=DAY,
)


def test_a_reader_may_lengthen_the_life_of_what_is_settled_and_good_alone() -> None:
    wished = timedelta(minutes=10)
    assert CachePolicy.of(GOOD, HOUR, wished).max_age == 600
    for change in ({"is_provisional": True}, {"origin": Origin.STALE}, {"report": Report.absent(START)}):
        assert CachePolicy.of(replace(GOOD, **change), HOUR, wished).max_age == 5


def test_what_is_left_is_told_in_whole_seconds_and_never_as_nothing() -> None:
    cache_policy = CachePolicy.of(GOOD, HOUR)
    ages = [cache_policy.aged(timedelta(seconds=seconds)).max_age for seconds in (0, 0.6, 0.8, 4.8, 60)]
    assert ages == [5, 5, 4, 1, 1]


def test_it_ends_where_the_picture_changes() -> None:
    assert CachePolicy.of(GOOD, timedelta(seconds=2)).max_age == 2


def test_cache_status_says_hit_or_forwarded_and_never_both() -> None:
    for origin in Origin:
        said = cache_status(origin, CachePolicy.of(GOOD, HOUR))
        assert ("hit" in said) != ("fwd=" in said)
