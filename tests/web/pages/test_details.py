"""A subject's page: the sentence, the facts of its last backup, its runs page by page, and its check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

from badge.catalogue.events import ReportedVerification
from badge.model import (
    BackupStatus,
    Origin,
    Reason,
    Report,
    Resolution,
    Subject,
    Verification,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
)
from badge.web.login.access import Viewer
from badge.web.pages.headline import headline
from badge.web.pages.history import LINE_AT, page_number
from badge.web.pages.run_page import RunPage
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.site import SUCCEEDED, Site
from tests.web.pages.test_pages import WEB, one, text

S = BackupStatus
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATH = f"/dashboard/{WEB.path}"
RUN_PAGE = 'https://ci.example.org/runs?a=<b>&c="d'


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards()


def facts_of(page: Tag) -> dict[str, str]:
    return {text(row, "dt"): text(row, "dd") for row in page.select("dl div")}


def about(dashboard: Dashboard, subject: Subject = WEB) -> dict[str, str]:
    """Return the facts on a subject's page, except the technical ones."""
    page = dashboard.soup(f"/dashboard/{subject.path}")
    one(page, ".technical").decompose()
    return facts_of(page)


# --- the sentence ---


def sentence(report: Report, *, origin: Origin = Origin.CACHE, **options: object) -> str:
    settings: dict[str, object] = {"overdue_since": None, "has_history": True, **options}
    resolution = Resolution(report=report, origin=origin, age=timedelta(0), fresh_for=HOUR, now=START)
    if origin is Origin.STALE:
        resolution = replace(resolution, age=3 * HOUR, confirmed_at=START - 3 * HOUR)
    clauses = headline(resolution, **settings)  # type: ignore[arg-type] # passed through
    return " · ".join(f"{one.words} {one.moment.words}" if one.moment else one.words for one in clauses)


def reported(status: S, **values: object) -> Report:
    return replace(Report(status=status, observed_at=START), **values)  # type: ignore[arg-type] # passed through


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            reported(
                S.FAILED,
                finished_at=START - 5 * HOUR,
                reason=Reason.STORAGE,
                last_success_at=START - 2 * DAY,
                next_run_at=START + 19 * HOUR,
            ),
            "Failed 5 h ago · a problem with the backup storage · last success 2 days ago · next run in 19 h",
        ),
        (reported(S.SUCCEEDED, finished_at=START - HOUR), "Succeeded 1 h ago"),
        (reported(S.SUCCEEDED), "Succeeded"),
        (reported(S.IN_PROGRESS, started_at=START - HOUR), "In progress, started 1 h ago · never succeeded"),
        (
            reported(S.SCHEDULED, last_success_at=START - DAY, next_run_at=START - HOUR),
            "Scheduled · last success 1 day ago · next run was due 1 h ago",
        ),
        (
            reported(S.DELETED, deleted_at=START - DAY, last_success_at=START - 2 * DAY, next_run_at=START + DAY),
            "Deleted 1 day ago · last success 2 days ago",
        ),
        # The time of the last success is impossible, so it is neither shown nor read as "never".
        (reported(S.FAILED, last_success_at=START + DAY), "Failed"),
        (reported(S.IN_PROGRESS, last_finished=S.SUCCEEDED), "In progress"),
        (
            reported(S.SUCCEEDED, verification=Verification(VerificationOutcome.FAILED, START - HOUR)),
            "Succeeded · verification failed 1 h ago",
        ),
        (reported(S.SUCCEEDED, verification=Verification(VerificationOutcome.PASSED, START - HOUR)), "Succeeded"),
        (Report.absent(START), "No backup found"),
    ],
)
def test_the_page_begins_with_a_sentence(report: Report, words: str) -> None:
    assert sentence(report) == words


def test_the_sentence_says_since_when_a_backup_is_overdue() -> None:
    overdue = reported(S.FAILED, finished_at=START - HOUR, last_success_at=START - 2 * DAY)
    assert sentence(overdue, overdue_since=START - HOUR) == "Overdue for 1 h · last success 2 days ago"


def test_a_source_without_a_history_does_not_say_never() -> None:
    assert sentence(reported(S.FAILED, finished_at=START - HOUR), has_history=False) == "Failed 1 h ago"


def test_the_sentence_says_that_a_status_is_stale_or_not_known() -> None:
    assert sentence(SUCCEEDED, origin=Origin.STALE) == "Succeeded · last confirmed 3 h ago"
    assert sentence(Report.absent(START), origin=Origin.FALLBACK) == "Unknown: the status could not be determined"


def test_the_sentence_and_its_icon_are_on_the_page(dashboard: Dashboard) -> None:
    dashboard.record_run(WEB, S.FAILED, reason=Reason.STORAGE)
    page = dashboard.soup(PATH)
    assert text(page, ".sentence") == "Failed just now · a problem with the backup storage · never succeeded"
    assert "red" in one(page, ".verdict")["class"]
    assert one(page, ".sentence time")["title"] == "2026-11-23 12:00 UTC"


def test_a_public_dashboard_says_since_when_a_backup_is_overdue_but_shows_no_check(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    expect_daily(dashboard)
    dashboard.clock.advance(hours=26)
    page = dashboard.soup(PATH)
    assert text(page, ".sentence") == "Overdue for 1 h · never succeeded"
    assert "Check" not in [title.get_text() for title in page.select("h2")]
    assert "/ping/" not in page.get_text()


# --- the facts ---


def test_the_facts_include_duration_size_and_freshness(dashboard: Dashboard) -> None:
    started_at = START - timedelta(hours=1, minutes=4, seconds=10)
    run = {"started_at": started_at, "size_bytes": 1_437_000_000, "next_run_at": START + 20 * HOUR}
    dashboard.record_run(WEB, S.SUCCEEDED, **run)
    dashboard.get(PATH)
    dashboard.clock.advance(seconds=12)
    facts = facts_of(dashboard.soup(PATH))
    assert facts["Duration"] == "1 h 4 min 10 s"
    assert facts["Size"] == "1.4 GB"
    assert facts["Next run"] == "in 20 h 2026-11-24 08:00 UTC"
    assert facts["Last success"] == "12 s ago 2026-11-23 12:00 UTC"
    assert facts["Source"] == "catalogue"
    assert facts["Last confirmed"] == "12 s ago 2026-11-23 12:00 UTC"
    assert facts["Next refresh"] == "in 1 min 48 s 2026-11-23 12:02 UTC"


@pytest.mark.parametrize(
    ("verification", "name"),
    [
        (ReportedVerification(VerificationOutcome.PASSED, None, VerificationMethod.RESTORED), "Restore tested"),
        (ReportedVerification(VerificationOutcome.FAILED, None, VerificationMethod.CHECKED), "Data check failed"),
        (ReportedVerification(VerificationOutcome.PASSED), "Verified"),
    ],
)
def test_the_facts_include_the_latest_verification(
    dashboard: Dashboard, verification: ReportedVerification, name: str
) -> None:
    dashboard.record_run(WEB, S.SUCCEEDED, verification=verification)
    dashboard.clock.advance(hours=5)
    assert about(dashboard)[name] == "5 h ago 2026-11-23 12:00 UTC"


def test_unreported_facts_are_not_shown(dashboard: Dashboard) -> None:
    dashboard.record_run(WEB, S.SUCCEEDED)
    assert about(dashboard).keys() == {"Finished", "Last success"}
    heads = [cell.get_text() for cell in dashboard.soup(PATH).select("thead th")]
    assert heads == ["Status", "When"]
    queued, gone = Subject.legacy("acme", "queued"), Subject.legacy("acme", "gone")
    dashboard.record_run(queued, S.SCHEDULED, next_run_at=START + HOUR)
    assert about(dashboard, queued) == {"Last success": "never", "Next run": "in 1 h 2026-11-23 13:00 UTC"}
    dashboard.record_run(gone, S.SUCCEEDED, next_run_at=START + HOUR)
    dashboard.record_run(gone, S.DELETED)
    assert "Deleted" in about(dashboard, gone)
    assert "Next run" not in about(dashboard, gone)


def test_only_a_source_that_keeps_a_history_says_never(site: Site) -> None:
    site.says = replace(SUCCEEDED, status=S.FAILED)
    assert "Last success" not in facts_of(BeautifulSoup(site.get(PATH).data, "html.parser"))


@pytest.mark.parametrize("says", [None, replace(SUCCEEDED, stale_after=START)], ids=["outage", "outdated"])
def test_an_undetermined_status_does_not_blame_the_source(site: Site, says: Report | None) -> None:
    site.says = says
    page = BeautifulSoup(site.get(PATH).data, "html.parser")
    assert text(page, ".sentence") == "Unknown: the status could not be determined"
    facts = facts_of(page)
    assert facts["Source"] == "a source of this service"
    assert "Last confirmed" not in facts


def test_the_page_of_a_stale_status_says_that_its_source_did_not_answer(site: Site) -> None:
    site.get(PATH)
    site.says = None
    site.clock.advance(minutes=3)
    facts = facts_of(BeautifulSoup(site.get(PATH).data, "html.parser"))
    assert facts["Source"] == "a source of this service, which did not answer"
    assert "Last confirmed" in facts


def test_a_failure_shows_its_reason_and_links_to_its_run(dashboard: Dashboard) -> None:
    dashboard.record_run(WEB, S.FAILED, reason=Reason.STORAGE, url=RUN_PAGE)
    page = dashboard.soup(PATH)
    assert facts_of(page)["Reason"] == "a problem with the backup storage"
    for link in (one(page, "dl a"), one(page, "tbody a")):
        assert (link["href"], link["rel"], link.get_text()) == (
            RUN_PAGE,
            ["noopener", "nofollow"],
            "run on ci.example.org",
        )
    assert text(page, "tbody .why").startswith("a problem with the backup storage")


def test_anonymous_viewers_see_the_reason_but_no_link_to_the_run(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="open")
    dashboard.record_run(WEB, S.FAILED, reason=Reason.PARTIAL, url=RUN_PAGE)
    page = dashboard.soup(PATH)
    assert facts_of(page)["Reason"] == "only part of the data was backed up"
    assert "ci.example.org" not in str(page)
    assert RunPage.of(RUN_PAGE, Viewer(sees_private=False)) is None


# --- the runs ---


def record_runs(dashboard: Dashboard, number: int, *, failed: int = 2) -> None:
    """Record one run an hour; the one `failed` hours ago failed."""
    for hours in range(number, 0, -1):
        ended_at = START - hours * HOUR
        started_at = ended_at - timedelta(minutes=hours % 10 + 1)
        status = S.FAILED if hours == failed else S.SUCCEEDED
        dashboard.record_run(WEB, status, started_at=started_at, finished_at=ended_at)


def test_runs_are_bars_with_texts_and_a_table(dashboard: Dashboard) -> None:
    record_runs(dashboard, 3)
    page = dashboard.soup(PATH)
    assert [head.get_text() for head in page.select("thead th")] == ["Status", "When", "Duration"]
    chart = one(page, ".bars")
    assert chart["aria-label"] == "The last 3 runs, the newest on the right: 2 succeeded, 1 failed"
    bars = [(one(bar, "a")["class"], int(str(one(bar, "rect")["y"])) >= LINE_AT) for bar in chart.select("li")]
    assert bars == [(["green"], False), (["red"], True), (["green"], False)]
    texts = [" ".join(tip.get_text().split()) for tip in chart.select(".tip")]
    assert texts[1] == "failed · took 3 min · 2026-11-23 10:00 UTC"
    rows = [[" ".join(cell.get_text().split()) for cell in row.select("td")] for row in page.select("tbody tr")]
    assert rows[0] == ["succeeded", "1 h ago 2026-11-23 11:00 UTC", "2 min"]
    assert len(rows) == 3
    targets = [str(link["href"]) for link in chart.select("a")]
    assert targets == [f"#{row['id']}" for row in reversed(page.select("tbody tr"))]


def test_all_runs_are_shown_page_by_page(dashboard: Dashboard) -> None:
    record_runs(dashboard, 65)
    page = dashboard.soup(PATH)
    shown = [page]
    while len(shown) < 5 and (following := page.select_one("a[rel=next]")) is not None:
        page = dashboard.soup(str(following["href"]))
        shown.append(page)
    assert [len(one_page.select("tbody tr")) for one_page in shown] == [30, 30, 5]
    assert str(one(page, ".bars")["aria-label"]).startswith("Runs 61 to 65, counted from the newest: ")
    previous = dashboard.soup(str(one(page, "a[rel=prev]")["href"]))
    assert str(one(previous, "a[rel=prev]")["href"]) == f"{PATH}#history"
    gone = dashboard.get(f"{PATH}?page=4")
    assert (gone.status_code, gone.headers["Location"]) == (303, PATH)


@pytest.mark.parametrize(
    ("given", "number"), [("2", 2), ("", 1), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("9999", 9999), ("10000", 1)]
)
def test_a_bad_page_number_counts_as_the_first(given: str, number: int) -> None:
    assert page_number(given) == number


def test_an_unfinished_run_shows_its_start_and_an_impossible_time_is_left_out(dashboard: Dashboard) -> None:
    dashboard.record_run(WEB, S.IN_PROGRESS, started_at=START - HOUR)
    row = one(dashboard.soup(PATH), "tbody tr")
    assert text(row, "td:last-child") == "started 1 h ago 2026-11-23 11:00 UTC"
    dashboard.clock.advance(hours=-5)
    assert text(one(dashboard.soup(PATH), "tbody tr"), "td:last-child") == ""


# --- the check ---


def expect_daily(dashboard: Dashboard, slug: str | None = None) -> str:
    assert dashboard.parts.catalogue is not None
    return dashboard.parts.catalogue.checks.create(WEB, DAY, HOUR, slug=slug)


def test_the_check_is_shown_and_its_ping_url_hidden(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_PUBLIC_URL="http://localhost")
    uuid = expect_daily(dashboard, slug="nightly")
    page = dashboard.soup(PATH)
    facts = facts_of(page)
    assert (facts["Schedule"], facts["Grace period"]) == ("every 1d", "1h")
    assert facts["Becomes overdue"] == "in 1 day 1 h 2026-11-24 13:00 UTC"
    hidden = one(page, "dd details")
    assert not hidden.has_attr("open")
    assert f"http://localhost/ping/{uuid[:8]}-…" in hidden.get_text()
    assert "http://localhost/ping/PING_KEY/nightly" in hidden.get_text()
    assert uuid not in str(page)
    assert "check rotate GitHub/acme/Repository/web" in text(hidden, "pre")
    dashboard.clock.advance(hours=30)
    dashboard.log_in(dashboard.client, dashboard.login_link())
    assert facts_of(dashboard.soup(PATH))["Overdue since"] == "5 h ago 2026-11-24 13:00 UTC"


def test_a_lost_database_hides_only_the_check(dashboard: Dashboard) -> None:
    expect_daily(dashboard)
    dashboard.get(PATH)
    assert dashboard.parts.catalogue is not None
    with dashboard.parts.catalogue.store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE checks RENAME TO lost")
    page = dashboard.soup(PATH)
    assert text(page, ".sentence").startswith("Scheduled")
    assert not page.select("dd details")


def test_a_private_subject_s_page_says_so(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    assert "private: badges without a token show “unknown”" in text(dashboard.soup(PATH), ".kind")
