"""Two instances of the service on one catalogue, whose clocks differ: no failure is hidden on the badge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from badge.app import CatalogueParts, build_app, build_parts
from badge.catalogue.keys import Scope
from badge.model import Subject
from badge.settings import load
from tests.doubles import START, ManualClock, OneProcess
from tests.migrated import migrate

SUBJECT = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}
WEB = Subject.legacy("acme", "web")


@contextmanager
def instance(folder: Path, clock: ManualClock) -> Iterator[tuple[FlaskClient, CatalogueParts]]:
    settings = load({"BADGE_DATA_DIR": str(folder), "BADGE_EDGE_CACHE": "0"})
    migrate(settings.catalogue_location)
    with closing(build_parts(settings, cache=OneProcess(clock), clock=clock, jitter=lambda: 0.0)) as parts:
        assert parts.catalogue is not None
        yield build_app(parts).test_client(), parts.catalogue


@pytest.mark.parametrize("behind", [timedelta(seconds=90), timedelta(hours=1), timedelta(days=9)])
def test_a_failure_received_by_a_host_whose_clock_is_behind_is_applied_and_shown(
    tmp_path: Path, behind: timedelta
) -> None:
    with (
        instance(tmp_path, ManualClock(START)) as (ahead, catalogue),
        instance(tmp_path, ManualClock(START - behind)) as (late, _),
    ):
        headers = {"X-API-Key": catalogue.keys.create("ci", {Scope.REPORT})}
        report = {"json": {**SUBJECT, "status": "succeeded"}, "headers": headers}
        assert ahead.post("/ops/status/report", **report).get_json()["applied"]
        report["json"]["status"] = "failed"
        assert late.post("/ops/status/report", **report).get_json()["applied"]
        assert [client.get("/badge/acme/web.txt").text for client in (ahead, late)] == ["failed\n", "failed\n"]
        uuid = catalogue.checks.create(WEB, timedelta(hours=24), timedelta(hours=2))
        for path, shown in (("", "succeeded"), ("/fail", "failed")):
            for client in (ahead, late):
                assert client.post(f"/ping/{uuid}{path}").text == "OK"
                assert late.get("/badge/acme/web.txt").text == f"{shown}\n"


def test_a_success_dated_2099_satisfies_no_monitor_and_is_overdue_in_time(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with (
        instance(tmp_path, clock) as (right, catalogue),
        instance(tmp_path, ManualClock(datetime(2099, 1, 1, tzinfo=UTC))) as (wrong, _),
    ):
        uuid = catalogue.checks.create(WEB, timedelta(hours=24), timedelta(hours=2))
        wrong.post(f"/ping/{uuid}")
        document = right.get("/badge/acme/web.json?max_age=26h").get_json()
        assert (document["status"], document["message"], document["lastSuccessAt"]) == ("succeeded", "overdue", None)
        assert right.get("/badge/acme/web.json?expect=succeeded").status_code == 503
        assert right.get("/badge/acme/web.txt?show=age").text == "succeeded\n"
        clock.advance(hours=26)
        assert right.get("/badge/acme/web.txt").text == "failed\n"
        right.post(f"/ping/{uuid}")
        assert right.get("/badge/acme/web.json?expect=succeeded&max_age=26h").status_code == 200
