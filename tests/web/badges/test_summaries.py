"""One badge for many subjects: paths, formats, true status codes, privacy and lifetimes."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from defusedxml import ElementTree
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from badge.app import edge_around
from badge.catalogue.events import ReportedVerification
from badge.deadline import Deadline
from badge.events import FailureKind
from badge.listing import ListedSubject, SummaryQuery
from badge.model import BackupStatus, Origin, Report, Subject, SubjectScope, VerificationOutcome, Visibility
from badge.ports import SourceUnavailable
from badge.resolving.lifetimes import Lifetimes
from badge.sources.snapshot_listing import SnapshotListing, Walk, Walked
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.summaries import Summaries
from tests import asgi
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START, ManualClock, RecordedEvents
from tests.site import Site

S = BackupStatus
GREEN, RED, ORANGE, GREY = "#2b7a2b", "#b3201f", "#9a5200", "#666666"
ACME = "/summary/GitHub/acme"
NUMBERS = ("protected", "total", "failed", "overdue", "unknown", "silent")


@pytest.fixture
def acme(dashboards: Dashboards) -> Dashboard:
    """A service with four subjects of one account, three of them protected; a deleted one; one of another account."""
    service = dashboards(BADGE_SUMMARY_ALL="on")
    service.report(Subject.legacy("acme", "web"))
    service.report(Subject.legacy("acme", "web-api"))
    service.report(Subject.legacy("acme", "old"), S.FAILED)
    service.report(Subject.legacy("acme", "gone"), S.DELETED)
    service.report(Subject.from_path("GitHub/acme/Project/board"))
    service.report(Subject.from_path("GitLab/my-group%2Fsub/Repository/web"))
    return service


def get(service: Dashboard, path: str) -> TestResponse:
    return service.anonymous().get(path)


def message(answer: TestResponse) -> str:
    assert answer.status_code == 200
    assert answer.content_type == "image/svg+xml; charset=utf-8"
    title = ElementTree.fromstring(answer.data).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    return str(title.text)


def numbers(answer: TestResponse) -> list[int]:
    return [answer.json[name] for name in NUMBERS]  # type: ignore[index] # it is an object


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (ACME, "3/4 protected"),
        ("/summary/github/ACME/", "3/4 protected"),
        (f"{ACME}/Repository", "2/3 protected"),
        (f"{ACME}/repository.svg", "2/3 protected"),
        (f"{ACME}/Project", "1/1 protected"),
        ("/summary/GitLab/my-group%2Fsub", "1/1 protected"),
        (f"{ACME}?name=web*", "2/2 protected"),
        (f"{ACME}?name=WEB", "1/1 protected"),
        (f"{ACME}?name=%00", "3/4 protected"),
        ("/summary", "4/5 protected"),
        ("/summary/?name=web", "2/2 protected"),
        (f"{ACME}?max_age=1h", "3/4 protected"),
        ("/summary/GitHub/nobody", "none"),
        (f"{ACME}/Workspace", "none"),
        (f"{ACME}?lang=de", "3/4 geschützt"),
        (f"{ACME}?show=age", "3/4 protected"),
    ],
)
def test_the_image_says_how_many_are_protected(acme: Dashboard, path: str, words: str) -> None:
    label = "Backup" if "lang=de" in path else "backup"
    assert message(get(acme, path)) == f"{label}: {words}"


def test_leading_slashes_are_ignored(acme: Dashboard) -> None:
    raw = "//summary/GitHub/acme"
    answer = acme.client.get("/", environ_overrides={"PATH_INFO": raw, "RAW_URI": raw, "REQUEST_URI": raw})
    assert message(answer) == "backup: 3/4 protected"


@pytest.mark.parametrize("path", ["/summary/GitHub", "/summary//", f"{ACME}/Repository/web", "/summary/GitHub/%FF"])
def test_other_paths_are_invalid(acme: Dashboard, path: str) -> None:
    assert message(get(acme, path)) == "backup: unknown"
    refused = get(acme, f"{path}?format=json")
    assert (refused.status_code, refused.json["code"]) == (400, "INVALID_SUMMARY")  # type: ignore[index]


@pytest.mark.parametrize("path", ["/summaryx", "/summary.svg", "/summary.json"])
def test_similar_paths_are_not_summaries(acme: Dashboard, path: str) -> None:
    assert get(acme, path).status_code == 404


def test_the_summary_of_everything_has_to_be_turned_on(dashboards: Dashboards) -> None:
    service = dashboards()
    service.report(Subject.legacy("acme", "web"))
    assert message(get(service, "/summary")) == "backup: unknown"
    refused = get(service, "/summary?format=json")
    assert refused.status_code == 400
    assert "BADGE_SUMMARY_ALL" in refused.json["detail"]  # type: ignore[index] # it is an object


def test_json_has_the_numbers(acme: Dashboard) -> None:
    answer = get(acme, f"{ACME}/Repository.json?name=*")
    assert answer.json == {
        "version": 1,
        "platform": "GitHub",
        "account": "acme",
        "subjectType": "Repository",
        "name": "*",
        "protected": 2,
        "total": 3,
        "failed": 1,
        "overdue": 0,
        "unknown": 0,
        "unverified": 0,
        "silent": 0,
        "complete": True,
        "label": "backup",
        "message": "2/3 protected",
        "stale": False,
        "confirmedAt": "2026-11-23T12:00:00Z",
    }
    assert get(acme, "/summary?format=json").json["account"] is None  # type: ignore[index] # it is an object


def test_a_summary_has_text_png_and_shields_formats(acme: Dashboard) -> None:
    assert get(acme, f"{ACME}.txt").text == "3/4 protected\n"
    png = get(acme, f"{ACME}.png")
    assert png.data.startswith(b"\x89PNG")
    shields = json.loads(get(acme, f"{ACME}?format=shields").data)
    assert (shields["message"], shields["color"], shields["isError"]) == ("3/4 protected", RED[1:], False)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{ACME}?strict=1", 200),
        (f"{ACME}?strict=1&expect=succeeded", 503),
        (f"{ACME}.json?expect=succeeded", 503),
        (f"{ACME}/Project.txt?expect=succeeded", 200),
        ("/summary/GitHub/nobody?strict=1", 404),
        ("/summary/GitHub/nobody?strict=1&expect=succeeded", 404),
    ],
)
def test_strict_images_and_programs_get_the_true_status_code(acme: Dashboard, path: str, code: int) -> None:
    assert get(acme, path).status_code == code


def test_a_summary_can_require_recent_verifications(acme: Dashboard) -> None:
    path = "/summary/GitHub/acme/Project.json?verified_within=90d"
    before = get(acme, path)
    assert (before.json["message"], before.json["unverified"]) == ("0/1 protected", 1)  # type: ignore[index]
    assert get(acme, f"{path}&expect=succeeded").status_code == 503
    assert ORANGE in get(acme, path.replace(".json", ".svg")).text
    board = Subject.from_path("GitHub/acme/Project/board")
    for outcome, colour, message in (("passed", GREEN, "1/1 protected"), ("failed", RED, "0/1 protected")):
        acme.record_run(board, S.SUCCEEDED, verification=ReportedVerification(VerificationOutcome(outcome)))
        acme.clock.advance(seconds=1)
        after = get(acme, path)
        assert (after.json["message"], after.json["unverified"]) == (message, 0)  # type: ignore[index]
        assert colour in get(acme, path.replace(".json", ".svg")).text
    assert get(acme, "/summary/GitHub/acme/Project.json").json["protected"] == 1  # type: ignore[index]


def test_a_problem_has_the_numbers(acme: Dashboard) -> None:
    problem = get(acme, f"{ACME}.json?expect=succeeded")
    assert (problem.json["code"], numbers(problem)) == ("NOT_PROTECTED", [3, 4, 1, 0, 0, 0])  # type: ignore[index]


def test_overdue_backups_are_counted_as_time_passes(acme: Dashboard) -> None:
    assert acme.parts.catalogue is not None
    acme.parts.catalogue.checks.create(
        Subject.from_path("GitHub/acme/Project/board"), timedelta(days=1), timedelta(hours=1)
    )
    path = f"{ACME}/Project"
    assert GREEN in get(acme, path).text
    acme.clock.now = START + timedelta(hours=25, seconds=-30)
    assert re.match(r"public, max-age=30, stale-while-revalidate=0,", get(acme, path).headers["Cache-Control"])
    acme.clock.advance(seconds=30)
    overdue = get(acme, path)
    assert (message(overdue), ORANGE in overdue.text) == ("backup: 0/1 protected", True)
    assert numbers(get(acme, f"{path}.json")) == [0, 1, 0, 1, 0, 0]


def test_a_last_success_beyond_max_age_counts_as_overdue(acme: Dashboard) -> None:
    path = f"{ACME}/Project"
    acme.clock.advance(minutes=59)
    assert get(acme, f"{path}?max_age=1h").headers["Cache-Control"].startswith("public, max-age=60,")
    acme.clock.advance(minutes=1)
    late = get(acme, f"{path}?max_age=1h")
    assert (message(late), ORANGE in late.text) == ("backup: 0/1 protected", True)
    assert get(acme, f"{path}?max_age=1h&strict=1&expect=succeeded").status_code == 503
    assert GREEN in get(acme, f"{path}?max_age=2h").text


def everything(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.data, sorted(answer.headers.items())


@pytest.mark.parametrize("path", [ACME, f"{ACME}.json", f"{ACME}?name=*", "/summary", "/summary/Gitea/new?strict=1"])
def test_private_subjects_change_nothing_without_a_token(acme: Dashboard, path: str) -> None:
    client = acme.anonymous()
    before = everything(client.get(path))
    for name, status in (("secret", S.FAILED), ("secret2", S.SUCCEEDED)):
        acme.report(Subject.legacy("acme", name), status, Visibility.PRIVATE)
        acme.report(Subject.from_path(f"Gitea/new/Repository/{name}"), status, Visibility.PRIVATE)
    assert everything(client.get(path)) == before
    assert everything(client.get(f"{path}{'&' if '?' in path else '?'}token=wrong"))[:2] == before[:2]


def token(service: Dashboard, *patterns: str) -> str:
    assert service.parts.catalogue is not None
    selected = Selection.of([PathPattern.parse(pattern) for pattern in patterns])
    return service.parts.catalogue.tokens.create("wiki", selected)


@pytest.mark.parametrize(
    ("pattern", "path", "opens"),
    [
        ("GitHub/acme/*", ACME, True),
        ("github/ACME/*/*", ACME, True),
        ("*/acme/*", f"{ACME}/Repository", True),
        ("GitHub/acme/Repository", f"{ACME}/Repository", True),
        ("GitHub/acme/Repository", ACME, False),
        ("GitHub/acme/*/web*", ACME, False),
        ("GitHub/acme/*/s*", f"{ACME}?name=s*", True),
        ("GitHub/acme/*/s*", f"{ACME}?name=*", False),
        ("acme/secret", f"{ACME}?name=secret", False),
        ("GitHub/contoso/*", ACME, False),
        ("GitHub/acme/*", "/summary", False),
        ("*/*/*", "/summary", True),
    ],
)
def test_a_token_counts_private_subjects_if_it_is_valid_for_all_of_them(
    acme: Dashboard, pattern: str, path: str, *, opens: bool
) -> None:
    acme.report(Subject.legacy("acme", "secret"), S.SUCCEEDED, Visibility.PRIVATE)
    secret, joint = token(acme, pattern), "&" if "?" in path else "?"
    answer = get(acme, f"{path}{joint}token={secret}")
    assert (message(answer) != message(get(acme, path))) == opens
    assert answer.headers["Cache-Control"].startswith("private, ")


def test_a_summary_has_the_headers_of_a_badge(acme: Dashboard) -> None:
    answer = get(acme, f"{ACME}/Project")
    assert answer.headers["Cache-Control"] == "public, max-age=120, stale-while-revalidate=120, stale-if-error=3480"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    client: FlaskClient = acme.anonymous()
    again = client.get(f"{ACME}/Project", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert client.post(ACME).status_code == 405
    assert client.options(ACME).status_code == 204
    assert client.head(ACME).data == b""


@pytest.mark.parametrize(
    ("path", "is_stored"),
    [(ACME, True), (f"{ACME}.json", True), ("/summary/GitHub/nobody", False), (f"{ACME}?token=x", False)],
)
def test_the_edge_cache_stores_summaries_like_badges(acme: Dashboard, path: str, *, is_stored: bool) -> None:
    """An answer that found nothing is not stored: its age would reveal when it was last requested."""
    edge = edge_around(acme.client.application)
    assert asyncio.run(asgi.ask(edge, path)).code in (200, 404)
    assert (edge._cache.get_fresh(path.encode(), time.monotonic()) is not None) == is_stored


def test_without_a_thread_a_summary_is_unknown_in_its_format(acme: Dashboard) -> None:
    refusals = edge_around(acme.client.application)._refusals
    assert b"backup: unknown" in refusals.badge(ACME).body
    refused = refusals.badge(f"{ACME}.json")
    assert (refused.http_status, json.loads(refused.body)["code"]) == (503, "UNAVAILABLE")
    assert refusals.badge("/summary/GitHub.json").http_status == 400


def test_without_a_list_the_summary_is_unknown(site: Site) -> None:
    assert message(site.get(ACME)) == "backup: unknown"
    unlisted = site.get(f"{ACME}?strict=1")
    assert (unlisted.status_code, unlisted.headers["Retry-After"]) == (503, "15")


SOURCES = """
[[source]]
name = "down"
kind = "native"
url = "http://127.0.0.1:9"
match = { account = "acme", name = "x-*" }
[[source]]
name = "own"
kind = "catalogue"
[[source]]
name = "never-asked"
kind = "native"
url = "http://127.0.0.1:9"
"""


def test_sources_that_may_have_more_subjects_are_mentioned(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(SOURCES)
    with closing(Dashboard(tmp_path, BADGE_SOURCES=str(tmp_path / "sources.toml"))) as service:
        service.report(Subject.legacy("acme", "web"))
        service.report(Subject.legacy("contoso", "web"))
        silent = get(service, ACME)
        assert (message(silent), ORANGE in silent.text) == ("backup: 1/1 · 1 source silent", True)
        assert get(service, f"{ACME}?strict=1&expect=succeeded").status_code == 503
        assert numbers(get(service, f"{ACME}.json")) == [1, 1, 0, 0, 0, 1]
        assert message(get(service, "/summary/GitHub/contoso")) == "backup: 1/1 protected"
        assert message(get(service, "/summary/GitHub/nobody")) == "backup: none"
        assert get(service, "/summary/Gitea/acme.json").status_code == 503


@dataclass
class Remote:
    """Summaries of a list that has to be fetched."""

    walk: Walk
    clock: ManualClock
    events: RecordedEvents

    def __post_init__(self) -> None:
        self.listing = SnapshotListing(lambda: self.walk(), self.clock)  # noqa: PLW0108 - tests replace the walk
        self.summaries = Summaries(self.listing, self.clock, self.events, Lifetimes(), wait_seconds=1.0)

    def get(self, account: str = "acme") -> tuple[Origin, int | None, timedelta, bool]:
        query = SummaryQuery(SubjectScope("GitHub", account), is_public_only=True)
        summary, resolution = self.summaries.of(query, Deadline.after(1.8))
        return resolution.origin, summary.protected if summary else None, resolution.age, resolution.is_provisional


@pytest.fixture
def remote() -> Remote:
    return Remote(walked, ManualClock(), RecordedEvents())


def walked() -> Walked:
    report = Report(status=S.SUCCEEDED, observed_at=START, stale_after=START + timedelta(seconds=40))
    return Walked([ListedSubject(Subject.legacy("acme", "web"), report)], is_whole=True)


def failed() -> Walked:
    raise SourceUnavailable(FailureKind.TIMEOUT)


def broken() -> Walked:
    raise ZeroDivisionError


def test_a_list_is_fetched_once_and_then_refreshed_in_the_background(remote: Remote) -> None:
    assert remote.get() == (Origin.UPSTREAM, 1, timedelta(0), False)
    remote.walk = failed
    remote.clock.advance(seconds=29)
    assert remote.get() == (Origin.CACHE, 1, timedelta(seconds=29), False)
    remote.clock.advance(seconds=1)
    assert remote.get() == (Origin.CACHE, 1, timedelta(seconds=30), True)


def test_numbers_that_were_counted_before_change_as_time_passes(remote: Remote) -> None:
    remote.listing.fresh_for = timedelta(minutes=1)
    assert [remote.get()[1], remote.get()[1]] == [1, 1]
    remote.clock.advance(seconds=40)
    assert remote.get() == (Origin.CACHE, 0, timedelta(seconds=40), False)


def test_an_empty_summary_does_not_reveal_when_the_list_was_read(remote: Remote) -> None:
    first = remote.get("nobody")
    remote.clock.advance(seconds=29)
    assert remote.get("nobody") == first == (Origin.UPSTREAM, 0, timedelta(0), False)


def test_a_list_that_takes_long_is_not_waited_for(remote: Remote) -> None:
    going = threading.Event()

    def slow() -> Walked:
        assert going.wait(10)
        return walked()

    remote.walk, remote.summaries.wait_seconds = slow, 0.01
    query = SummaryQuery(SubjectScope("GitHub", "acme"))
    summary, resolution = remote.summaries.of(query, Deadline.after(1.8))
    assert (summary, resolution.fresh_for) == (None, Lifetimes().provisional)
    remote.summaries.wait_seconds = 5.0
    going.set()
    assert remote.get()[1] == 1


def test_while_the_list_fails_the_last_numbers_are_shown_as_stale_for_a_day(remote: Remote) -> None:
    remote.get()
    remote.walk = failed
    remote.clock.advance(hours=2)
    assert remote.get() == (Origin.STALE, 0, timedelta(hours=2), True)
    remote.clock.advance(hours=22)
    assert remote.get() == (Origin.FALLBACK, None, timedelta(0), False)


@pytest.mark.parametrize("walk", [failed, broken])
def test_without_any_list_the_summary_is_undetermined(remote: Remote, walk: Walk) -> None:
    remote.walk = walk
    assert remote.get() == (Origin.FALLBACK, None, timedelta(0), False)
    assert len(remote.events.seen) == (1 if walk is broken else 0)
    remote.walk = walked
    remote.clock.advance(seconds=5)
    assert remote.get()[1] == 1
