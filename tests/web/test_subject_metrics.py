"""/metrics/subjects: who may read it, and what it says about sources that can't be listed."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, jsonify
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from werkzeug.test import TestResponse

from badge.app import edge_around
from badge.contract import SUBJECT_FIELDS
from badge.listing import ListedSubject
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.resilience.single_flight import Flight
from badge.sources.snapshot_listing import SnapshotListing, Walked
from badge.web.metrics import SubjectMetrics
from tests.asgi import ask
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import ManualClock
from tests.serving import served
from tests.store import WEB

TOKEN = "scrape-me"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/metrics/subjects"
NOBODY = "http://127.0.0.1:9"
SOURCES = f"""
[[source]]
name = "down"
kind = "native"
url = "{NOBODY}"
match = {{ account = "hidden" }}
[[source]]
name = "listless"
preset = "prometheus"
url = "{NOBODY}"
match = {{ platform = "GitHub", account = "other", type = "Repository", name = "web" }}
promql = "backup_success"
[[source]]
name = "own"
kind = "catalogue"
"""


def scraped(answer: TestResponse) -> dict[tuple[str, str], float]:
    """Return the samples by metric, and by the name of the subject or source."""
    assert answer.status_code == 200
    return {
        (sample.name, sample.labels.get("name") or sample.labels.get("source", "")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("status") in (None, "succeeded")
    }


def scrape(dashboard: Dashboard) -> dict[tuple[str, str], float]:
    return scraped(dashboard.get(PATH, **BEARER))


def subjects(found: dict[tuple[str, str], float]) -> set[str]:
    return {name for metric, name in found if metric == "backup_status"}


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}"])
def test_the_token_is_always_required(dashboards: Dashboards, given: str) -> None:
    dashboard = dashboards(BADGE_METRICS_TOKEN=TOKEN)
    answer = dashboard.get(PATH, Authorization=given, Host="127.0.0.1:8000")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json is not None
    assert answer.json["detail"] == "Send BADGE_METRICS_TOKEN as a bearer token."
    assert dashboard.get("/metrics", Host="127.0.0.1:8000").status_code == 200


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer None"])
def test_without_the_setting_nobody_may_read_it(dashboards: Dashboards, given: str) -> None:
    answer = dashboards().get(PATH, Authorization=given, Host="127.0.0.1:8000")
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["detail"] == "Set BADGE_METRICS_TOKEN for the service to enable these metrics."


def test_public_and_private_subjects_of_the_catalogue_are_included(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_METRICS_TOKEN=TOKEN)
    dashboard.report(WEB)
    dashboard.report(Subject.legacy("acme", "secret"), BackupStatus.FAILED, Visibility.PRIVATE)
    found = scrape(dashboard)
    assert (found["backup_status", "web"], found["backup_status", "secret"]) == (1, 0)
    assert (found["backup_source_listed", "catalogue"], found["backup_subjects_missing", ""]) == (1, 0)
    assert dashboard.get(PATH, **BEARER).headers["Cache-Control"] == "no-store"


def test_beyond_the_limit_subjects_are_counted_as_missing(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_METRICS_TOKEN=TOKEN, BADGE_METRICS_SUBJECTS="2")
    for name in ("a", "b", "c", "d"):
        dashboard.report(Subject.legacy("acme", name))
    found = scrape(dashboard)
    assert (len(subjects(found)), found["backup_subjects_missing", ""]) == (2, 2)


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("gzip;q=0", None), ("", None)])
def test_the_text_is_compressed_if_the_client_accepts_it(
    dashboards: Dashboards, accepted: str, encoding: str | None
) -> None:
    dashboard = dashboards(BADGE_METRICS_TOKEN=TOKEN)
    dashboard.report(WEB)
    answer = dashboard.get(PATH, **BEARER, Accept_Encoding=accepted)
    assert (answer.headers.get("Content-Encoding"), answer.headers["Vary"]) == (encoding, "Accept-Encoding")
    body = gzip.decompress(answer.data) if encoding else answer.data
    assert body.startswith(b"# HELP backup_status ")
    assert answer.content_length == len(answer.data)


# --- sources that can't be listed ---


def test_each_source_says_whether_it_was_listed(dashboards: Dashboards, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(SOURCES)
    dashboard = dashboards(BADGE_SOURCES=str(file), BADGE_METRICS_TOKEN=TOKEN)
    dashboard.report(WEB)
    dashboard.report(Subject.legacy("hidden", "not-its-source"))
    found = scrape(dashboard)
    listed = {name: value for (metric, name), value in found.items() if metric == "backup_source_listed"}
    assert listed == {"down": 0, "listless": 0, "own": 1}
    assert subjects(found) == {"web"}


def test_a_catalogue_that_cannot_be_read_has_no_subjects(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_METRICS_TOKEN=TOKEN)
    dashboard.report(WEB)
    assert dashboard.parts.catalogue is not None
    with dashboard.parts.catalogue.store.database.writing() as connection:
        connection.execute(text("ALTER TABLE subjects RENAME TO lost"))
    found = scrape(dashboard)
    assert found == {("backup_source_listed", "catalogue"): 0, ("backup_subjects_missing", ""): 0}


def test_subjects_of_an_upstream_disappear_while_it_does_not_answer(dashboards: Dashboards) -> None:
    upstream, status = Flask("upstream"), [200]
    item = dict(zip(SUBJECT_FIELDS, ("GitHub", "acme", "Repository", "web"), strict=True)) | {"status": "succeeded"}
    upstream.add_url_rule("/ops/status/list", "list", lambda: (jsonify(items=[item]), status[0]))
    with served(upstream) as url:
        dashboard = dashboards(BADGE_UPSTREAM_URL=url, BADGE_METRICS_TOKEN=TOKEN)
        assert scrape(dashboard)["backup_source_listed", "upstream"] == 1
        for status[0], listed, names in ((503, 0, set()), (404, 0, set()), (200, 1, {"web"})):
            dashboard.clock.advance(minutes=1)
            found = scrape(dashboard)
            assert (found["backup_source_listed", "upstream"], subjects(found)) == (listed, names)


@pytest.mark.parametrize(("minutes", "names"), [(59, ["a", "b"]), (60, [])])
def test_while_a_list_is_slow_a_snapshot_younger_than_an_hour_is_used(minutes: int, names: list[str]) -> None:
    clock = ManualClock()
    report = Report(status=BackupStatus.SUCCEEDED, observed_at=clock())
    items = [ListedSubject(Subject.legacy("acme", name), report) for name in ("b", "c", "a")]
    listing = SnapshotListing(lambda: Walked(items, is_whole=True), clock)
    listing.refresh()
    clock.advance(minutes=minutes)
    of_subjects = SubjectMetrics(listing, lambda _: Flight(), ["upstream"], most=2, refresh_seconds=0.01)
    text = b"".join(of_subjects.exposition()).decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert [one.labels["name"] for one in found if one.labels.get("status") == "succeeded"] == names
    listed, missing = (one.value for one in found[-2:])
    assert (listed, missing) == ((1, 1) if names else (0, 0))


@pytest.fixture
def slow() -> Iterator[tuple[str, threading.Event]]:
    """Yield the URL of an upstream whose list waits for an event."""
    going, upstream = threading.Event(), Flask("upstream")

    def listed() -> dict[str, list[object]]:
        assert going.wait(30)
        return {"items": []}

    upstream.add_url_rule("/ops/status/list", "list", listed)
    with served(upstream) as url:
        yield url, going
        going.set()


def test_a_slow_scrape_delays_neither_badges_nor_pages_nor_other_programs(
    dashboards: Dashboards, slow: tuple[str, threading.Event]
) -> None:
    url, going = slow
    dashboard = dashboards(BADGE_UPSTREAM_URL=url, BADGE_METRICS_TOKEN=TOKEN, BADGE_THREADS="4")
    edge = edge_around(dashboard.client.application)

    async def asked() -> list[int]:
        scrapes = [asyncio.create_task(ask(edge, PATH, headers=BEARER.items())) for _ in range(3)]
        [refused], waiting = await asyncio.wait(scrapes, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        answers = [await ask(edge, path) for path in ("/badge/acme", "/badges", "/livez")]
        going.set()
        return [(await answer).code for answer in (refused, *waiting)] + [answer.code for answer in answers]

    assert asyncio.run(asked()) == [503, 200, 200, 200, 200, 200]
