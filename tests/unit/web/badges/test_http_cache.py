"""How long proxies may cache an answer."""

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


def test_a_client_may_lengthen_the_lifetime_of_good_answers_only() -> None:
    wished = timedelta(minutes=10)
    assert CachePolicy.of(GOOD, HOUR, wished).max_age == 600
    for change in ({"is_provisional": True}, {"origin": Origin.STALE}, {"report": Report.absent(START)}):
        assert CachePolicy.of(replace(GOOD, **change), HOUR, wished).max_age == 5


def test_max_age_is_in_whole_seconds_and_at_least_one() -> None:
    cache_policy = CachePolicy.of(GOOD, HOUR)
    ages = [cache_policy.aged(timedelta(seconds=seconds)).max_age for seconds in (0, 0.6, 0.8, 4.8, 60)]
    assert ages == [5, 5, 4, 1, 1]


def test_the_lifetime_ends_when_the_picture_changes() -> None:
    assert CachePolicy.of(GOOD, timedelta(seconds=2)).max_age == 2


def test_cache_status_says_hit_or_forwarded_and_never_both() -> None:
    for origin in Origin:
        said = cache_status(origin, CachePolicy.of(GOOD, HOUR))
        assert ("hit" in said) != ("fwd=" in said)
