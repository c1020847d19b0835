"""/ping: Healthchecks' protocol, from creating a check to a badge that turns red by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from badge.app import CatalogueParts, build_app, build_parts
from badge.catalogue.keys import Scope
from badge.model import Subject
from badge.settings import load
from badge.subject_pattern import PathPattern, Selection
from badge.web.intake.ping import LARGEST_BODY
from tests.doubles import ManualClock, OneProcess
from tests.migrated import migrate

WEB = Subject.legacy("acme", "web")
RID, OTHER_RID = "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000001"
NOBODY_S = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@dataclass
class Intake:
    """A client of a service with a catalogue, and the UUID of a daily check with two hours of grace."""

    client: FlaskClient
    own: CatalogueParts
    clock: ManualClock
    uuid: str

    def ping(self, rest: str = "", method: str = "POST", uuid: str = "", **options: Any) -> TestResponse:
        return self.client.open(f"/ping/{uuid or self.uuid}{rest}", method=method, **options)

    @property
    def badge(self) -> str:
        return self.client.get("/badge/acme/web.txt").text.strip()

    def check(self, subject: Subject, slug: str | None = None) -> str:
        return self.own.checks.create(subject, timedelta(hours=24), timedelta(hours=2), slug=slug)


@contextmanager
def intake_of(folder: Path, **settings: str) -> Iterator[Intake]:
    clock = ManualClock()
    wired = load({"BADGE_DATA_DIR": str(folder), "BADGE_EDGE_CACHE": "0", **settings})
    # A working cache, so that the tests see what readers see and not the catalogue's state.
    with closing(build_parts(wired, cache=OneProcess(clock), clock=clock, jitter=lambda: 0.0)) as parts:
        migrate(wired.catalogue_location)
        assert parts.catalogue is not None
        intake = Intake(build_app(parts).test_client(), parts.catalogue, clock, "")
        intake.uuid = intake.check(WEB, "web")
        yield intake


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    with intake_of(tmp_path) as intake:
        yield intake


def test_each_signal_changes_the_badge_at_once(intake: Intake) -> None:
    assert intake.badge == "scheduled"
    for rest, shown in (("/start", "inProgress"), ("", "succeeded"), ("/start", "inProgress"), ("/fail", "failed")):
        intake.clock.advance(seconds=1)
        answer = intake.ping(rest)
        assert (answer.status_code, answer.text, answer.content_type) == (200, "OK", "text/plain; charset=utf-8")
        assert answer.headers["Cache-Control"] == "no-store"
        assert intake.badge == shown


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_get_head_and_post_all_count(intake: Intake, method: str) -> None:
    assert intake.ping(method=method).status_code == 200
    assert intake.badge == "succeeded"


@pytest.mark.parametrize(("status", "shown"), [("0", "succeeded"), ("1", "failed"), ("255", "failed")])
def test_an_exit_status_gives_the_result(intake: Intake, status: str, shown: str) -> None:
    intake.ping("/start")
    intake.clock.advance(seconds=1)
    assert intake.ping(f"/{status}").status_code == 200
    assert intake.badge == shown


def test_a_log_ping_is_accepted_and_changes_nothing(intake: Intake) -> None:
    intake.ping("/fail")
    assert intake.ping("/log", data=b"halfway").text == "OK"
    assert (intake.badge, len(intake.own.store.runs(WEB))) == ("failed", 1)


@pytest.mark.parametrize("rest", ["/256", "/-1", "/1.0", "/strat", "/%D9%A1", "/START", "/0001"])
def test_an_invalid_signal_is_refused(intake: Intake, rest: str) -> None:
    assert (intake.ping(rest).status_code, intake.ping(rest).text) == (400, "(invalid url format)")
    assert intake.badge == "scheduled"


@pytest.mark.parametrize("address", [NOBODY_S, "web", "{" + NOBODY_S + "}", "x" * 500, "é"])
@pytest.mark.parametrize("rest", ["", "/fail", "/web/fail"])
def test_an_unknown_ping_url_is_not_found(intake: Intake, address: str, rest: str) -> None:
    answer = intake.ping(rest, uuid=address)
    assert (answer.status_code, answer.text) == (404, "(not found)")


def test_a_uuid_may_be_in_upper_case(intake: Intake) -> None:
    assert intake.ping(uuid=intake.uuid.upper()).status_code == 200


def test_a_rotated_or_deleted_ping_url_is_not_found(intake: Intake) -> None:
    fresh = intake.own.checks.rotate(WEB)
    assert (intake.ping().status_code, intake.ping(uuid=fresh).status_code) == (404, 200)
    intake.own.checks.delete(WEB)
    assert intake.ping(uuid=fresh).status_code == 404


def test_run_ids_pair_a_start_with_its_end(intake: Intake) -> None:
    for minute, rest in enumerate([f"/start?rid={RID}", f"/start?rid={OTHER_RID}", f"/fail?rid={RID}"]):
        intake.clock.advance(minutes=minute)
        intake.ping(rest)
    # A failure is shown at once, although the other run is still in progress.
    assert intake.badge == "failed"
    intake.clock.advance(minutes=1)
    intake.ping(f"?rid={OTHER_RID.upper()}")
    assert intake.badge == "succeeded"
    assert [run.status for run in intake.own.store.runs(WEB)] == ["succeeded", "failed"]


def test_a_run_id_must_be_a_uuid(intake: Intake) -> None:
    answer = intake.ping("?rid=tonight")
    assert (answer.status_code, answer.text) == (400, "(invalid uuid format)")
    assert intake.badge == "scheduled"


def test_a_ping_key_reaches_checks_by_their_slugs(intake: Intake) -> None:
    key = intake.own.keys.create("servers", {Scope.PING})
    for rest, shown in (("/start", "inProgress"), ("/1", "failed"), ("", "succeeded")):
        intake.clock.advance(seconds=1)
        assert intake.ping(f"/web{rest}", uuid=key).text == "OK"
        assert intake.badge == shown
    for rest in ("/other", "/other?create=1", "/%00", "/WEB"):
        assert intake.ping(rest, uuid=key).status_code == 404
    assert intake.ping(uuid=key).status_code == 404


def test_other_and_revoked_keys_are_not_found(intake: Intake) -> None:
    reporter = intake.own.keys.create("ci", {Scope.REPORT, Scope.READ})
    key = intake.own.keys.create("servers", {Scope.PING})
    intake.own.keys.revoke("servers")
    assert {intake.ping("/web", uuid=each).status_code for each in (reporter, key)} == {404}
    assert intake.badge == "scheduled"


def test_a_ping_key_can_do_nothing_else(intake: Intake) -> None:
    key = intake.own.keys.create("servers", {Scope.PING})
    assert intake.client.get("/ops/status/list", headers={"X-API-Key": key}).status_code == 403


def test_a_ping_key_with_patterns_reaches_the_checks_of_its_subjects_only(intake: Intake) -> None:
    intake.check(Subject.parse("GitLab", "other", "Repository", "web"), "web")
    intake.check(Subject.parse("GitLab", "other", "Repository", "api"), "api")
    subjects = Selection([PathPattern.parse("GitHub/acme/*")])
    key = intake.own.keys.create("servers", {Scope.PING}, subjects=subjects)
    absent, elsewhere = intake.ping("/none", uuid=key), intake.ping("/api", uuid=key)
    assert (elsewhere.status_code, elsewhere.data) == (absent.status_code, absent.data) == (404, b"(not found)")
    assert intake.ping("/web", uuid=key).text == "OK"
    assert intake.badge == "succeeded"


def test_a_slug_of_two_checks_is_ambiguous(intake: Intake) -> None:
    intake.check(Subject.parse("GitLab", "acme", "Repository", "web"), "web")
    key = intake.own.keys.create("servers", {Scope.PING})
    answer = intake.ping("/web", uuid=key)
    assert (answer.status_code, answer.text) == (409, "(ambiguous slug)")
    assert intake.badge == "scheduled"


def test_bodies_are_read_and_discarded(intake: Intake, tmp_path: Path) -> None:
    log = b"secret words of a log"
    assert intake.ping("/fail", data=log).status_code == 200
    assert intake.badge == "failed"
    assert log not in b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


def test_a_body_that_is_too_large_does_not_lose_the_ping(intake: Intake) -> None:
    assert intake.ping("/fail", data=b"x" * (LARGEST_BODY + 1)).status_code == 200
    assert intake.badge == "failed"


def test_the_rate_limit_of_one_check_does_not_affect_others(tmp_path: Path) -> None:
    with intake_of(tmp_path, BADGE_PINGS_PER_MINUTE="2") as intake:
        other = intake.check(Subject.legacy("acme", "api"))
        answers = [intake.ping() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert (answers[2].text, answers[2].headers["Retry-After"]) == ("(rate limited)", "60")
        assert intake.ping(uuid=other).status_code == 200


def test_a_lost_catalogue_is_503_with_retry_after(tmp_path: Path) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path / "none")})
    with closing(build_parts(settings, cache=OneProcess(ManualClock()))) as parts:
        answer = build_app(parts).test_client().get(f"/ping/{NOBODY_S}")
        metrics = parts.events.metrics.exposition().decode()
    assert 'badge_catalogue_failures_total{error="SQLITE_CANTOPEN",operation="ping"} 1.0' in metrics
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "(unavailable)", "5")


def test_times_ahead_of_now_are_counted(intake: Intake) -> None:
    intake.clock.advance(days=9)
    intake.ping()
    intake.clock.advance(days=-9)
    assert "badge_times_ahead_total 0.0" in intake.client.get("/metrics").text
    intake.ping("/fail")
    # Once for the ping, and once for the fetch that puts the new status into the cache.
    assert "badge_times_ahead_total 2.0" in intake.client.get("/metrics").text


def test_other_methods_are_405(intake: Intake) -> None:
    assert intake.ping(method="PUT").status_code == 405
    assert intake.badge == "scheduled"


# --- overdue ---


def max_age(answer: TestResponse) -> int:
    return int(answer.headers["Cache-Control"].partition("max-age=")[2].partition(",")[0])


def test_a_missed_backup_is_failed_as_soon_as_it_is_overdue(intake: Intake) -> None:
    intake.ping()
    intake.clock.advance(hours=26, seconds=-40)
    fresh = intake.client.get("/badge/acme/web.txt")
    # The lifetime ends when the picture changes, not two minutes later.
    assert (fresh.text, max_age(fresh)) == ("succeeded\n", 40)
    intake.clock.advance(seconds=39)
    assert intake.badge == "succeeded"
    intake.clock.advance(seconds=1)
    assert intake.badge == "failed"


def test_a_check_never_pinged_is_scheduled_and_then_failed(intake: Intake) -> None:
    intake.clock.advance(hours=25)
    assert intake.badge == "scheduled"
    intake.clock.advance(hours=1)
    assert intake.badge == "failed"


def test_a_hanging_backup_is_failed_even_if_another_one_starts_each_day(intake: Intake) -> None:
    intake.ping()
    for _ in range(3):
        intake.clock.advance(hours=24)
        intake.ping("/start")
    assert intake.badge == "failed"
    intake.clock.advance(minutes=5)
    intake.ping()
    assert intake.badge == "succeeded"


def test_an_overdue_backup_fails_a_monitor_and_keeps_its_last_success(intake: Intake) -> None:
    intake.ping()
    success = intake.clock()
    intake.clock.advance(hours=30)
    monitored = intake.client.get("/badge/acme/web.json?expect=succeeded")
    assert monitored.status_code == 503
    document = intake.client.get("/badge/acme/web.json").get_json()
    assert (document["lastSuccessAt"], document["lastFinished"]) == (f"{success:%Y-%m-%dT%H:%M:%SZ}", "failed")
    assert document["finishedAt"] == f"{success + timedelta(hours=26):%Y-%m-%dT%H:%M:%SZ}"


def test_the_native_contract_shows_the_change_too(intake: Intake) -> None:
    key = intake.own.keys.create("replica", {Scope.READ})
    intake.ping()

    def status(**headers: str) -> TestResponse:
        query = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}
        return intake.client.get("/ops/status", query_string=query, headers={"X-API-Key": key, **headers})

    first = status()
    assert first.get_json()["staleAfter"] == f"{intake.clock() + timedelta(hours=26):%Y-%m-%dT%H:%M:%SZ}"
    assert status(**{"If-None-Match": first.headers["ETag"]}).status_code == 304
    intake.clock.advance(hours=27)
    later = status(**{"If-None-Match": first.headers["ETag"]})
    assert (later.status_code, later.get_json()["status"]) == (200, "failed")
    assert status(**{"If-None-Match": later.headers["ETag"]}).status_code == 304


VERIFIED_PINGS = [
    ("/verified", "verified <1h ago"),
    ("/verified/fail", "verification failed"),
    ("/verified/0", "verified <1h ago"),
    ("/verified/3", "verification failed"),
]


@pytest.mark.parametrize(("rest", "shown"), VERIFIED_PINGS)
def test_a_ping_reports_a_verification(intake: Intake, rest: str, shown: str) -> None:
    intake.ping()
    key = intake.own.keys.create("pinger", {Scope.PING})
    for prefix in (f"/ping/{intake.uuid}", f"/ping/{key}/web"):
        opposite = "/verified" if shown == "verification failed" else "/verified/fail"
        assert intake.ping(opposite).status_code == 200
        answer = intake.client.post(f"{prefix}{rest}?how=restored")
        assert (answer.status_code, answer.text) == (200, "OK")
        document = intake.client.get("/badge/acme/web.json?show=verified").get_json()
        assert (document["message"], document["status"], document["verifiedHow"]) == (shown, "succeeded", "restored")


@pytest.mark.parametrize("rest", ["/verified/failed", "/verified/256", "/verified/verified", "/verified/log"])
def test_any_other_ping_about_a_verification_is_refused(intake: Intake, rest: str) -> None:
    assert intake.ping(rest).status_code in (400, 404)


def test_how_a_backup_was_verified_is_a_closed_list(intake: Intake) -> None:
    answer = intake.ping("/verified?how=guessed")
    assert (answer.status_code, answer.text) == (400, "(how must be 'restored' or 'checked')")
    report = intake.own.store.report_for(WEB)
    assert report is not None
    assert report.verification is None


def test_a_slug_may_be_the_word_for_a_verification(intake: Intake) -> None:
    key, other = intake.own.keys.create("pinger", {Scope.PING}), Subject.legacy("acme", "other")
    intake.check(other, "verified")
    assert intake.client.post(f"/ping/{key}/verified/fail").status_code == 200
    report = intake.own.store.report_for(other)
    assert report is not None
    assert (report.status, report.verification) == ("failed", None)
