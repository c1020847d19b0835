"""How long proxies may cache an answer."""

from dataclasses import replace
from datetime import timedelta

import pytest

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


def running_next_in(**length: float) -> Resolution:
    return replace(GOOD, report=replace(GOOD.report, next_run_at=START + timedelta(**length)))


@pytest.mark.parametrize(
    ("resolution", "changes_in", "seconds"),
    [
        (GOOD, HOUR, (5, 5, 3594)),
        (GOOD, timedelta(seconds=8), (5, 2, 2)),
        (GOOD, timedelta(seconds=2), (2, 0, 0)),
        (replace(GOOD, usable_for=timedelta(seconds=30)), HOUR, (5, 5, 24)),
        (running_next_in(minutes=10), HOUR, (5, 5, 594)),
        (running_next_in(minutes=-10), HOUR, (5, 5, 3594)),
    ],
)
def test_no_stale_image_is_shown_after_the_picture_changes(
    resolution: Resolution, changes_in: timedelta, seconds: tuple[int, int, int]
) -> None:
    expected = "public, max-age={}, stale-while-revalidate={}, stale-if-error={}".format(*seconds)
    assert CachePolicy.of(resolution, changes_in).cache_control == expected


def test_no_image_is_shown_for_more_than_an_hour_without_revalidation() -> None:
    absent = replace(GOOD, report=Report.absent(START))
    for resolution in (GOOD, absent, replace(GOOD, origin=Origin.FALLBACK, usable_for=timedelta(0))):
        policy = CachePolicy.of(resolution, timedelta.max, DAY)
        assert policy.lifetime + policy.true_after == HOUR


def test_a_requested_longer_lifetime_ends_when_the_next_run_begins() -> None:
    assert CachePolicy.of(running_next_in(minutes=10), HOUR, DAY).max_age == 600


def test_programs_get_no_stale_answers() -> None:
    policy = CachePolicy.of(GOOD, HOUR, is_for_program=True)
    assert policy.cache_control == "public, max-age=5, must-revalidate"
    assert replace(policy, is_shared=False).cache_control == "private, max-age=5, must-revalidate"


def test_cache_status_says_hit_or_forwarded_and_never_both() -> None:
    for origin in Origin:
        header = cache_status(origin, CachePolicy.of(GOOD, HOUR))
        assert ("hit" in header) != ("fwd=" in header)
