"""The dashboard's list: its order, rows, filters, pages and downloads."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import insert

from badge.catalogue.checks import Checks
from badge.catalogue.schema import subjects
from badge.contract import format_time
from badge.model import BackupStatus, Reason, Subject, Visibility
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.store import index_all
from tests.web.pages.test_html import row

S = BackupStatus
WEB = Subject.legacy("acme", "web")


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards()


def names(dashboard: Dashboard, query: str = "") -> list[str]:
    return [link.get_text() for link in dashboard.soup(f"/dashboard?{query}").select(".subjects a")]


def run(dashboard: Dashboard, name: str, status: BackupStatus, hours_ago: float, **more: object) -> None:
    at = START - timedelta(hours=hours_ago)
    dashboard.record_run(Subject.legacy("acme", name), status, started_at=at, finished_at=at, **more)


def test_the_worst_of_two_thousand_come_first(dashboard: Dashboard) -> None:
    rows = []
    for number in range(2_000):
        is_failed = number % 24 == 0 and number < 83 * 24
        succeeded_at = START - timedelta(hours=number)
        rows.append({**row(number), "status": S.FAILED if is_failed else S.SUCCEEDED, "last_success_at": succeeded_at})
    assert dashboard.parts.catalogue is not None
    with dashboard.parts.catalogue.store.database.writing() as connection:
        connection.execute(insert(subjects), rows)
        index_all(connection)
    page = dashboard.soup("/dashboard")
    worst = [link.get_text() for link in page.select(".subjects a")][:3]
    assert worst == ["repository-01968", "repository-01944", "repository-01920"]
    assert "83 need attention" in page.select(".attention")[0].get_text()
    assert "Page 1 of 40" in page.get_text()


def test_a_row_shows_last_success_next_run_reason_and_runs(dashboard: Dashboard) -> None:
    for hours in range(20, 2, -1):
        run(dashboard, "web", S.SUCCEEDED, hours)
    next_run_at = START + timedelta(hours=19)
    run(dashboard, "web", S.FAILED, 2, reason=Reason.STORAGE, next_run_at=next_run_at)
    (shown,) = dashboard.soup("/dashboard").select(".subjects li")
    words = " ".join(shown.get_text().split())
    assert words == "web GitHub · acme last success 3 h ago a problem with the backup storage next in 19 h"
    (badge,), (runs,) = shown.select("img"), shown.select("svg")
    assert (shown["class"], badge["alt"]) == (["red"], "failed")
    assert runs["aria-label"] == "The last 14 runs, the newest on the right: 13 succeeded, 1 failed"
    assert [str(path["d"]).count("M") for path in runs.select("path")] == [1, 13]


def test_an_overdue_backup_says_for_how_long(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")  # a login would expire meanwhile
    assert dashboard.parts.catalogue is not None
    database = dashboard.parts.catalogue.store.database
    Checks(database, dashboard.clock).create(WEB, timedelta(days=1), timedelta(hours=1))
    dashboard.report(WEB)
    dashboard.clock.advance(hours=28)
    (shown,) = dashboard.soup("/dashboard").select(".subjects li")
    assert [strong.get_text() for strong in shown.select("strong")] == ["overdue 3 h"]
    assert "last success 1 day 4 h ago" in " ".join(shown.get_text().split())
    assert "1 needs attention" in dashboard.soup("/dashboard").get_text()


def test_a_backup_that_never_succeeded_says_so(dashboard: Dashboard) -> None:
    dashboard.report(WEB, S.FAILED)
    assert "acme never succeeded" in " ".join(dashboard.soup("/dashboard").get_text().split())


def test_filters_are_in_the_address_and_in_the_form(dashboard: Dashboard) -> None:
    for name, hours in (("today", 2), ("this-week", 50), ("long-ago", 400)):
        run(dashboard, f"failed-{name}", S.FAILED, hours)
        run(dashboard, f"fine-{name}", S.SUCCEEDED, hours)
    dashboard.report(Subject.parse("GitLab", "group", "Repository", "lab"))
    assert names(dashboard, "failed=24h") == ["failed-today"]
    assert names(dashboard, "failed=7d&sort=name") == ["failed-this-week", "failed-today"]
    assert names(dashboard, "no_success=24h&status=succeeded") == ["fine-long-ago", "fine-this-week"]
    assert names(dashboard, "platform=gitlab") == ["lab"]
    assert len(names(dashboard, "account=ACME")) == 6
    assert len(names(dashboard, "failed=often&no_success=x")) == 7
    page = dashboard.soup("/dashboard?failed=24h&account=acme")
    assert page.select("details.filters[open]")
    chosen = [str(option["value"]) for option in page.select("[name=failed] option[selected]")]
    assert (chosen, page.select("[name=account]")[0]["value"]) == (["24h"], "acme")
    assert "No repositories match these filters" in dashboard.soup("/dashboard?account=none").get_text()


def test_pages_are_numbered_and_lead_in_both_directions(dashboard: Dashboard) -> None:
    for number in range(120):
        dashboard.report(Subject.legacy("acme", f"repo-{number:03}"))

    def follow(page: str, direction: str) -> str:
        return str(dashboard.soup(page).select(f"a[rel={direction}]")[0]["href"])

    first = "/dashboard?sort=name"
    second = follow(first, "next")
    third = follow(second, "next")
    assert "Page 3 of 3" in dashboard.soup(third).get_text()
    assert not dashboard.soup(third).select("a[rel=next]")
    back = follow(third, "prev")
    assert names(dashboard, back.partition("?")[2]) == [f"repo-{number:03}" for number in range(50, 100)]
    assert "Page 2 of 3" in dashboard.soup(back).get_text()
    assert follow(back, "prev") == first
    assert "Page 3 of 3" in dashboard.soup(f"{second}&page=99".replace("page=2", "page=999")).get_text()


def test_the_filtered_list_is_downloaded_as_json_and_csv(dashboard: Dashboard) -> None:
    run(dashboard, "web", S.FAILED, 2, reason=Reason.STORAGE)
    run(dashboard, "api", S.SUCCEEDED, 2)
    links = [str(link["href"]) for link in dashboard.soup("/dashboard?status=failed").select("a[download]")]
    assert links == ["/dashboard?status=failed&format=csv", "/dashboard?status=failed&format=json"]
    text, document = (dashboard.get(link) for link in links)
    (item,) = document.get_json()["items"]
    assert (item["subjectName"], item["status"], item["reason"]) == ("web", "failed", "storage")
    assert item["finishedAt"] == format_time(START - timedelta(hours=2))
    (line,) = csv.DictReader(io.StringIO(text.text))
    assert line == {name: value or "" for name, value in item.items()}
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text.headers["Content-Disposition"] == 'attachment; filename="backups.csv"'


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", " =1"])
def test_no_name_is_a_formula_in_a_spreadsheet(dashboard: Dashboard, name: str) -> None:
    dashboard.report(Subject.parse("Gitea", "acme", "Repository", name))
    (line,) = csv.DictReader(io.StringIO(dashboard.get("/dashboard?format=csv").text))
    assert line["subjectName"] == f"'{name}"


def test_a_download_has_no_private_subjects_for_anonymous_viewers(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    assert dashboard.get("/dashboard?format=json").get_json() == {"items": []}


def test_an_account_s_heading_has_its_summary_and_leads_to_its_url(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="https://badges.example.org")
    for path in ("acme/web", "Gitea/my%2Fgroup.png/Repository/x"):
        dashboard.report(Subject.from_path(path))
    accounts = dashboard.soup("/dashboard?sort=name").select(".account")
    assert [account.select("h2")[0].get_text() for account in accounts] == ["Gitea · my/group.png", "GitHub · acme"]
    for account, path in zip(accounts, ("Gitea/my%2Fgroup.png.svg", "GitHub/acme"), strict=True):
        image, link = account.select("img")[0], account.select("a")[0]
        assert image["src"] == f"/summary/{path}"
        assert "backup: 1/1 protected" in dashboard.anonymous().get(str(image["src"])).text
        page = dashboard.soup(str(link["href"]).partition("#")[0])
        snippets = [field.get_text() for field in page.select("#account-badge textarea")]
        assert snippets[0] == f"https://badges.example.org/summary/{path}"
        assert snippets[1].endswith(f"]({snippets[0]})")


def test_only_a_whole_account_has_snippets(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    assert dashboard.soup("/dashboard?platform=github&account=acme").select("#account-badge")
    for query in ("", "account=acme", "platform=GitHub&account=acme&q=web", "platform=GitHub&account=..", "sort=name"):
        assert not dashboard.soup(f"/dashboard?{query}").select("#account-badge")
