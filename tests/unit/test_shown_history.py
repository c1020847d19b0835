"""Bars and rates show the finished runs that a source listed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.appearance import BARS, Look, Show, badge_for
from badge.artwork.drawing import LABEL_GROUND
from badge.contract import report_from, status_document
from badge.language import Language
from badge.model import MOST_OUTCOMES, BackupStatus, Badge, Origin, Outcomes, Report, Resolution, Subject
from tests.doubles import START
from tests.unit.test_appearance import luminance

SUCCEEDED, FAILED = BackupStatus.SUCCEEDED, BackupStatus.FAILED
FINISHED = (SUCCEEDED, FAILED)
REPORT = Report(status=SUCCEEDED, observed_at=START, finished_at=START)
HISTORY, RATE = Look(show=Show.HISTORY), Look(show=Show.RATE)
WEB = Subject.legacy("acme", "web")

# Any number of finished runs, or a number close to the most that a chart or a rate shows.
statuses = st.lists(st.sampled_from(FINISHED), max_size=40) | st.sampled_from([9, 10, 11, 29, 30, 31]).flatmap(
    lambda number: st.lists(st.sampled_from(FINISHED), min_size=number, max_size=number)
)


def shown(report: Report, look: Look, age: timedelta = timedelta(0), origin: Origin = Origin.CACHE) -> Badge:
    resolution = Resolution(report=report, origin=origin, age=age, fresh_for=timedelta(seconds=15), now=START)
    return badge_for(resolution, look)


def with_runs(letters: str) -> Report:
    return replace(REPORT, outcomes=Outcomes.parse(letters))


@given(statuses)
def test_the_last_runs_are_the_outcomes_and_the_oldest_comes_first(runs: list[BackupStatus]) -> None:
    outcomes = Outcomes.of(runs)
    assert outcomes.statuses == runs[-30:]
    assert outcomes.succeeded + outcomes.failed == outcomes.total == len(outcomes.statuses)
    assert Outcomes.parse(outcomes.letters) == outcomes


@given(statuses, st.sampled_from([status for status in BackupStatus if status not in FINISHED]))
def test_no_run_is_left_out_silently(runs: list[BackupStatus], other: BackupStatus) -> None:
    with pytest.raises(KeyError):
        Outcomes.of([*runs, other])


@given(statuses, st.sampled_from(BackupStatus))
def test_there_is_a_bar_for_each_of_the_last_runs_and_none_is_invented(
    runs: list[BackupStatus], status: BackupStatus
) -> None:
    badge = shown(replace(REPORT, status=status, outcomes=Outcomes.of(runs)), HISTORY)
    last = [] if status is BackupStatus.DELETED else runs[-10:]
    assert badge.bars == tuple(BARS[one] for one in last)
    numbers = [int(word) for word in badge.details.replace(",", "").split() if word.isdigit()]
    assert numbers == ([last.count(SUCCEEDED), last.count(FAILED)] if last else [])
    assert badge.message == shown(replace(REPORT, status=status), Look()).message


@given(statuses)
def test_the_rate_counts_the_last_thirty_finished_runs(runs: list[BackupStatus]) -> None:
    badge = shown(replace(REPORT, outcomes=Outcomes.of(runs)), RATE)
    last = runs[-30:]
    assert badge.message == (f"succeeded · {last.count(SUCCEEDED)}/{len(last)}" if last else "succeeded")
    assert badge.bars == ()


@pytest.mark.parametrize("look", [HISTORY, RATE])
@pytest.mark.parametrize(
    ("report", "origin"),
    [
        (REPORT, Origin.CACHE),
        (with_runs(""), Origin.CACHE),
        (replace(with_runs("sf"), status=BackupStatus.DELETED), Origin.CACHE),
        (replace(with_runs("sf"), exists=False), Origin.CACHE),
        (with_runs("sf"), Origin.FALLBACK),
    ],
)
def test_without_runs_the_option_changes_nothing(look: Look, report: Report, origin: Origin) -> None:
    assert shown(report, look, origin=origin) == shown(report, Look(), origin=origin)


def test_history_and_rate_are_added_to_any_message_before_its_age() -> None:
    runs = with_runs("ssf")
    late, old = timedelta(hours=1), timedelta(hours=3)
    overdue = replace(runs, finished_at=START - timedelta(days=3))
    assert shown(overdue, replace(RATE, max_age=late)).message == "overdue 2d · 2/3"
    assert len(shown(overdue, replace(HISTORY, max_age=late)).bars) == 3
    assert shown(runs, RATE, old).message == "succeeded · 2/3 · as of 3h ago"
    assert len(shown(runs, HISTORY, old).bars) == 3


@pytest.mark.parametrize("show", [None, *(show for show in Show if show not in (Show.HISTORY, Show.RATE))])
def test_no_other_option_shows_runs(show: Show | None) -> None:
    assert shown(with_runs("sf"), Look(show=show)) == shown(REPORT, Look(show=show))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("look", [HISTORY, RATE])
def test_the_text_alternative_has_the_numbers_in_each_language(language: Language, look: Look) -> None:
    details = shown(with_runs("sssssssff"), replace(look, language=language)).details
    assert ("7" in details, "2" in details, "{" in details) == (True, True, False)
    assert (details == shown(with_runs("sssssssff"), look).details) is (language is Language.ENGLISH)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(luminance([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) + 0.05 for colour in (one, other))
    return light / dark


@pytest.mark.parametrize("status", FINISHED)
def test_bars_contrast_with_their_background_even_where_a_gradient_is_lightest(status: BackupStatus) -> None:
    bar = BARS[status]
    # Behind the bars, the flat style's gradient lightens the background most: to #bbb at 10% opacity.
    assert contrast(bar.on_dark, "#5f5f5f") >= 3
    assert all(contrast(bar.on_dark, ground) >= 3 for ground in (*LABEL_GROUND, "#21262d"))
    assert contrast(bar.on_light, "#fafafa") >= 3


def test_bars_can_be_told_apart_without_colour() -> None:
    assert [BARS[status].is_full for status in FINISHED] == [True, False]


@pytest.mark.parametrize(
    "history", ["succeeded", {}, 5, ["succeeded", "inProgress"], ["succeeded", None], [["failed"]]]
)
def test_a_history_that_breaks_the_contract_counts_as_none(history: object) -> None:
    document = {**status_document(WEB, REPORT), "history": history}
    assert report_from(document, asked_for=WEB, now=START).report.outcomes is None


def test_of_a_longer_history_the_newest_runs_count() -> None:
    document = {**status_document(WEB, REPORT), "history": ["failed"] * 5 + ["succeeded"] * 1_000_000}
    outcomes = report_from(document, asked_for=WEB, now=START).report.outcomes
    assert outcomes == Outcomes.of([SUCCEEDED] * MOST_OUTCOMES)


@pytest.mark.parametrize("letters", ["s" * (MOST_OUTCOMES + 1), "sxf", "s f", "S"])
def test_only_a_valid_list_of_outcomes_is_parsed(letters: str) -> None:
    with pytest.raises(ValueError, match="not a list of outcomes"):
        Outcomes.parse(letters)
