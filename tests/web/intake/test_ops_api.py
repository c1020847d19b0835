"""/ops: API keys, reports, and requests for a status."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from badge.app import CatalogueParts, build_app, build_parts
from badge.catalogue.keys import Scope
from badge.catalogue.listing import Listing
from badge.listing import ListingFilter, ListingOrder
from badge.model import Subject
from badge.settings import load
from badge.subject_pattern import PathPattern, Selection
from tests.doubles import ManualClock, OneProcess
from tests.migrated import migrate

WEB = Subject.legacy("acme", "web")
SUBJECT = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}


@dataclass
class Ops:
    """A client of a service with a catalogue, and three API keys: to read, to do everything, and only to report."""

    client: FlaskClient
    own: CatalogueParts
    clock: ManualClock
    reader: str
    reporter: str
    only_reporter: str

    def key(self, *scopes: Scope, subjects: str = "", name: str = "made") -> str:
        patterns = [PathPattern.parse(subjects)] if subjects else []
        return self.own.keys.create(name, scopes, subjects=Selection.of(patterns))

    def report(self, *, key: str | None = None, **fields: Any) -> TestResponse:
        headers = {"X-API-Key": self.reporter if key is None else key}
        return self.client.post("/ops/status/report", json={**SUBJECT, **fields}, headers=headers)

    def status(self, etag: str = "", key: str | None = None, **query: str) -> TestResponse:
        headers = {"X-API-Key": self.reader if key is None else key, "If-None-Match": etag}
        return self.client.get("/ops/status", query_string={**SUBJECT, **query}, headers=headers)


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    clock = ManualClock()
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_EDGE_CACHE": "0"})
    migrate(settings.catalogue_location)
    with closing(build_parts(settings, cache=OneProcess(clock), clock=clock)) as parts:
        assert parts.catalogue is not None
        reader = parts.catalogue.keys.create("reader", frozenset({Scope.READ}))
        reporter = parts.catalogue.keys.create("reporter", set(Scope) - {Scope.PING})
        only_reporter = parts.catalogue.keys.create("only-reporter", {Scope.REPORT})
        yield Ops(build_app(parts).test_client(), parts.catalogue, clock, reader, reporter, only_reporter)


def test_a_report_changes_the_badge_at_once(ops: Ops) -> None:
    assert ops.client.get("/badge/acme/web.txt").status_code == 404
    for word in ("succeeded", "failed"):
        ops.clock.advance(seconds=1)
        answer = ops.report(status=word)
        assert (answer.status_code, answer.get_json()["applied"]) == (200, True)
        assert ops.client.get("/badge/acme/web.txt").text == f"{word}\n"


@pytest.mark.parametrize("spelling", ["inProgress", "in-progress", "IN_PROGRESS", "in progress", "Running"])
def test_a_reporter_may_spell_a_status_as_people_do(ops: Ops, spelling: str) -> None:
    assert ops.report(status=spelling).get_json()["status"] == "inProgress"
    assert ops.report(status="great").status_code == 400


def test_the_status_follows_the_native_contract(ops: Ops) -> None:
    ops.report(status="succeeded", finishedAt="2026-11-23T11:59:00Z", startedAt="2026-11-23T11:00:00Z", sizeBytes=5)
    document = ops.status().get_json()
    expected = {**SUBJECT, "status": "succeeded", "visibility": "public", "sizeBytes": 5}
    assert expected.items() <= document.items()
    assert document["lastSuccessAt"] == "2026-11-23T11:59:00Z"
    assert ops.status().headers["Cache-Control"] == "private, no-cache"


def test_an_unchanged_status_is_304_and_a_changed_one_is_not(ops: Ops) -> None:
    ops.report(status="succeeded")
    etag = ops.status().headers["ETag"]
    ops.clock.advance(hours=1)
    assert (ops.status(etag).status_code, ops.status(etag).data) == (304, b"")
    ops.report(status="failed")
    assert ops.status(etag).status_code == 200


def test_an_older_run_s_event_changes_nothing(ops: Ops) -> None:
    ops.report(status="succeeded", startedAt="2026-11-23T11:00:00Z")
    answer = ops.report(status="failed", startedAt="2026-11-23T10:00:00Z", observedAt="2026-11-23T11:30:00Z")
    assert (answer.get_json()["applied"], answer.get_json()["status"]) == (False, "succeeded")


NEVER = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"]


@pytest.mark.parametrize("never", NEVER)
def test_a_zero_time_counts_as_missing_and_blocks_no_later_report(ops: Ops, never: str) -> None:
    ops.report(status="succeeded")
    ops.clock.advance(hours=1)
    times = dict.fromkeys(("observedAt", "startedAt", "finishedAt", "nextRunAt", "staleAfter"), never)
    failed = ops.report(status="failed", **times).get_json()
    assert (failed["applied"], failed["status"], failed["nextRunAt"]) == (True, "failed", None)
    ops.clock.advance(hours=1)
    assert ops.report(status="succeeded").get_json()["status"] == "succeeded"


def test_a_deleted_subject_is_gone_until_its_next_run(ops: Ops) -> None:
    ops.report(status="succeeded")
    ops.clock.advance(hours=1)
    ops.report(status="deleted")
    gone = ops.status()
    assert (gone.status_code, gone.get_json()["code"]) == (410, "GONE")
    assert ops.client.get("/badge/acme/web.json").status_code == 410
    ops.clock.advance(hours=1)
    ops.report(status="succeeded")
    assert ops.status().status_code == 200


def test_a_private_subject_is_unknown_without_a_key(ops: Ops) -> None:
    ops.report(status="succeeded", visibility="private")
    assert ops.status().get_json()["visibility"] == "private"
    assert ops.client.get("/badge/acme/web.txt").status_code == 404


def test_an_unknown_subject_is_not_found(ops: Ops) -> None:
    answer = ops.status(subjectName="none")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")


def test_names_are_compared_as_the_platform_compares_them(ops: Ops) -> None:
    ops.report(status="succeeded")
    assert ops.status(account="ACME", subjectName="Web").status_code == 200
    assert ops.client.get("/badge/ACME/Web.txt").status_code == 200


@pytest.mark.parametrize("key", ["", "wrong", "bsb_" + "x" * 40, "é"])
def test_a_valid_key_is_required(ops: Ops, key: str) -> None:
    for answer in (ops.status(key=key), ops.report(key=key, status="failed")):
        assert (answer.status_code, answer.get_json()["code"]) == (401, "UNAUTHENTICATED")
        assert "X-API-Key" in answer.headers["WWW-Authenticate"]


def test_a_key_is_limited_to_its_scopes(ops: Ops) -> None:
    assert ops.status(key=ops.only_reporter).status_code == 403
    assert ops.report(key=ops.reader, status="failed").status_code == 403


def test_without_the_scope_read_a_report_s_answer_says_only_whether_it_was_applied(ops: Ops) -> None:
    ops.report(status="failed", visibility="private", startedAt="2026-11-23T11:00:00Z")
    late = ops.report(key=ops.only_reporter, status="succeeded", startedAt="2026-11-23T10:00:00Z")
    assert late.get_json() == {"applied": False}
    ops.clock.advance(hours=1)
    assert ops.report(key=ops.only_reporter, status="succeeded").get_json() == {"applied": True}
    assert ops.report(status="succeeded").get_json()["visibility"] == "private"


def test_only_the_scope_visibility_allows_publishing_a_private_subject(ops: Ops) -> None:
    assert ops.report(key=ops.only_reporter, status="succeeded", visibility="public").status_code == 200
    assert ops.report(key=ops.only_reporter, status="succeeded", visibility="private").status_code == 200
    before, runs = ops.status().get_json(), ops.own.store.runs(WEB)
    ops.clock.advance(hours=1)
    refused = ops.report(key=ops.only_reporter, status="failed", visibility="public")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "FORBIDDEN")
    assert "visibility" in refused.get_json()["detail"]
    assert refused.content_type == "application/problem+json"
    assert {**ops.status().get_json(), "observedAt": ""} == {**before, "observedAt": ""}
    assert ops.own.store.runs(WEB) == runs
    assert ops.report(status="failed", visibility="public").get_json()["visibility"] == "public"


def test_a_key_reports_for_the_subjects_of_its_patterns_only(ops: Ops) -> None:
    key = ops.key(Scope.REPORT, subjects="GitHub/acme/Repository/w*")
    assert ops.report(key=key, status="succeeded").status_code == 200
    for elsewhere in ({"account": "other"}, {"subjectName": "api"}, {"platform": "GitLab"}):
        refused = ops.report(key=key, status="failed", **elsewhere)
        assert (refused.status_code, refused.get_json()["code"]) == (403, "FORBIDDEN")
        assert ops.status(**elsewhere).status_code == 404


def test_a_subject_that_a_key_does_not_cover_looks_absent(ops: Ops) -> None:
    ops.report(status="succeeded")
    ops.report(status="deleted", subjectName="old")
    ops.report(status="succeeded", account="other")
    key = ops.key(Scope.READ, subjects="GitHub/other/*")

    def seen(answer: TestResponse) -> object:
        headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
        return answer.status_code, answer.data, headers

    absent = {**SUBJECT, "subjectName": "none"}
    for name in ("web", "old"):
        there = {**SUBJECT, "subjectName": name}
        assert seen(ops.status(key=key, **there)) == seen(ops.status(key=key, **absent))
        assert seen(post(ops, "get", there, key)) == seen(post(ops, "get", absent, key))
    names = [{**SUBJECT, "subjectName": name} for name in ("web", "old", "none")] + [{**SUBJECT, "account": "other"}]
    results = post(ops, "batch", {"subjects": names}, key).get_json()["results"]
    assert [result["httpStatus"] for result in results] == [404, 404, 404, 200]
    assert results[0]["problem"] == results[1]["problem"] == results[2]["problem"]
    assert ops.status(key=key, account="other").status_code == 200


def test_a_list_has_only_the_subjects_that_the_key_covers(ops: Ops) -> None:
    key = ops.key(Scope.READ, subjects="GitHub/acme/Repository/[a-c]*")
    for number, letter in enumerate("abcdef"):
        ops.report(status="succeeded", subjectName=f"{letter}-{number}")
        ops.report(status="succeeded", subjectName=f"{letter}-{number}", account="other")
    names: list[tuple[str, str]] = []
    cursor: str | None = ""
    for _ in range(6):
        page = listed(ops, key=key, limit="2", cursor=cursor or "").get_json()
        names += [(item["account"], item["subjectName"]) for item in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            break
    assert (names, cursor) == ([("acme", "a-0"), ("acme", "b-1"), ("acme", "c-2")], None)


def test_an_expired_or_revoked_key_is_refused(ops: Ops) -> None:
    short = ops.own.keys.create("short", frozenset({Scope.READ}), expires_at=ops.clock() + timedelta(hours=1))
    assert ops.status(key=short).status_code == 404
    ops.clock.advance(hours=2)
    assert ops.status(key=short).status_code == 401
    ops.own.keys.revoke("reader")
    assert ops.status().status_code == 401


BAD_REPORTS: list[tuple[dict[str, Any], str]] = [
    ({"status": "great"}, "status"),
    ({"status": "unknown"}, "unknown"),
    ({"status": "succeeded", "startedAt": "yesterday"}, "startedAt"),
    ({"status": "succeeded", "startedAt": "2026-11-23T10:00:00"}, "startedAt"),
    ({"status": "succeeded", "sizeBytes": "5"}, "sizeBytes"),
    ({"status": "succeeded", "sizeBytes": -5}, "size"),
    ({"status": "succeeded", "url": "http://plain.example"}, "https"),
    ({"status": "succeeded", "colour": "green"}, "colour"),
    ({"status": "succeeded", "subjectName": "a/../b"}, "name"),
    ({"status": "succeeded", "observedAt": "2027-01-01T00:00:00Z"}, "future"),
]


@pytest.mark.parametrize(("fields", "word"), BAD_REPORTS)
def test_a_bad_report_is_refused_with_its_reason(ops: Ops, fields: dict[str, Any], word: str) -> None:
    answer = ops.report(**fields)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert word in answer.get_json()["detail"]
    assert ops.status().status_code == 404


def test_all_faults_of_a_report_are_listed_at_once(ops: Ops) -> None:
    detail = ops.report(status="great", sizeBytes="5", colour="green").get_json()["detail"]
    assert all(word in detail for word in ("status", "sizeBytes", "colour"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"status":NaN}'])
def test_a_malformed_body_is_refused(ops: Ops, body: bytes) -> None:
    headers = {"X-API-Key": ops.reporter, "Content-Type": "application/json"}
    assert ops.client.post("/ops/status/report", data=body, headers=headers).status_code == 400


def test_other_media_types_and_large_bodies_are_refused(ops: Ops) -> None:
    headers = {"X-API-Key": ops.reporter}
    assert ops.client.post("/ops/status/report", data="x=1", headers=headers).status_code == 415
    headers["Content-Type"] = "application/json"
    assert ops.client.post("/ops/status/report", data=b" " * 300_000, headers=headers).status_code == 413


def test_missing_coordinates_are_named(ops: Ops) -> None:
    answer = ops.client.get("/ops/status?platform=GitHub", headers={"X-API-Key": ops.reader})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_SUBJECT")
    assert "account, subjectType, subjectName" in answer.get_json()["detail"]


def post(ops: Ops, path: str, body: object, key: str | None = None) -> TestResponse:
    return ops.client.post(f"/ops/status/{path}", json=body, headers={"X-API-Key": key or ops.reader})


def test_a_status_can_be_requested_by_post(ops: Ops) -> None:
    ops.report(status="succeeded")
    assert post(ops, "get", SUBJECT).get_json() == ops.status().get_json()
    assert post(ops, "get", {**SUBJECT, "subjectName": "none"}).status_code == 404
    assert post(ops, "get", {**SUBJECT, "subjectName": ".."}).get_json()["code"] == "INVALID_SUBJECT"
    assert post(ops, "get", {"platform": "GitHub"}).get_json()["code"] == "INVALID_REQUEST"
    assert post(ops, "get", SUBJECT, ops.only_reporter).status_code == 403


def test_a_report_with_a_name_that_is_too_long_is_refused_with_the_limit(ops: Ops) -> None:
    answer = ops.report(status="succeeded", subjectName="名" * 930)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.get_json()["detail"] == "name is longer than 2,048 bytes of UTF-8."


def test_a_batch_answers_each_subject_separately_and_in_order(ops: Ops) -> None:
    ops.report(status="succeeded")
    ops.report(status="failed", subjectName="api")
    ops.report(status="deleted", subjectName="old")
    names = ["api", "none", "web", "a//b", "old", "web"]
    results = post(ops, "batch", {"subjects": [{**SUBJECT, "subjectName": name} for name in names]}).get_json()[
        "results"
    ]
    assert [result["subject"]["subjectName"] for result in results] == names
    assert [result["httpStatus"] for result in results] == [200, 404, 200, 400, 410, 200]
    assert [result["status"]["status"] for result in results if "status" in result] == [
        "failed",
        "succeeded",
        "succeeded",
    ]
    assert [result["problem"]["code"] for result in results if "problem" in result] == [
        "NOT_FOUND",
        "INVALID_SUBJECT",
        "GONE",
    ]


def test_a_batch_has_a_limit(ops: Ops) -> None:
    assert len(post(ops, "batch", {"subjects": [SUBJECT] * 100}).get_json()["results"]) == 100
    assert post(ops, "batch", {"subjects": [SUBJECT] * 101}).status_code == 400
    assert post(ops, "batch", {"subjects": []}).get_json() == {"results": []}
    assert post(ops, "batch", {"subjects": [{**SUBJECT, "x": 1}]}).status_code == 400


def listed(ops: Ops, key: str = "", **query: str) -> TestResponse:
    return ops.client.get("/ops/status/list", query_string=query, headers={"X-API-Key": key or ops.reader})


def test_cursors_contain_no_names_that_the_key_does_not_cover(ops: Ops) -> None:
    key = ops.key(Scope.READ, subjects="GitHub/acme/Repository/[az]*")
    for name in ("alpha", "hidden-1", "hidden-2", "hidden-3", "zeta", "zulu"):
        ops.report(status="succeeded", subjectName=name, visibility="private")
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None and len(pages) < 6:
        page = listed(ops, key=key, limit="1", cursor=cursor).get_json()
        pages.append([item["subjectName"] for item in page["items"]])
        cursor = page["nextCursor"]
        assert "hidden" not in base64.urlsafe_b64decode(f"{cursor or ''}===").decode()
    assert pages == [["alpha"], ["zeta"], ["zulu"]]


@pytest.mark.parametrize("order", ListingOrder)
def test_no_page_skips_more_rows_than_allowed(ops: Ops, order: ListingOrder) -> None:
    for name in ("zeta", "hidden-1", "hidden-2", "hidden-3", "alpha"):
        ops.report(status="succeeded", subjectName=name)
        ops.clock.advance(seconds=1)
    within = Selection([PathPattern.parse("GitHub/acme/Repository/[az]*")])
    names = ["zeta", "alpha"] if order is ListingOrder.WORST else ["alpha", "zeta"]
    listing = Listing(ListingFilter(), order, ops.clock(), within=within, most_passed_over=2)
    with ops.own.store.database.reading() as connection:
        first = listing.page(connection, None, 1)
        assert [row.name for row in first.rows] == [names[0]]
        with pytest.raises(ValueError, match="select none of the next 2 subjects"):
            listing.page(connection, first.next_cursor, 1)
        last = replace(listing, most_passed_over=2000).page(connection, first.next_cursor, 1)
    assert ([row.name for row in last.rows], last.next_cursor) == ([names[-1]], None)


def test_a_list_comes_in_pages(ops: Ops) -> None:
    for number in range(7):
        ops.report(status="succeeded", subjectName=f"repo-{number}")
    names: list[str] = []
    cursor: str | None = ""
    for _ in range(4):
        page = listed(ops, limit="2", cursor=cursor or "").get_json()
        names += [item["subjectName"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert (names, cursor) == ([f"repo-{number}" for number in range(7)], None)


def test_a_list_can_be_filtered(ops: Ops) -> None:
    ops.report(status="succeeded")
    ops.clock.advance(hours=1)
    ops.report(status="failed", subjectName="api", account="other")
    for query in ({"status": "failed"}, {"account": "Other"}, {"updatedSince": "2026-11-23T12:30:00Z"}):
        assert [item["subjectName"] for item in listed(ops, **query).get_json()["items"]] == ["api"]
    assert listed(ops, platform="GitLab").get_json() == {"items": [], "nextCursor": None}


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "x"}, {"status": "green"}, {"updatedSince": "today"}],
)
def test_a_bad_list_query_is_refused(ops: Ops, query: dict[str, str]) -> None:
    answer = listed(ops, **query)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_REQUEST")


def test_calls_with_a_key_are_rate_limited(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_OPS_PER_MINUTE": "3"})
    migrate(settings.catalogue_location)
    with closing(build_parts(settings, cache=OneProcess(clock), clock=clock)) as parts:
        assert parts.catalogue is not None
        one, other = (parts.catalogue.keys.create(name, {Scope.READ}) for name in ("one", "other"))
        ops = Ops(build_app(parts).test_client(), parts.catalogue, clock, one, other, other)
        assert [ops.status().status_code for _ in range(4)] == [404, 404, 404, 429]
        assert ops.status().headers["Retry-After"] == "60"
        assert ops.status(key=other).status_code == 404


def test_a_lost_catalogue_is_503(tmp_path: Path) -> None:
    settings = load({"BADGE_DATA_DIR": str(tmp_path / "none")})
    with closing(build_parts(settings, cache=OneProcess(ManualClock()))) as parts:
        answer = build_app(parts).test_client().get("/ops/status", headers={"X-API-Key": "x"})
        metrics = parts.events.metrics.exposition().decode()
    assert (answer.status_code, answer.get_json()["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    assert 'badge_catalogue_failures_total{error="SQLITE_CANTOPEN",operation="status"} 1.0' in metrics


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/ops/status/get"), ("POST", "/ops/status"), ("PUT", "/ops/status/list")]
)
def test_other_methods_get_405_and_the_names_of_those_that_work(ops: Ops, method: str, path: str) -> None:
    answer = ops.client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert answer.headers["Allow"]


def test_a_verification_is_reported_without_a_run(ops: Ops) -> None:
    ops.report(status="succeeded")
    assert ops.client.get("/badge/acme/web.json?verified_within=90d").get_json()["message"] == "unverified"
    ops.clock.advance(seconds=1)
    answer = ops.report(
        verification="passed", verifiedHow="restored", verifiedAt="2026-11-20T05:00:00+01:00"
    ).get_json()
    fields = ("applied", "status", "verification", "verifiedAt", "verifiedHow")
    assert [answer[name] for name in fields] == [True, "succeeded", "passed", "2026-11-20T04:00:00Z", "restored"]
    assert ops.client.get("/badge/acme/web.json?verified_within=90d").get_json()["message"] == "succeeded"
    assert ops.report(verification="failed").get_json()["verification"] == "failed"
    late = ops.report(verification="passed", verifiedAt="2026-11-21T05:00:00Z").get_json()
    assert (late["applied"], late["verification"]) == (False, "failed")
    assert ops.client.get("/badge/acme/web.json?show=verified").get_json()["message"] == "verification failed"
    assert ops.status().get_json()["verification"] == "failed"


def test_a_verification_of_a_private_subject_does_not_publish_it(ops: Ops) -> None:
    ops.report(status="succeeded", visibility="private")
    assert ops.report(key=ops.only_reporter, verification="passed").get_json() == {"applied": True}
    assert ops.client.get("/badge/acme/web.json?show=verified").status_code == 404


def test_a_verification_of_an_unknown_subject_creates_it_with_the_visibility_it_gives(ops: Ops) -> None:
    public = ops.report(verification="passed").get_json()
    assert (public["status"], public["visibility"]) == ("unknown", "public")
    private = ops.report(subjectName="secret", verification="passed", visibility="private").get_json()
    assert (private["applied"], private["visibility"]) == (True, "private")
    assert ops.client.get("/badge/acme/secret.json").status_code == 404


def test_a_verification_publishes_a_private_subject_only_with_the_scope_visibility(ops: Ops) -> None:
    ops.report(status="succeeded")
    asked = {"verification": "failed", "visibility": "private", "verifiedAt": "2026-11-23T05:00:00Z"}
    assert ops.report(key=ops.only_reporter, **asked).get_json() == {"applied": True}
    before = ops.status().get_json()
    assert before["visibility"] == "private"
    refused = ops.report(key=ops.only_reporter, verification="passed", visibility="public")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "FORBIDDEN")
    assert ops.status().get_json() == before
    late = ops.report(verification="passed", visibility="public", verifiedAt="2026-11-23T04:00:00Z").get_json()
    assert (late["applied"], late["visibility"]) == (False, "private")
    assert ops.report(verification="passed", visibility="public").get_json()["visibility"] == "public"
    late = ops.report(verification="passed", visibility="private", verifiedAt="2026-11-23T04:00:00Z").get_json()
    assert late["visibility"] == "private"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "body: give status, verification or both."),
        ({"visibility": "private"}, "body: give status, verification or both."),
        ({"verification": None}, "body: give status, verification or both."),
        (
            {"verification": "passed", "url": "https://e.org"},
            "body: status is missing; url can't be reported without it.",
        ),
        (
            {"status": "succeeded", "verifiedAt": "2026-11-20T05:00:00Z"},
            'body: verifiedAt and verifiedHow require the field verification ("passed" or "failed").',
        ),
        ({"verification": "passed", "verifiedAt": "2026-11-23T12:06:00Z"}, "the verification's time is in the future."),
        ({"status": "deleted", "verification": "passed"}, "a deletion has no verification."),
    ],
)
def test_an_incomplete_or_impossible_verification_is_refused(ops: Ops, fields: dict[str, Any], fault: str) -> None:
    answer = ops.report(**fields)
    assert (answer.status_code, answer.get_json()["detail"]) == (400, fault)
    assert ops.status().status_code == 404
