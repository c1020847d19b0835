"""How answers are read: rules, runs and ageing. Answers of real systems are in the presets' samples."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from badge.contract import format_time
from badge.model import BackupStatus, Outcomes, Reason, Report, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.sources.recipes.ageing import aged
from badge.sources.recipes.reading import MOST_RUNS, Reader, Reading
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.template import names_of
from tests.doubles import START

WEB = Subject.legacy("acme", "web")
STATES = {"ok": "succeeded", "bad": "failed", "run": "inProgress", "stop": "cancelled", "half": "partial"}
RUNS = {
    "state": "state",
    "map": STATES,
    "latest_by": "began",
    "fields": {"startedAt": "began", "finishedAt": "ended"},
}


def hours_ago(hours: float) -> str:
    return format_time(START - timedelta(hours=hours))


def run(state: str, hours: float) -> dict[str, Any]:
    return {"state": state, "began": hours_ago(hours), "ended": hours_ago(hours - 0.1)}


def read(document: object, subject: Subject = WEB, *, folds_case: bool = False, **recipe: object) -> Reading:
    reader = Reader(Recipe.model_validate({**RUNS, **recipe}), folds_case)
    return reader.read(document, names_of(subject, {}), START)


def test_the_newest_run_gives_the_status_and_older_ones_the_last_success() -> None:
    report = read([run("ok", 50), run("run", 1), run("bad", 26)]).report
    assert (report.status, report.last_finished) == (BackupStatus.IN_PROGRESS, BackupStatus.FAILED)
    assert report.last_success_at == START - timedelta(hours=49.9)
    assert report.finished_at is None


@pytest.mark.parametrize("began", [None, 0, "", "-", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z"])
def test_a_run_without_a_time_is_never_the_newest(began: object) -> None:
    assert read([{"state": "bad", "began": began}, run("ok", 1)]).report.status is BackupStatus.SUCCEEDED


def test_an_unreadable_time_leaves_the_newest_run_unknown() -> None:
    with pytest.raises(SourceUnavailable, match="badField"):
        read([run("ok", 50), {"state": "bad", "began": "yesterday"}])


def test_finished_runs_are_the_history_only_if_failed_ones_are_listed_too() -> None:
    runs = [run("run", 1), run("half", 26), run("ok", 50), run("bad", 98), run("stop", 122)]
    assert read(runs).report.outcomes is None
    assert read(runs[::-1], lists_runs=True).report.outcomes == Outcomes.parse("ffsf")
    assert read(runs, lists_runs=True, cancelled_as="previous").report.outcomes == Outcomes.parse("fsf")
    assert read([run("run", 1)], lists_runs=True).report.outcomes == Outcomes.parse("")


def test_a_history_begins_after_the_last_run_with_an_unknown_result() -> None:
    runs = [run("ok", 50), run("odd", 26), run("bad", 2), run("ok", 1)]
    assert read(runs, lists_runs=True).report.outcomes == Outcomes.parse("fs")
    assert read(runs[:2], lists_runs=True).report.outcomes is None
    cancelled = [run("ok", 2), run("stop", 1)]
    assert read(cancelled, lists_runs=True, cancelled_as="unknown").report.outcomes is None


def test_a_run_that_never_ended_is_a_failure_in_the_history() -> None:
    runs = [run("run", 98), run("ok", 74), run("run", 50), run("run", 1)]
    report = read(runs, lists_runs=True, max_run="24h").report
    assert report.outcomes == Outcomes.parse("fsf")
    assert (report.status, report.last_finished) == (BackupStatus.IN_PROGRESS, BackupStatus.FAILED)


def test_a_history_needs_the_order_of_the_runs() -> None:
    with pytest.raises(ValidationError, match="lists_runs needs latest_by"):
        read([], lists_runs=True, latest_by=None)


def test_the_number_of_runs_that_are_searched_is_limited() -> None:
    runs = [run("bad", hours) for hours in range(1, MOST_RUNS + 1)]
    assert read([*runs, run("ok", MOST_RUNS + 1)]).report.last_success_at is None


def test_a_cancelled_run_can_be_skipped_for_the_one_before() -> None:
    runs = [run("stop", 1), run("ok", 2)]
    assert read(runs).report.reason is Reason.CANCELLED
    assert read(runs, cancelled_as="previous").report.status is BackupStatus.SUCCEEDED
    assert read(runs[:1], cancelled_as="previous").report.status is BackupStatus.UNKNOWN


def test_rules_come_before_the_state_and_the_first_that_matches_wins() -> None:
    rules = [{"when": "gone", "status": "deleted"}, {"when": "gone || old", "status": "failed"}]
    assert read([{**run("ok", 1), "gone": True}], rules=rules).report.status is BackupStatus.DELETED
    assert read([{**run("ok", 1), "old": True}], rules=rules).report.status is BackupStatus.FAILED
    assert read([run("ok", 1)], rules=rules).report.status is BackupStatus.SUCCEEDED


@pytest.mark.parametrize("state", ["quantum", None, {"a": 1}, ["ok"]])
def test_a_state_that_the_map_lacks_is_the_default_and_reported(state: object) -> None:
    reading = read([{**run("ok", 1), "state": state}])
    assert (reading.report.status, reading.has_unknown_status) == (BackupStatus.UNKNOWN, True)


def test_numbers_and_booleans_are_looked_up_as_text() -> None:
    for value, word in ((0, "0"), (2.0, "2"), (True, "true"), (1.5, "1.5")):
        assert read([{"state": value}], map={word: "failed"}).report.status is BackupStatus.FAILED


def test_where_compares_names_and_never_evaluates_them() -> None:
    where = [{"expr": "name", "equals": "{subjectName}"}]
    items = [{**run("bad", 1), "name": "web-old"}, {**run("ok", 2), "name": "web"}, {**run("bad", 1), "name": 7}]
    assert read(items, where=where).report.status is BackupStatus.SUCCEEDED
    injected = Subject.legacy("acme", "' || '1'=='1")
    assert not read(items, injected, where=where).report.exists


def test_where_ignores_case_only_if_the_source_and_the_platform_do() -> None:
    where = [{"expr": "name", "equals": "{subjectName}"}]
    items = [{**run("ok", 1), "name": "Web"}]
    assert not read(items, where=where).report.exists
    assert read(items, where=where, folds_case=True).report.exists
    elsewhere = Subject.parse("Gitea", "acme", "Repository", "web")
    assert not read(items, elsewhere, where=where, folds_case=True).report.exists


def test_an_expression_that_fails_affects_only_its_subject() -> None:
    with pytest.raises(SourceUnavailable, match="badExpression") as raised:
        read([run("ok", 1)], rules=[{"when": "starts_with(nothing, 'x')", "status": "failed"}])
    assert raised.value.is_about_subject


def test_an_answer_can_itself_report_an_error() -> None:
    with pytest.raises(SourceUnavailable, match="notOk"):
        read({"error": "x"}, ok_when="!error")
    with pytest.raises(SourceUnavailable, match="unauthorised"):
        read({"error": "x"}, denied_when="error")


def test_any_private_field_but_false_makes_the_subject_private() -> None:
    fields = {"private": "private"}
    assert read([{**run("ok", 1), "private": False}], fields=fields).report.visibility is Visibility.PUBLIC
    for value in (True, None, "false", 0):
        assert read([{**run("ok", 1), "private": value}], fields=fields).report.visibility is Visibility.PRIVATE


def test_each_step_is_recorded_as_text() -> None:
    steps = read([run("ok", 30)], stale_after="26h").steps
    assert steps == [
        "items: 1 found, 1 after where, 1 after exclude",
        "state: 'ok': succeeded",
        "too old: succeeded counts as failed",
    ]


def test_without_an_item_a_subject_keeps_its_visibility_and_is_private_by_default() -> None:
    nothing = read([], fields={"private": "private"}, empty="scheduled")
    for known in Visibility:
        before = Report(status=BackupStatus.SUCCEEDED, observed_at=START, visibility=known)
        assert nothing.report_after(before).visibility is known
    for known_of in (None, Report.absent(START)):
        assert nothing.report_after(known_of).visibility is Visibility.PRIVATE
    assert read([], empty="scheduled").report_after(None).visibility is Visibility.PUBLIC


OLD = [run("ok", 30)]


def test_a_success_becomes_outdated() -> None:
    assert read(OLD).report.status is BackupStatus.SUCCEEDED
    failed = read(OLD, stale_after="26h").report
    assert (failed.status, failed.last_finished) == (BackupStatus.FAILED, BackupStatus.FAILED)
    unknown = read(OLD, stale_after="26h", stale_as="unknown").report
    assert (unknown.status, unknown.last_finished) == (BackupStatus.UNKNOWN, BackupStatus.SUCCEEDED)
    fresh = read([run("ok", 2)], stale_after="26h").report
    assert fresh.stale_after == START + timedelta(hours=26 - 1.9)


def test_a_success_without_a_time_does_not_count_if_there_is_an_age_limit() -> None:
    undated = [{"state": "ok"}]
    assert read(undated, latest_by=None).report.status is BackupStatus.SUCCEEDED
    assert read(undated, latest_by=None, stale_after="26h").report.status is BackupStatus.UNKNOWN


def test_a_success_in_the_far_future_does_not_count_if_there_is_an_age_limit() -> None:
    assert read([run("ok", -1000)], stale_after="26h").report.status is BackupStatus.UNKNOWN
    little = read([run("ok", -0.05)], stale_after="26h").report
    assert (little.status, little.finished_at) == (BackupStatus.SUCCEEDED, START)


def test_a_run_that_never_ends_counts_as_failed() -> None:
    assert read([run("run", 23)]).report.stale_after == START + timedelta(hours=1)
    assert read([run("run", 25)]).report.status is BackupStatus.FAILED
    assert read([run("run", 3)], max_run="2h").report.status is BackupStatus.FAILED


# pgBackRest's lock, UrBackup's `processes` and Prometheus' numbers show that a backup is running, but not since when.
HELD: dict[str, Any] = {
    "rules": [{"when": "held", "status": "inProgress"}],
    "fields": {"lastSuccessAt": "ok"},
    "latest_by": None,
}


def test_a_hanging_run_ends_even_if_only_the_success_before_it_has_a_time() -> None:
    aging: dict[str, Any] = {**HELD, "stale_after": "26h"}
    assert read({"held": True, "ok": hours_ago(36 * 24)}, **aging).report.status is BackupStatus.FAILED
    assert read({"held": True, "ok": hours_ago(51)}, **aging, stale_as="unknown").report.status is BackupStatus.UNKNOWN
    late = read({"held": True, "ok": hours_ago(49)}, **aging).report
    assert (late.status, late.stale_after) == (BackupStatus.IN_PROGRESS, START + timedelta(hours=1))
    assert read({"held": True, "ok": hours_ago(29)}, **aging, max_run="2h").report.status is BackupStatus.FAILED


def test_a_run_without_any_time_is_unknown_if_there_is_an_age_limit() -> None:
    assert read({"held": True}, **HELD).report.status is BackupStatus.IN_PROGRESS
    assert read({"held": True}, **HELD, stale_after="26h").report.status is BackupStatus.UNKNOWN


def test_a_queued_run_becomes_outdated_if_it_has_a_time() -> None:
    queued: dict[str, Any] = {"map": {"wait": "scheduled"}, "stale_after": "26h"}
    assert read([{"state": "wait", "began": hours_ago(27)}], **queued).report.status is BackupStatus.FAILED
    assert read([{"state": "wait"}], **queued, latest_by=None).report.status is BackupStatus.SCHEDULED


def test_a_failure_stays_a_failure_however_old() -> None:
    assert read([run("bad", 1000)], stale_after="26h").report.status is BackupStatus.FAILED


def test_age_is_computed_by_the_system_s_clock_and_converted_to_ours() -> None:
    recipe = Recipe.model_validate({**RUNS, "stale_after": "26h"})
    report = Report(status=BackupStatus.SUCCEEDED, observed_at=START, finished_at=START - timedelta(hours=1))
    theirs = START + timedelta(hours=20)
    assert aged(report, recipe, START, theirs).stale_after == START + timedelta(hours=5)
    assert aged(report, recipe, START, theirs + timedelta(hours=6)).status is BackupStatus.FAILED


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"rules": [], "state": None}, "give rules, or state and map"),
        ({"map": {}}, "state needs map"),
        ({"stale_after": "0s"}, "must be a duration from 1m"),
        ({"max_run": "999999999d"}, "must be a duration from 1m"),
        ({"times": {"timezone": "Mars/Base"}}, "must be a time zone"),
        ({"request": {"form": {"a": "1"}}}, 'needs method = "POST"'),
        ({"request": {"method": "POST", "json": {}, "form": {}}}, "json or form, not both"),
        ({"request": {"headers": {"X-A": "b\r\nX-C: d"}}}, "header names"),
        (
            {"request": {"headers": {"X-Name": "{account}"}}},
            "X-Name has a placeholder; use it in path, query, json or form",
        ),
        ({"map": {"ok": "fine"}}, "Input should be"),
        ({"http": {"absent": [200]}}, "greater than or equal to 201"),
    ],
)
def test_an_invalid_recipe_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Recipe.model_validate({**RUNS, **wrong})


HEADERS_OF_SECRETS = "Authorization proxy-authorization COOKIE X-Api-Key X-APIKEY PRIVATE-TOKEN Token x-client-secret"


@pytest.mark.parametrize("name", HEADERS_OF_SECRETS.split())
def test_credentials_are_refused_in_a_recipe_s_headers(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} holds credentials; put them into `auth`") as raised:
        Recipe.model_validate({**RUNS, "request": {"headers": {"X-Version": "1", name: "Bearer s3cret"}}})
    assert "s3cret" not in str(raised.value)


def test_other_headers_are_allowed_in_a_recipe() -> None:
    headers = {"X-GitHub-Api-Version": "2022-11-28", "X-Keyboard": "none", "X-Token-Kind": "jwt", "Accept": "*/*"}
    assert Recipe.model_validate({**RUNS, "request": {"headers": headers}}).request


def test_each_rule_s_result_is_recorded_up_to_the_one_that_matches() -> None:
    rules = [
        {"when": "gone", "status": "deleted"},
        {"when": "state", "status": "failed"},
        {"when": "old", "status": "unknown"},
    ]
    assert read([run("ok", 1)], rules=rules).steps[1:] == ["rules[0]: gone: no", "rules[1]: state: failed"]


# One item that describes the current run and the one before, like Kopia's sources and pgBackRest's stanzas.
BOTH: dict[str, Any] = {
    "rules": [{"when": "held", "status": "inProgress", "read_on": True}],
    "fields": {"finishedAt": "ended"},
    "latest_by": None,
}


def both(state: str, hours: float = 2, **recipe: Any) -> Report:
    return read({**run(state, hours), "held": True}, **BOTH, **recipe).report


def test_the_rules_read_on_for_the_result_of_the_previous_run() -> None:
    report = both("ok")
    assert (report.status, report.last_finished) == (BackupStatus.IN_PROGRESS, BackupStatus.SUCCEEDED)
    assert report.last_success_at == START - timedelta(hours=1.9)
    assert report.finished_at is None
    failed = both("half")
    assert (failed.last_finished, failed.reason, failed.last_success_at) == (BackupStatus.FAILED, None, None)
    assert both("half", partial_as="succeeded").last_finished is BackupStatus.SUCCEEDED
    assert both("quantum").last_finished is None


def test_the_previous_run_s_result_is_recorded_as_text() -> None:
    steps = read({**run("ok", 2), "held": True}, **BOTH).steps
    assert steps[1:] == ["rules[0]: held: inProgress", "previous run: succeeded"]
    assert read({"held": True}, **BOTH).steps[-1] == "previous run: result unknown"


def test_read_on_is_refused_for_a_finished_run() -> None:
    with pytest.raises(ValidationError, match="use read_on only with inProgress or scheduled"):
        Recipe.model_validate({**RUNS, "rules": [{"when": "gone", "status": "failed", "read_on": True}]})


def test_a_run_under_way_does_not_renew_an_old_success() -> None:
    """A backup that fails every night without a trace would look fine to a monitor during each attempt."""
    late = both("ok", 29, stale_after="26h")
    assert (late.status, late.last_finished) == (BackupStatus.IN_PROGRESS, BackupStatus.FAILED)
    assert both("ok", 29, stale_after="26h", stale_as="unknown").last_finished is None
    young = both("ok", 2, stale_after="26h")
    assert young.last_finished is BackupStatus.SUCCEEDED
    assert young.stale_after == START + timedelta(hours=26 - 1.9)
    assert read([run("run", 1), run("ok", 29)], stale_after="26h").report.last_finished is BackupStatus.FAILED


def test_a_success_of_unknown_age_does_not_count_during_a_run_if_there_is_an_age_limit() -> None:
    runs = [run("run", 1), {"state": "ok", "began": hours_ago(2)}]
    assert read(runs).report.last_finished is BackupStatus.SUCCEEDED
    assert read(runs, stale_after="26h").report.last_finished is None


def test_older_successes_do_not_replace_the_unknown_result_of_a_newer_run() -> None:
    report = read([run("run", 1), run("quantum", 2), run("ok", 3)]).report
    assert (report.last_finished, report.last_success_at) == (None, START - timedelta(hours=2.9))


def test_an_older_run_that_never_ended_counts_as_failed() -> None:
    assert read([run("run", 1), run("run", 25), run("ok", 50)]).report.last_finished is BackupStatus.FAILED
    assert read([run("run", 1), run("run", 3), run("ok", 50)]).report.last_finished is BackupStatus.SUCCEEDED
