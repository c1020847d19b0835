"""What a summary says: never green unless everything is known to be protected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.appearance import Face, Look, Tone, face_of_summary
from badge.language import Language
from badge.listing import ListingTotals, Standing, standing_of
from badge.model import BackupStatus, Origin, Report, Resolution
from badge.summary import Summary, summary_of
from tests.doubles import START

COUNTS = st.integers(0, 3)
SUMMARIES = st.builds(
    Summary,
    protected=COUNTS,
    failed=COUNTS,
    overdue=COUNTS,
    unknown=COUNTS,
    unverified=COUNTS,
    silent=COUNTS,
    is_complete=st.booleans(),
)


def face(summary: Summary | None, age: timedelta = timedelta(0), language: Language = Language.ENGLISH) -> Face:
    resolution = Resolution(
        report=Report(status=BackupStatus.UNKNOWN, observed_at=START),
        origin=Origin.UPSTREAM if summary else Origin.FALLBACK,
        age=age,
        fresh_for=timedelta(minutes=2),
        now=START,
    )
    return face_of_summary(summary, resolution, Look(language=language))


@given(SUMMARIES)
def test_a_summary_is_green_only_if_everything_is_protected(summary: Summary) -> None:
    missing = (summary.failed, summary.overdue, summary.unknown, summary.unverified, summary.silent)
    is_green = face(summary).tone is Tone.GREEN
    assert is_green == (summary.protected > 0 and not any(missing) and summary.is_complete)
    assert is_green == summary.is_all_protected
    assert summary.protected <= summary.total


@given(SUMMARIES)
def test_a_summary_is_orange_only_if_nothing_failed_and_nothing_is_unknown(summary: Summary) -> None:
    if face(summary).tone is Tone.ORANGE:
        assert not summary.failed
        assert not summary.unknown
        assert summary.overdue or summary.unverified or summary.silent or not summary.is_complete


@given(SUMMARIES, st.sampled_from(Language))
def test_a_silent_source_and_an_incomplete_list_are_always_mentioned(summary: Summary, language: Language) -> None:
    message = face(summary, language=language).message
    whole = Summary(summary.protected, summary.failed, summary.overdue, summary.unknown, summary.unverified)
    assert (message == face(whole, language=language).message) == summary.counts_all


@pytest.mark.parametrize(
    ("summary", "message", "tone"),
    [
        (Summary(18, 1, 1, 0), "18/20 protected", Tone.RED),
        (Summary(20, 0, 0, 0), "20/20 protected", Tone.GREEN),
        (Summary(18, 0, 2, 0), "18/20 protected", Tone.ORANGE),
        (Summary(18, 0, 0, 2), "18/20 protected", Tone.RED),
        (Summary(18, 0, 1, 0, unverified=1), "18/20 protected", Tone.ORANGE),
        (Summary(18, 2, 0, 0, silent=1), "18/20 · 1 source silent", Tone.RED),
        (Summary(20, 0, 0, 0, silent=2), "20/20 · 2 sources silent", Tone.ORANGE),
        (Summary(20, 0, 0, 0, is_complete=False), "20/20+ protected", Tone.ORANGE),
        (Summary(0, 0, 0, 0), "none", Tone.GREY),
        (None, "unknown", Tone.GREY),
    ],
)
def test_each_summary_has_its_message_and_colour(summary: Summary | None, message: str, tone: Tone) -> None:
    assert (face(summary).message, face(summary).tone) == (message, tone)


def test_numbers_that_no_source_has_confirmed_for_an_hour_say_so() -> None:
    assert face(Summary(2, 0, 0, 0), timedelta(hours=3)).message == "2/2 protected · as of 3h ago"


def test_the_face_of_a_summary_lasts_until_its_next_change() -> None:
    assert face(Summary(2, 0, 0, 0, changes_at=START + timedelta(minutes=5))).holds_for == timedelta(minutes=5)
    assert face(Summary(2, 0, 0, 0)).holds_for == timedelta(hours=1)


@given(
    recorded=st.sampled_from(BackupStatus),
    shown=st.sampled_from(BackupStatus),
    last_finished=st.sampled_from([None, BackupStatus.SUCCEEDED, BackupStatus.FAILED]),
    is_overdue=st.booleans(),
)
def test_what_is_overdue_unknown_or_did_not_succeed_is_never_protected(
    recorded: BackupStatus, shown: BackupStatus, last_finished: BackupStatus | None, *, is_overdue: bool
) -> None:
    standing = standing_of(recorded, shown, last_finished, is_overdue=is_overdue)
    assert (standing is None) == (recorded is BackupStatus.DELETED)
    if is_overdue or shown is BackupStatus.UNKNOWN or (last_finished or recorded) is not BackupStatus.SUCCEEDED:
        assert standing is not Standing.PROTECTED
    if BackupStatus.FAILED in (recorded, last_finished):
        assert standing is not Standing.PROTECTED


@pytest.mark.parametrize(
    ("read", "sources", "silent", "is_complete"),
    [
        (None, (), 0, True),
        ({"a": True}, {"a"}, 0, True),
        ({"a": True}, {"a", "b"}, 1, True),
        ({"a": False, "b": True}, {"a", "b"}, 0, False),
        ({"a": False, "b": True}, {"b"}, 0, True),
        ({}, {"a", "b"}, 2, True),
    ],
)
def test_only_sources_that_can_have_its_subjects_make_a_summary_incomplete(
    read: dict[str, bool] | None, sources: set[str], silent: int, *, is_complete: bool
) -> None:
    totals = ListingTotals({}, {Standing.PROTECTED: 1}, read=read)
    summary = summary_of(totals, sources)
    assert (summary.silent, summary.is_complete) == (silent, is_complete)


def test_a_total_of_0_is_undetermined_if_a_source_is_silent() -> None:
    assert not Summary(0, 0, 0, 0, silent=1).is_determined
    assert not Summary(0, 0, 0, 0, silent=1).is_empty
    assert Summary(0, 0, 0, 0).is_determined
    assert Summary(0, 1, 0, 0, silent=1).is_determined
