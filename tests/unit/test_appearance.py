"""Words and colours: complete, readable, honest about age."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.appearance import (
    WORDS,
    Palette,
    age_words,
    alt_text,
    badge_for,
    colour_of,
    message_for,
    next_age_step,
)
from badge.model import BackupStatus, Origin, Report, Resolution, Subject
from tests.doubles import START

GRADIENT_TOP = (0xBB, 0.1)
"""The lightest line of the flat style's overlay: #bbb at a tenth."""


def resolution(status: BackupStatus, age: timedelta, origin: Origin = Origin.STALE) -> Resolution:
    report = Report(status=status, observed_at=START)
    return Resolution(report=report, origin=origin, age=age, fresh_for=timedelta(seconds=15), now=START)


def luminance(channels: list[float]) -> float:
    """WCAG 2.2's relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in channels)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_with_white(colour: str) -> float:
    grey, share = GRADIENT_TOP
    channels = [int(colour[i : i + 2], 16) * (1 - share) + grey * share for i in (1, 3, 5)]
    return 1.05 / (luminance(channels) + 0.05)


def test_every_status_has_its_own_words() -> None:
    assert set(WORDS) == set(BackupStatus)
    assert len(set(WORDS.values())) == 6


@pytest.mark.parametrize("status", BackupStatus)
def test_white_text_is_readable_on_every_status_also_where_it_is_lightest(status: BackupStatus) -> None:
    assert contrast_with_white(colour_of(status, Palette.ACCESSIBLE)) >= 4.5
    assert contrast_with_white("#555555") >= 4.5


def test_green_red_and_grey_are_what_they_are_called() -> None:
    green = {colour_of(s) for s in (BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED)}
    grey = {colour_of(s) for s in (BackupStatus.DELETED, BackupStatus.UNKNOWN)}
    assert (len(green), len(grey)) == (1, 1)
    assert len(green | grey | {colour_of(BackupStatus.FAILED)}) == 3


def test_young_knowledge_needs_no_age() -> None:
    badge = badge_for(resolution(BackupStatus.SUCCEEDED, timedelta(minutes=59)), "backup")
    assert (badge.label, badge.message) == ("backup", "succeeded")


def test_old_knowledge_says_how_old_it_is() -> None:
    assert message_for(resolution(BackupStatus.FAILED, timedelta(hours=3))) == "failed · as of 3h ago"


def test_a_fallback_has_no_age_to_tell() -> None:
    assert message_for(resolution(BackupStatus.UNKNOWN, timedelta(hours=3), Origin.FALLBACK)) == "unknown"


@pytest.mark.parametrize(
    ("hours", "words"), [(1, "1h ago"), (1.99, "1h ago"), (47.9, "47h ago"), (48, "2d ago"), (71.9, "2d ago")]
)
def test_ages_go_in_coarse_steps(hours: float, words: str) -> None:
    assert age_words(timedelta(hours=hours)) == words


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_the_words_hold_until_the_next_step_and_no_longer(age: timedelta) -> None:
    step = next_age_step(age)
    tick = timedelta(microseconds=1)
    now = message_for(resolution(BackupStatus.SUCCEEDED, age))
    assert step > timedelta(0)
    assert message_for(resolution(BackupStatus.SUCCEEDED, age + step - tick)) == now
    assert message_for(resolution(BackupStatus.SUCCEEDED, age + step)) != now


def test_the_alternative_text_is_true_whatever_the_status() -> None:
    assert alt_text(Subject.legacy("acme", "web")) == "Backup status of acme/web"
