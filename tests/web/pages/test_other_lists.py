"""The dashboard with other sources: those that list subjects, can't list them, or don't answer."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from badge.app import edge_around
from badge.contract import status_document
from badge.edge.application import Edge
from badge.model import BackupStatus, Report, Subject
from tests.asgi import Answer, ask
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.serving import served
from tests.web.pages.test_pages import one, text

NOBODY = "http://127.0.0.1:9"
SOURCES = f"""
[[source]]
name = "hc"
kind = "native"
url = "{NOBODY}"
match = {{ account = "hidden" }}

[[source]]
name = "own"
kind = "catalogue"
"""


def of_upstream(dashboards: Dashboards, list_status: int) -> BeautifulSoup:
    """Return the dashboard for an upstream that answers list requests with this HTTP status."""
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: ("", list_status))
    with served(upstream) as url:
        answer = dashboards(BADGE_UPSTREAM_URL=url).get("/dashboard")
    assert answer.status_code == (503 if list_status == 500 else 200)
    return BeautifulSoup(answer.data, "html.parser")


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_upstream_without_a_list_is_not_an_outage(dashboards: Dashboards, status: int) -> None:
    page = of_upstream(dashboards, status)
    assert "the backups of another system" in text(page, ".lead")
    assert page.select("form input[name=subject]")


def test_an_upstream_that_is_down_is_named_and_a_subject_can_be_entered(dashboards: Dashboards) -> None:
    page = of_upstream(dashboards, 500)
    assert "upstream did not answer" in text(page, ".lead")
    assert page.select("form input[name=subject]")


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_row_does_not_say_never_if_the_source_keeps_no_history(dashboards: Dashboards, status: str) -> None:
    item = status_document(Subject.legacy("acme", "web"), Report(status=BackupStatus(status), observed_at=START))
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: {"items": [item]})
    with served(upstream) as url:
        page = dashboards(BADGE_UPSTREAM_URL=url).soup("/dashboard")
    assert one(page, ".subjects img")["alt"] == status
    assert text(page, ".subjects .when") == ""


def test_a_list_that_was_not_read_to_its_end_is_not_downloaded(dashboards: Dashboards) -> None:
    item = status_document(Subject.legacy("acme", "web"), Report(status=BackupStatus.FAILED, observed_at=START))
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: {"items": [item], "nextCursor": "more"})
    with served(upstream) as url:
        answer = dashboards(BADGE_UPSTREAM_URL=url).get("/dashboard?format=csv")
    assert answer.status_code == 400
    assert "this service can list, so there is no complete list to download." in answer.text


def test_the_page_of_an_unknown_subject_says_that_it_may_be_private(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    words = dashboard.soup("/dashboard/acme/none").get_text()
    assert "There is no backup with this name, or it is private." in words
    assert "yet" not in words


def joined(dashboards: Dashboards, folder: Path, dashboard: str = "local") -> Dashboard:
    file = folder / "sources.toml"
    file.write_text(SOURCES)
    return dashboards(BADGE_SOURCES=str(file), BADGE_DASHBOARD=dashboard)


def test_a_source_that_is_down_is_named_above_the_list_of_the_others(dashboards: Dashboards, tmp_path: Path) -> None:
    dashboard = joined(dashboards, tmp_path)
    dashboard.report(Subject.legacy("acme", "web"))
    page = dashboard.soup("/dashboard")
    assert [link.get_text() for link in page.select(".subjects a")] == ["web"]
    assert text(page, ".note") == "This list is incomplete: hc did not answer."


def test_reporting_is_suggested_only_if_the_badge_would_show_it(dashboards: Dashboards, tmp_path: Path) -> None:
    dashboard = joined(dashboards, tmp_path)
    assert "badge report GitHub/acme/Repository/none" in dashboard.soup("/dashboard/acme/none").get_text()
    empty = Flask("upstream")
    empty.add_url_rule("/ops/status/list", "list", lambda: {"items": []})
    empty.add_url_rule("/ops/status", "status", lambda: ("", 404))
    with served(empty) as url:
        dashboard = dashboards(BADGE_UPSTREAM_URL=url)
        for path, words in (
            ("/dashboard", "No backups yet"),
            ("/dashboard/acme/none", "There is no backup with this name"),
        ):
            assert words in dashboard.soup(path).get_text()
            assert not dashboard.soup(path).select("pre")


def test_an_open_dashboard_hides_the_names_of_sources(dashboards: Dashboards, tmp_path: Path) -> None:
    dashboard = joined(dashboards, tmp_path, "open")
    assert "a source of this service did not answer" in dashboard.get("/dashboard").text
    dashboard.report(Subject.legacy("acme", "web"))
    dashboard.clock.advance(seconds=30)
    page = dashboard.soup("/dashboard")
    assert text(page, ".note") == "This list is incomplete: a source of this service did not answer."
    assert "hc" not in one(page, "main").get_text()


def test_pages_that_wait_for_a_list_have_threads_of_their_own_and_more_are_refused(dashboards: Dashboards) -> None:
    going, slow = threading.Event(), Flask("upstream")

    def listed() -> dict[str, list[object]]:
        assert going.wait(10)
        return {"items": []}

    async def five_at_once(edge: Edge) -> list[Answer]:
        asked = [asyncio.create_task(ask(edge, "/dashboard")) for _ in range(5)]
        [refused], _ = await asyncio.wait(asked, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        badge = await ask(edge, "/badge/acme")
        going.set()
        return [badge, *[await answer for answer in (refused, *(task for task in asked if task is not refused))]]

    slow.add_url_rule("/ops/status/list", "list", listed)
    with served(slow) as url:
        # Three threads for pages, and room for one more page that waits.
        dashboard = dashboards(BADGE_UPSTREAM_URL=url, BADGE_DASHBOARD="open", BADGE_THREADS="12", BADGE_QUEUED="16")
        edge = edge_around(dashboard.client.application)
        badge, refused, *others = asyncio.run(five_at_once(edge))
    assert (badge.code, {answer.code for answer in others}) == (200, {200})
    assert (refused.code, refused.headers["Retry-After"]) == (503, "2")
    assert b"Too many requests at once" in refused.body
    assert dashboard.parts.events.metrics.registry.get_sample_value("badge_pages_refused_total") == 1
