"""The public status page: what it says, who may see it, and how long it may be cached."""

from __future__ import annotations

import json
import random
import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from badge.appearance import MOMENT
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
from badge.raw_path import LONGEST_TARGET
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.recent_runs import RecentRun
from badge.web.pages.status_facts import CoarseMoment, StatusFacts
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.parsers.node import node
from tests.site import SUCCEEDED, Site
from tests.web.pages.test_pages import one, text
from tests.web.test_snippets import SUBJECTS

WEB = Subject.legacy("acme", "web")
PAGE = f"/status/{WEB.path}"
PUBLIC_URL = "https://badges.example.org"
LARGEST_PAGE = 50_000
DAY = timedelta(days=1)
S = BackupStatus


@pytest.fixture
def dashboard(dashboards: Dashboards) -> Dashboard:
    return dashboards(BADGE_PUBLIC_URL=PUBLIC_URL)


def ended(dashboard: Dashboard, hours: float, status: S = S.SUCCEEDED, subject: Subject = WEB, **more: object) -> None:
    """Record a run that took a minute and ended that many hours ago."""
    at = dashboard.clock() - timedelta(hours=hours)
    dashboard.record_run(subject, status, started_at=at - timedelta(minutes=1), finished_at=at, **more)


def shown(dashboard: Dashboard, path: str = PAGE) -> BeautifulSoup:
    answer = dashboard.anonymous().get(path, environ_overrides={"RAW_URI": path})
    assert answer.status_code == 200
    return BeautifulSoup(answer.data, "html.parser")


def facts_on(page: BeautifulSoup) -> dict[str, str]:
    return {one(row, "dt").get_text(): text(row, "dd") for row in page.select("dl div")}


# --- what it says ---


def test_it_shows_the_status_the_last_runs_and_the_next_one(dashboard: Dashboard) -> None:
    for hours in (100, 76, 52, 28):
        ended(dashboard, hours)
    ended(dashboard, 4, S.FAILED, reason=Reason.STORAGE, next_run_at=START + timedelta(hours=20))
    page = shown(dashboard)
    assert text(page, "h1") == "web"
    assert text(page, ".verdict") == "Backup failed 4 hours ago A problem with the backup storage"
    assert facts_on(page) == {
        "Last success": "28 hours ago 2026-11-22 08:00 UTC",
        "Failing for": "4 hours since 2026-11-23",
        "Success rate": "80 % 4 of 5 finished runs",
        "Next run": "in 20 hours 2026-11-24 08:00 UTC",
    }
    chart = one(page, "svg.history")
    assert chart["aria-label"] == "The last 5 runs, the newest on the right: 4 succeeded, 1 failed"
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("tbody tr")]
    assert rows[:2] == [["2026-11-23 08:00 UTC", "failed"], ["2026-11-22 08:00 UTC", "succeeded"]]
    assert len(rows) == len(chart.select("rect")) == 5


def test_failures_are_below_the_line_and_unfinished_runs_are_short(dashboard: Dashboard) -> None:
    ended(dashboard, 9)
    ended(dashboard, 8, S.FAILED)
    dashboard.clock.advance(minutes=1)
    dashboard.record_run(WEB, S.IN_PROGRESS)
    chart = one(shown(dashboard), "svg.history")
    line = int(str(one(chart, "line")["y1"]))
    bars = [(bar["class"], int(str(bar["y"])) >= line, int(str(bar["height"]))) for bar in chart.select("rect")]
    assert bars == [(["green"], False, 30), (["red"], True, 30), (["green"], False, 14)]


def test_a_source_without_history_shows_no_runs(site: Site) -> None:
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(hours=3))
    page = BeautifulSoup(site.get(PAGE).data, "html.parser")
    assert text(page, ".verdict") == "Backup succeeded 3 hours ago"
    assert facts_on(page).keys() == {"Last success"}
    assert page.select(".history, table") == []


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(SUCCEEDED, status=S.DELETED), "The repository or its backup definition was deleted."),
        (replace(SUCCEEDED, status=S.UNKNOWN), "does not say how the backup went, or is outdated"),
        (replace(SUCCEEDED, stale_after=START - DAY), "can't be determined at the moment"),
        (
            replace(SUCCEEDED, status=S.IN_PROGRESS, started_at=START - timedelta(hours=2)),
            "in progress Started 2 hours ago",
        ),
    ],
)
def test_other_statuses_are_explained(site: Site, report: Report, words: str) -> None:
    site.says = report
    page = BeautifulSoup(site.get(PAGE).data, "html.parser").get_text(" ", strip=True)
    assert words in page


def test_a_stale_status_says_since_when(site: Site) -> None:
    site.get(PAGE)
    site.says = None
    site.clock.advance(hours=2)
    page = BeautifulSoup(site.get(PAGE).data, "html.parser")
    assert text(page, ".outcome") == "Backup succeeded · as of 2h ago"
    assert text(page, ".note") == "The backup system has not confirmed this status since 2026-11-23 12:00 UTC."


def facts_of(status: S, runs: str, **fields: object) -> dict[str, str]:
    """Return the facts for one run a day, newest first: `s` succeeded, `f` failed."""
    letters = {"s": S.SUCCEEDED, "f": S.FAILED}
    past = [RecentRun(letters[letter], START - DAY * number) for number, letter in enumerate(runs, 1)]
    report = replace(SUCCEEDED, status=status, **fields)  # type: ignore[arg-type] # passed through
    return {fact.name: fact.words for fact in StatusFacts.of(resolution_of(report), past).facts}


def resolution_of(report: Report) -> Resolution:
    hour = timedelta(hours=1)
    return Resolution(report=report, origin=Origin.CACHE, age=timedelta(0), fresh_for=hour, now=START, usable_for=hour)


@pytest.mark.parametrize(
    ("status", "runs", "since"),
    [
        (S.SUCCEEDED, "sssf", {"No failure for": "3 days"}),
        (S.FAILED, "ffs", {"Failing for": "2 days"}),
        (S.FAILED, "fff", {"Failing for": "at least 3 days"}),
        (S.SUCCEEDED, "s", {"No failure for": "24 hours"}),
        (S.FAILED, "ss", {"Failing for": "5 hours"}),  # overdue since the reported end
        (S.SUCCEEDED, "", {}),
        (S.IN_PROGRESS, "ss", {}),
    ],
)
def test_it_says_how_long_the_current_state_has_lasted(status: S, runs: str, since: dict[str, str]) -> None:
    facts = facts_of(status, runs, finished_at=START - timedelta(hours=5))
    assert {name: words for name, words in facts.items() if name.endswith(" for")} == since


@pytest.mark.parametrize(
    ("verification", "fact"),
    [
        (
            Verification(VerificationOutcome.PASSED, START - DAY, VerificationMethod.RESTORED),
            ("Restore tested", "24 hours ago"),
        ),
        (Verification(VerificationOutcome.FAILED, START - 3 * DAY), ("Verification failed", "3 days ago")),
        (Verification(VerificationOutcome.FAILED), ("Verification failed", "at an unknown time")),
        (Verification(VerificationOutcome.PASSED, START + DAY), ("Verified", "at an unknown time")),
    ],
)
def test_it_shows_the_latest_verification(verification: Verification, fact: tuple[str, str]) -> None:
    assert fact in facts_of(S.SUCCEEDED, "", verification=verification).items()


def test_a_deleted_subject_shows_no_runs(dashboard: Dashboard) -> None:
    ended(dashboard, 3)
    dashboard.clock.advance(minutes=1)
    dashboard.record_run(WEB, S.DELETED)
    assert facts_on(shown(dashboard)).keys() == {"Last success"}


def test_the_success_rate_is_rounded_down() -> None:
    assert facts_of(S.SUCCEEDED, "s" * 29 + "f")["Success rate"] == "96 %"
    assert "Success rate" not in facts_of(S.SUCCEEDED, "")


def test_the_next_run_is_called_expected_once_it_is_late() -> None:
    assert facts_of(S.SUCCEEDED, "", next_run_at=START - timedelta(hours=3))["Run expected"] == "3 hours ago"
    assert "Next run" not in facts_of(S.DELETED, "", next_run_at=START + DAY)


def test_by_default_it_says_nothing_that_the_json_does_not_say(dashboard: Dashboard) -> None:
    ended(dashboard, 30)
    ended(dashboard, 5, S.FAILED, reason=Reason.PARTIAL, size_bytes=1_437_000_000, url="https://ci.example.org/7")
    document = dashboard.get(f"/badge/{WEB.path}.json").text
    page = dashboard.anonymous().get(PAGE).text
    for moment in re.findall(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", page):
        assert "T".join(moment) in document
    assert not any(word in page for word in ("catalogue", "ci.example.org", "1.4", "1437"))


# --- who may see it ---


def test_anybody_may_open_it_without_a_login(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    dashboard.get(PAGE)  # from now on both are answered from the cache
    anonymous, logged_in = dashboard.anonymous().get(PAGE), dashboard.get(PAGE)
    assert anonymous.status_code == 200
    assert (anonymous.data, list(anonymous.headers)) == (logged_in.data, list(logged_in.headers))
    assert not {"Vary", "Set-Cookie", "X-Request-ID"} & set(anonymous.headers.keys())


def test_private_absent_and_invalid_get_the_same_page(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    paths = [PAGE, "/status/acme/none", "/status/acme", "/status/a/b/c", "/status/", "/status/acme/%00", "/status/a/.."]
    paths += ["/status/acme/%FF", "/status/" + "a/" * 4_000 + "b"]
    for query in ("", "?token=wrong", "?token=bst_AAAAAAAAAAAAAAAAAAAAAA"):
        seen = set()
        for path in random.sample(paths, len(paths)):
            target = path + query
            answer = dashboard.anonymous().get(target, environ_overrides={"RAW_URI": target})
            seen.add((answer.status_code, answer.data, json.dumps(list(answer.headers))))
        assert len(seen) == 1
        ((status, body, headers),) = seen
        assert status == 404
        assert b"acme" not in body
        assert ("private, max-age=60" if query else "public, max-age=60, stale-while-revalidate=60") in headers


def test_a_url_that_is_too_long_for_a_badge_is_invalid_here_too(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    for length, status in ((LONGEST_TARGET - len(PAGE) - 3, 200), (LONGEST_TARGET, 404)):
        target = f"{PAGE}?x={'y' * length}"
        answer = dashboard.anonymous().get(target, environ_overrides={"RAW_URI": target})
        assert answer.status_code == status


def test_private_and_absent_get_the_same_page_during_an_outage(site: Site) -> None:
    answers = []
    for says in (replace(SUCCEEDED, visibility=Visibility.PRIVATE), Report.absent(START)):
        other = Site(says=says)
        other.get(PAGE)
        other.says = None
        other.clock.advance(minutes=5)
        answer = other.get(PAGE)
        answers.append((answer.status_code, answer.data, list(answer.headers)))
    assert answers[0] == answers[1]
    site.says = None
    never_seen = site.get(PAGE)
    assert (never_seen.status_code, never_seen.headers["Retry-After"]) == (503, "15")
    assert never_seen.headers["Cache-Control"].startswith("public, max-age=15,")


def token_for(dashboard: Dashboard) -> str:
    assert dashboard.parts.catalogue is not None
    return dashboard.parts.catalogue.tokens.create("readme", Selection([PathPattern.only(WEB)]))


def test_a_private_subject_s_page_opens_with_its_token(dashboard: Dashboard) -> None:
    dashboard.report(WEB, visibility=Visibility.PRIVATE)
    token = token_for(dashboard)
    dashboard.get(PAGE)  # so that loading code on demand does not use up the time for checking the token
    answer = dashboard.anonymous().get(f"{PAGE}?token={token}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, max-age=60")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    page = BeautifulSoup(answer.data, "html.parser")
    assert len(page.select("svg.history rect")) == 1
    assert one(page, "meta[name=robots]")["content"] == "noindex"
    assert text(page, "textarea") == (
        f"[![Backup status of acme/web]({PUBLIC_URL}/badge/{WEB.path}?token={token})]({PUBLIC_URL}{PAGE}?token={token})"
    )
    assert str(one(page, "meta[property='og:image']")["content"]).endswith(f".png?token={token}&scale=4")


def test_a_token_is_of_no_use_on_the_page_of_a_public_subject(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    answer = dashboard.anonymous().get(f"{PAGE}?token=secret-of-another")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("private,")
    assert "secret-of-another" not in answer.text


# --- paths ---


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/status/acme/web", "web"),
        ("/status/acme/web/", "web"),
        ("/status/acme/site.png", "site.png"),
        ("/status/acme/data.json", "data.json"),
        ("/status/github/ACME/repository/web", "web"),
        ("/status/GitLab/group%2Fsub/Repository/web", "web"),
        ("/status/AzureDevOps/org/Repository/my%20project/demo", "my project/demo"),
    ],
)
def test_paths_are_read_like_badge_paths_but_no_suffix_is_removed(dashboard: Dashboard, path: str, name: str) -> None:
    for subject in ("acme/web", "acme/site.png", "acme/data.json", "GitLab/group%2Fsub/Repository/web"):
        dashboard.report(Subject.from_path(subject))
    dashboard.report(Subject.parse("AzureDevOps", "org", "Repository", "my project/demo"))
    assert text(shown(dashboard, path), "h1") == name


def test_only_one_trailing_slash_is_dropped(dashboard: Dashboard) -> None:
    dashboard.report(WEB)
    path = f"{PAGE}//"
    assert dashboard.anonymous().get(path, environ_overrides={"RAW_URI": path}).status_code == 404


def test_the_operator_can_turn_the_pages_off(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_STATUS_PAGES="off")
    dashboard.report(WEB)
    assert dashboard.get(PAGE).status_code == 404


def test_the_operator_can_show_the_last_run_s_link(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_STATUS_PAGE_LINKS="on")
    ended(dashboard, 1, S.FAILED, url="https://ci.example.org/runs?a=<b>")
    link = one(shown(dashboard), ".verdict a")
    assert (link["href"], link["rel"]) == ("https://ci.example.org/runs?a=<b>", ["noopener", "nofollow"])
    assert link.get_text() == "Last run on ci.example.org"


# --- caching and link previews ---


def test_it_is_cached_like_a_badge(dashboard: Dashboard) -> None:
    ended(dashboard, 2.99)
    dashboard.get(PAGE)  # from now on both are answered from the cache
    image, page = (dashboard.anonymous().get(path) for path in (f"/badge/{WEB.path}?show=age", PAGE))
    for name in ("Cache-Control", "Cache-Status"):
        assert page.headers[name] == image.headers[name]
    # The lifetime ends at the moment when "2 hours ago" becomes "3 hours ago".
    assert page.headers["Cache-Control"].startswith("public, max-age=36,")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    tag = page.headers["ETag"]
    again = dashboard.anonymous().get(PAGE, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    head = dashboard.anonymous().head(PAGE)
    assert (head.data, head.headers["ETag"]) == (b"", tag)


@given(st.integers(-9 * 86_400, 9 * 86_400), st.floats(0, 0.999))
def test_the_words_change_exactly_when_predicted(seconds: int, share: float) -> None:
    distance = timedelta(seconds=seconds)
    before = CoarseMoment.of(START, START - distance)
    assert before.holds_for > timedelta(0)
    later = CoarseMoment.of(START, START - distance + MOMENT * int(before.holds_for / MOMENT * share))
    assert later.words == before.words
    changed = CoarseMoment.of(START, START - distance + before.holds_for)
    assert changed.words != before.words


def test_chats_find_a_title_a_summary_and_a_png(dashboard: Dashboard) -> None:
    ended(dashboard, 28, S.FAILED)
    ended(dashboard, 4)
    page = shown(dashboard)
    found = {str(tag.get("property") or tag.get("name")): tag["content"] for tag in page.select("meta[content]")}
    assert found["og:title"] == "acme/web: backup succeeded"
    assert found["og:description"] == found["description"]
    assert found["description"] == ("Backup succeeded, 2026-11-23 08:00 UTC. 1 of the last 2 finished runs succeeded.")
    assert found["og:url"] == PUBLIC_URL + PAGE
    image = str(found["og:image"])
    assert image.startswith(PUBLIC_URL)
    picture = dashboard.anonymous().get(image.removeprefix(PUBLIC_URL))
    assert picture.content_type == found["og:image:type"] == "image/png"


def test_without_a_public_url_nothing_names_a_host(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    dashboard.report(WEB)
    page = shown(dashboard)
    assert page.select("[property='og:image'], [property='og:url'], textarea") == []
    link = next(link for link in page.select("main a"))
    assert (link.get_text(), link["href"]) == ("Get this badge", "/?subject=GitHub%2Facme%2FRepository%2Fweb")
    assert "acme" in dashboard.anonymous().get(str(link["href"])).text


def test_the_whole_page_is_small_and_needs_no_script(dashboard: Dashboard) -> None:
    for hours in range(40, 0, -1):
        ended(dashboard, hours, S.FAILED if hours % 7 == 0 else S.SUCCEEDED)
    page = shown(dashboard)
    loaded = page.select("link[rel=stylesheet], link[rel=icon], img")
    files = {str(tag.get("href") or tag.get("src")) for tag in loaded}
    files = {file for file in files if not file.startswith("data:")}
    assert "/static/pages.css" in files
    total = len(page.encode())
    for file in files:
        with closing(dashboard.get(file)) as answer:
            total += len(answer.data)
    assert total < LARGEST_PAGE
    assert page.select("script, [onclick], form") == []
    assert "script-src" not in dashboard.get(PAGE).headers["Content-Security-Policy"]


def test_hostile_names_are_text_and_the_html_is_valid(dashboard: Dashboard) -> None:
    pages = [dashboard.anonymous().get("/status/acme/none").text]
    for number, subject in enumerate(SUBJECTS):
        ended(dashboard, 5, list(S)[number % 2], subject)
        page = dashboard.anonymous().get(f"/status/{subject.path}").text
        assert one(BeautifulSoup(page, "html.parser"), "h1").get_text() == subject.name
        pages.append(page)
    faults = node("validate.mjs", pages)
    assert [found for found in faults if found] == []
