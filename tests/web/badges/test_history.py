"""`show=history` and `show=rate`: from the badge's own report, and hidden, cached and invalidated together with it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from badge.catalogue.keys import Scope
from badge.contract import coordinates_of, format_time
from badge.model import BackupStatus, Outcomes, Report, Subject, Visibility
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.site import SUCCEEDED, Site
from tests.web.badges.test_badges import title_of

WEB = Subject.legacy("acme", "web")
BADGE = f"/badge/{WEB.path}"
KNOWN = replace(SUCCEEDED, outcomes=Outcomes.parse("sfss"))
FORMS = [f"{suffix}?show={show}" for suffix in (".svg", ".png", ".json", ".txt") for show in ("history", "rate")]


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards()


def bars(drawn: bytes) -> int:
    return len(re.findall(rb"h3v\d+h-3z", drawn))


def test_the_last_runs_are_drawn_and_said_in_words(site: Site) -> None:
    site.says = KNOWN
    shown = site.get(f"{BADGE}?show=history").data
    assert bars(shown) == 4
    assert title_of(shown) == "backup: succeeded (last runs: 3 succeeded, 1 failed)"
    rate = site.get(f"{BADGE}?show=rate").data
    assert bars(rate) == 0
    assert title_of(rate) == "backup: succeeded · 3/4 (last runs: 3 succeeded, 1 failed)"
    german = site.get(f"{BADGE}?show=history&lang=de").data
    assert title_of(german) == "Backup: erfolgreich (letzte Läufe: 3 erfolgreich, 1 fehlgeschlagen)"


def test_the_json_has_the_runs_whatever_the_badge_shows(site: Site) -> None:
    site.says = KNOWN
    for query in ("", "?show=history", "?show=age"):
        document = site.get(f"{BADGE}.json{query}").get_json()
        assert document["history"] == ["succeeded", "failed", "succeeded", "succeeded"]
        assert document["rate"] == {"succeeded": 3, "finished": 4}
        assert document["message"] == "succeeded"
    assert site.get(f"{BADGE}.json?show=rate").get_json()["message"] == "succeeded · 3/4"


def test_text_formats_show_what_text_can(site: Site) -> None:
    site.says = KNOWN
    assert site.get(f"{BADGE}?format=shields&show=rate").get_json()["message"] == "succeeded · 3/4"
    assert site.get(f"{BADGE}?format=shields&show=history").get_json()["message"] == "succeeded"
    for show in ("history", "rate"):
        assert site.get(f"{BADGE}.txt?show={show}").text == "succeeded\n"


@pytest.mark.parametrize(
    "says",
    [
        SUCCEEDED,
        replace(KNOWN, outcomes=Outcomes()),
        replace(KNOWN, status=BackupStatus.DELETED),
        replace(KNOWN, visibility=Visibility.PRIVATE),
        Report.absent(START),
        None,
    ],
)
@pytest.mark.parametrize("show", ["history", "rate"])
def test_without_public_runs_the_option_changes_nothing(site: Site, says: Report | None, show: str) -> None:
    site.says = says
    site.get(BADGE)  # The source is asked only once.
    for suffix in (".svg", ".png", ".txt"):
        one, other = site.get(f"{BADGE}{suffix}?show={show}"), site.get(f"{BADGE}{suffix}")
        assert (one.status_code, one.data, list(one.headers)) == (other.status_code, other.data, list(other.headers))


@pytest.mark.parametrize("form", FORMS)
def test_a_private_subject_with_runs_is_answered_as_if_it_did_not_exist(site: Site, form: str) -> None:
    site.says = replace(KNOWN, visibility=Visibility.PRIVATE)
    private = site.get(f"{BADGE}{form}&token=wrong")
    site.says = Report.absent(START)
    absent = site.get(f"/badge/acme/none{form}&token=wrong")
    assert (private.status_code, private.data, list(private.headers)) == (
        absent.status_code,
        absent.data,
        list(absent.headers),
    )


@pytest.mark.parametrize("value", ["history,rate", "HISTORY", "history%00", "history%22%3E%3Cscript%3E", "rate/30", ""])
def test_any_other_value_changes_nothing(site: Site, value: str) -> None:
    site.says = KNOWN
    assert site.get(f"{BADGE}?show={value}").data == site.get(BADGE).data


def test_while_the_source_fails_the_runs_are_shown_as_long_as_the_status(site: Site) -> None:
    site.says = KNOWN
    site.get(f"{BADGE}?show=history")
    site.says = None
    site.clock.advance(hours=3)
    shown = site.get(f"{BADGE}?show=history").data
    assert title_of(shown) == "backup: succeeded · as of 3h ago (last runs: 3 succeeded, 1 failed)"
    assert bars(shown) == 4
    site.clock.advance(hours=22)
    assert site.get(f"{BADGE}?show=history").data == site.get(BADGE).data


def test_the_status_and_the_runs_come_from_one_call_to_the_source(site: Site) -> None:
    site.says = KNOWN
    for query in ("", "?show=history", "?show=rate"):
        site.get(f"{BADGE}{query}")
    assert len(site.source.asked) == 1


def test_each_reported_run_is_shown_at_once_even_a_late_one_that_does_not_change_the_status(
    dashboard: Dashboard,
) -> None:
    assert dashboard.parts.catalogue is not None
    key = dashboard.parts.catalogue.keys.create("ci", [Scope.REPORT, Scope.READ])

    def report(status: BackupStatus, hours: int) -> str:
        """Report a run that started so many hours ago; returns the outcomes that the badge's JSON has afterwards."""
        event = {**coordinates_of(WEB), "status": status, "startedAt": format_time(START - timedelta(hours=hours))}
        assert dashboard.client.post("/ops/status/report", json=event, headers={"X-API-Key": key}).status_code == 200
        document = dashboard.get(f"{BADGE}.json").get_json()
        assert bars(dashboard.get(f"{BADGE}?show=history").data) == len(document["history"])
        return " ".join([*document["history"], document["status"]])

    assert report(BackupStatus.SUCCEEDED, 5) == "succeeded succeeded"
    assert report(BackupStatus.SUCCEEDED, 1) == "succeeded succeeded succeeded"
    assert report(BackupStatus.FAILED, 3) == "succeeded failed succeeded succeeded"
    upstream = dashboard.get(f"/ops/status?{urlencode(coordinates_of(WEB))}", X_API_Key=key).get_json()
    assert upstream["history"] == ["succeeded", "failed", "succeeded"]


def test_the_runs_of_a_deleted_subject_are_not_shown(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    dashboard.report(WEB, BackupStatus.DELETED)
    assert dashboard.get(f"{BADGE}?show=history").data == dashboard.get(BADGE).data
    assert "history" not in dashboard.get(f"{BADGE}.json").get_json()


def test_a_summary_ignores_the_option(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    plain = dashboard.get("/summary/GitHub/acme").data
    for show in ("history", "rate"):
        assert dashboard.get(f"/summary/GitHub/acme?show={show}").data == plain
