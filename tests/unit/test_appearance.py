"""Status words and colours are complete and readable, and old statuses show their age."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.appearance import (
    COLOURS,
    TONES,
    WORDS,
    Face,
    Look,
    Palette,
    Show,
    Tone,
    alt_text,
    badge_for,
    face_of,
    message_for,
    next_age_step,
)
from badge.artwork.drawing import LABEL_GROUND
from badge.model import BackupStatus, Origin, Report, Resolution, Subject, Verification, VerificationOutcome
from tests.doubles import START

GRADIENT_TOP = (0xBB, 0.1)
"""The lightest part of the flat style's gradient: #bbb at 10% opacity."""


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
def test_white_text_is_readable_on_every_status_even_where_the_gradient_is_lightest(status: BackupStatus) -> None:
    assert contrast_with_white(COLOURS[Palette.ACCESSIBLE][TONES[status]]) >= 4.5
    assert contrast_with_white(COLOURS[Palette.ACCESSIBLE][Tone.ORANGE]) >= 4.5
    assert all(contrast_with_white(ground) >= 4.5 for ground in LABEL_GROUND)


def test_the_tones_match_the_design_and_every_palette_has_them_all() -> None:
    green = {BackupStatus.SUCCEEDED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED}
    grey = {BackupStatus.DELETED, BackupStatus.UNKNOWN}
    assert {status for status, tone in TONES.items() if tone is Tone.GREEN} == green
    assert {status for status, tone in TONES.items() if tone is Tone.GREY} == grey
    assert all(len(set(COLOURS[palette].values())) == len(Tone) for palette in Palette)


def test_a_recently_confirmed_status_shows_no_age() -> None:
    badge = badge_for(resolution(BackupStatus.SUCCEEDED, timedelta(minutes=59)), Look())
    assert (badge.label, badge.message) == ("backup", "succeeded")


def test_an_old_status_shows_its_age() -> None:
    assert message_for(resolution(BackupStatus.FAILED, timedelta(hours=3))) == "failed · as of 3h ago"


def test_a_fallback_shows_no_age() -> None:
    assert message_for(resolution(BackupStatus.UNKNOWN, timedelta(hours=3), Origin.FALLBACK)) == "unknown"


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.5, "<1h ago"), (1, "1h ago"), (1.99, "1h ago"), (47.9, "47h ago"), (48, "2d ago"), (71.9, "2d ago")],
)
def test_ages_are_shown_in_coarse_steps(hours: float, words: str) -> None:
    length = timedelta(hours=hours)
    report = Report(status=BackupStatus.FAILED, observed_at=START, finished_at=START - length)
    young = Resolution(report=report, origin=Origin.CACHE, age=timedelta(0), fresh_for=timedelta(0), now=START)
    assert face_of(young, Look(show=Show.AGE)).message == f"failed {words}"
    if length >= timedelta(hours=1):
        assert message_for(resolution(BackupStatus.FAILED, length)) == f"failed · as of {words}"


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_the_message_changes_exactly_at_the_next_age_step(age: timedelta) -> None:
    step = next_age_step(age)
    tick = timedelta(microseconds=1)
    now = message_for(resolution(BackupStatus.SUCCEEDED, age))
    assert step > timedelta(0)
    assert message_for(resolution(BackupStatus.SUCCEEDED, age + step - tick)) == now
    assert message_for(resolution(BackupStatus.SUCCEEDED, age + step)) != now


def reported(status: BackupStatus, **report: Any) -> Resolution:
    return Resolution(
        report=Report(status=status, observed_at=START, **report),
        origin=Origin.CACHE,
        age=timedelta(0),
        fresh_for=timedelta(minutes=2),
        now=START,
    )


def ago(**units: float) -> datetime:
    return START - timedelta(**units)


def verified(outcome: str = "passed", **units: float) -> Verification:
    return Verification(VerificationOutcome(outcome), ago(**units))


PASSED, FAILED_TEST = verified(days=3), verified("failed", days=3)
WITHIN = Look(verified_within=timedelta(days=90))
SHOWN = Look(show=Show.VERIFIED)
S, F, R, Q = BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.IN_PROGRESS, BackupStatus.SCHEDULED
FACES: list[tuple[Resolution, Look, str, Tone]] = [
    (reported(S, finished_at=ago(hours=3.5)), Look(show=Show.AGE), "succeeded 3h ago", Tone.GREEN),
    (reported(S, finished_at=ago(minutes=5)), Look(show=Show.AGE), "succeeded <1h ago", Tone.GREEN),
    (reported(F, finished_at=ago(days=9)), Look(show=Show.AGE), "failed 9d ago", Tone.RED),
    (reported(S), Look(show=Show.AGE), "succeeded", Tone.GREEN),
    (reported(S, finished_at=ago(days=1)), Look(show=Show.DATE), "succeeded 2026-11-22", Tone.GREEN),
    (reported(S, next_run_at=ago(hours=-5.2)), Look(show=Show.NEXT), "succeeded · next in 5h", Tone.GREEN),
    (reported(S, next_run_at=ago(hours=1)), Look(show=Show.NEXT), "succeeded", Tone.GREEN),
    (reported(R, last_finished=F), Look(show=Show.LAST), "in progress · last failed", Tone.GREEN),
    (reported(F, last_finished=F), Look(show=Show.LAST), "failed", Tone.RED),
    (reported(S, finished_at=ago(hours=25)), Look(max_age=timedelta(hours=26)), "succeeded", Tone.GREEN),
    (reported(S, finished_at=ago(hours=26)), Look(max_age=timedelta(hours=26)), "overdue <1h", Tone.ORANGE),
    (reported(S, finished_at=ago(days=4)), Look(max_age=timedelta(days=2)), "overdue 2d", Tone.ORANGE),
    (reported(R, last_success_at=ago(days=4)), Look(max_age=timedelta(days=2)), "overdue 2d", Tone.ORANGE),
    (reported(Q), Look(max_age=timedelta(days=2)), "overdue", Tone.ORANGE),
    (reported(F, last_success_at=ago(days=4)), Look(max_age=timedelta(days=2)), "failed", Tone.RED),
    (reported(S, finished_at=ago(minutes=-6)), Look(max_age=timedelta(days=2)), "overdue", Tone.ORANGE),
    (reported(S, finished_at=ago(minutes=-6)), Look(show=Show.AGE), "succeeded", Tone.GREEN),
    (reported(BackupStatus.DELETED), Look(max_age=timedelta(days=2)), "deleted", Tone.GREY),
    (reported(S, verification=PASSED), SHOWN, "verified 3d ago", Tone.GREEN),
    (reported(F, verification=PASSED), SHOWN, "failed · verified 3d ago", Tone.RED),
    (reported(R, verification=PASSED), SHOWN, "in progress · verified 3d ago", Tone.GREEN),
    (reported(S, verification=FAILED_TEST), SHOWN, "verification failed", Tone.RED),
    (reported(Q, verification=FAILED_TEST), SHOWN, "verification failed", Tone.RED),
    (reported(F, verification=FAILED_TEST), SHOWN, "failed · verification failed", Tone.RED),
    (reported(BackupStatus.UNKNOWN, verification=FAILED_TEST), SHOWN, "verification failed", Tone.RED),
    (reported(BackupStatus.DELETED, verification=FAILED_TEST), SHOWN, "deleted", Tone.GREY),
    (reported(S), SHOWN, "succeeded", Tone.GREEN),
    (reported(S, verification=verified(minutes=-6)), SHOWN, "succeeded", Tone.GREEN),
    (reported(S, verification=FAILED_TEST), Look(), "succeeded", Tone.GREEN),
    (reported(S, verification=PASSED), WITHIN, "succeeded", Tone.GREEN),
    (reported(S, verification=verified(days=90)), WITHIN, "unverified", Tone.ORANGE),
    (reported(S, verification=verified(minutes=-6)), WITHIN, "unverified", Tone.ORANGE),
    (reported(S, verification=Verification(VerificationOutcome.PASSED)), WITHIN, "unverified", Tone.ORANGE),
    (reported(S), WITHIN, "unverified", Tone.ORANGE),
    (reported(R), WITHIN, "unverified", Tone.ORANGE),
    (reported(F), WITHIN, "failed", Tone.RED),
    (reported(BackupStatus.UNKNOWN), WITHIN, "unknown", Tone.GREY),
    (reported(S, verification=FAILED_TEST), WITHIN, "verification failed", Tone.RED),
    (reported(S, verification=Verification(VerificationOutcome.FAILED)), WITHIN, "verification failed", Tone.RED),
    (reported(S, verification=FAILED_TEST), replace(WITHIN, max_age=timedelta(1)), "verification failed", Tone.RED),
    (reported(S, finished_at=ago(days=2)), replace(WITHIN, max_age=timedelta(days=1)), "overdue 24h", Tone.ORANGE),
]


@pytest.mark.parametrize(("resolution", "look", "message", "tone"), FACES)
def test_a_url_chooses_what_the_message_shows(resolution: Resolution, look: Look, message: str, tone: Tone) -> None:
    face = face_of(resolution, look)
    assert (face.message, face.tone) == (message, tone)


LOOKS = st.builds(
    Look,
    show=st.none() | st.sampled_from(Show),
    max_age=st.none() | st.timedeltas(timedelta(hours=1), timedelta(days=9)),
    verified_within=st.none() | st.timedeltas(timedelta(hours=1), timedelta(days=9)),
)
NEAR = st.none() | st.timedeltas(timedelta(days=-9), timedelta(days=9)).map(lambda distance: START + distance)


PAST = st.none() | st.timedeltas(timedelta(days=-9), timedelta(0)).map(lambda distance: START + distance)
VERIFICATIONS = st.none() | st.builds(Verification, st.sampled_from(VerificationOutcome), PAST)
KNOWN = st.builds(
    lambda status, finished, success, following, age, verification: replace(
        reported(
            status, finished_at=finished, last_success_at=success, next_run_at=following, verification=verification
        ),
        age=age,
    ),
    st.sampled_from(BackupStatus),
    PAST,
    PAST,
    NEAR,
    st.timedeltas(timedelta(0), timedelta(days=3)),
    VERIFICATIONS,
)


@given(KNOWN, LOOKS)
def test_every_face_changes_exactly_when_it_says(known: Resolution, look: Look) -> None:
    face = face_of(known, look)
    assert face.holds_for > timedelta(0)
    if face.holds_for > timedelta(days=365):
        return

    def later(by: timedelta) -> Face:
        return face_of(replace(known, now=known.now + by, age=known.age + by), look)

    assert later(face.holds_for - timedelta(microseconds=1)).message == face.message
    assert later(face.holds_for).message != face.message


def test_a_face_changes_when_a_time_ahead_of_now_begins_to_count() -> None:
    known = reported(S, last_success_at=START + timedelta(minutes=7))
    look = Look(max_age=timedelta(hours=1))
    assert face_of(known, look).holds_for == timedelta(minutes=2)
    assert face_of(replace(known, now=START + timedelta(minutes=2)), look).message == "succeeded"


def test_a_face_changes_when_the_time_of_a_verification_begins_to_count() -> None:
    known = reported(S, verification=verified(minutes=-7))
    assert face_of(known, WITHIN).holds_for == timedelta(minutes=2)
    assert face_of(replace(known, now=START + timedelta(minutes=2)), WITHIN).message == "succeeded"


@given(KNOWN, LOOKS)
def test_a_badge_is_green_only_with_a_passed_verification_as_recent_as_required(known: Resolution, look: Look) -> None:
    verification, limit = known.report.verification, look.verified_within
    if limit is None or face_of(known, look).tone is not Tone.GREEN:
        return
    assert verification is not None
    assert verification.outcome is VerificationOutcome.PASSED
    assert verification.at is not None
    assert timedelta(0) <= known.now - verification.at < limit


WORSE = {Tone.GREEN: 0, Tone.GREY: 1, Tone.ORANGE: 1, Tone.RED: 2}


@given(st.sampled_from(BackupStatus), LOOKS, NEAR, VERIFICATIONS)
def test_no_look_makes_a_status_look_better(
    status: BackupStatus, look: Look, success: datetime | None, verification: Verification | None
) -> None:
    tone = face_of(reported(status, last_success_at=success, verification=verification), look).tone
    assert tone is TONES[status] or WORSE[tone] > WORSE[TONES[status]]


def test_the_alternative_text_is_correct_for_any_status() -> None:
    assert alt_text(Subject.legacy("acme", "web")) == "Backup status of acme/web"
