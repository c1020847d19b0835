"""The badge routes: kinds of answers, headers, conditional requests, never HTML, never an error page."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from defusedxml import ElementTree

from badge.model import BackupStatus, Report, Visibility
from badge.web.badges.routes import ImageWhateverHappens
from tests.doubles import START, ManualClock
from tests.site import SUCCEEDED, Site

WEB = "/badge/GitHub/acme/Repository/web"
SVG = "image/svg+xml; charset=utf-8"


def title_of(body: bytes) -> str:
    root = ElementTree.fromstring(body)
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    return str(title.text)


WORDS = [
    (BackupStatus.SUCCEEDED, "backup: succeeded"),
    (BackupStatus.FAILED, "backup: failed"),
    (BackupStatus.IN_PROGRESS, "backup: in progress"),
    (BackupStatus.SCHEDULED, "backup: scheduled"),
    (BackupStatus.DELETED, "backup: deleted"),
    (BackupStatus.UNKNOWN, "backup: unknown"),
]


@pytest.mark.parametrize(("status", "title"), WORDS)
def test_each_status_is_an_image_that_says_so(site: Site, status: BackupStatus, title: str) -> None:
    site.says = replace(SUCCEEDED, status=status)
    answer = site.get(WEB)
    assert (answer.status_code, answer.content_type) == (200, SVG)
    assert title_of(answer.data) == title


@pytest.mark.parametrize("path", ["/badge/acme/web", "/badge/acme/web/", "/badge/acme/web.svg", WEB])
def test_both_url_forms_and_each_image_suffix_give_the_same_badge(site: Site, path: str) -> None:
    assert title_of(site.get(path).data) == "backup: succeeded"
    assert str(site.source.asked[0][0]) == "GitHub/acme/Repository/web"


def subjects_fetched(site: Site, path: str) -> list[str]:
    site.get(path)
    return [str(subject) for subject, _ in site.source.asked]


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/badge/acme/site.png?format=svg", "GitHub/acme/Repository/site.png"),
        ("/badge/acme/site.png.svg", "GitHub/acme/Repository/site.png"),
        ("/badge/acme/.svg", "GitHub/acme/Repository/.svg"),
        ("/badge/acme/web.txt?v=2", "GitHub/acme/Repository/web"),
        ("/badge/acme/a%2Fb", "GitHub/acme/Repository/a/b"),
        ("/badge/GitLab/my-group%2Fsub/Repository/web", "GitLab/my-group/sub/Repository/web"),
        ("/badge/AzureDevOps/org/Repository/my%20project/demo.json", "AzureDevOps/org/Repository/my project/demo"),
        ("/badge/acme/web?format=gif", "GitHub/acme/Repository/web"),
    ],
)
def test_the_raw_path_names_the_subject(site: Site, path: str, subject: str) -> None:
    assert subjects_fetched(site, path) == [subject]


def test_leading_slashes_count_as_one(site: Site) -> None:
    raw = "//badge/acme/a%2Fb"
    site.get("/", environ_overrides={"PATH_INFO": "//badge/acme/a/b", "RAW_URI": raw, "REQUEST_URI": raw})
    assert [str(subject) for subject, _ in site.source.asked] == ["GitHub/acme/Repository/a/b"]


OUTCOMES = [
    ("known", SUCCEEDED, 200, None),
    ("deleted", replace(SUCCEEDED, status=BackupStatus.DELETED), 410, "GONE"),
    ("absent", Report.absent(START), 404, "NOT_FOUND"),
    ("private", replace(SUCCEEDED, visibility=Visibility.PRIVATE), 404, "NOT_FOUND"),
    ("outage", None, 503, "UNAVAILABLE"),
    ("bug", RuntimeError("secret words"), 500, "INTERNAL"),
]


@pytest.mark.parametrize(("_", "says", "code", "word"), OUTCOMES)
def test_images_are_200_and_everything_else_has_the_true_status(
    site: Site, _: str, says: Report | Exception | None, code: int, word: str | None
) -> None:
    site.says = says
    image = site.get(WEB)
    assert (image.status_code, image.content_type) == (200, SVG)
    strict = site.get(WEB + "?strict=1")
    assert (strict.status_code, strict.data) == (code, image.data)
    assert site.get(WEB + ".txt").status_code == code
    document = site.get(WEB + ".json")
    assert document.status_code == code
    assert json.loads(document.data).get("code") == word
    assert b"secret words" not in document.data


def test_an_outage_sends_retry_after(site: Site) -> None:
    site.says = None
    answer = site.get(WEB + ".json")
    assert answer.headers["Retry-After"] == "15"
    assert answer.content_type == "application/problem+json"


INVALID = [
    "/badge/",
    "/badge/acme",
    "/badge/a/b/c",
    "/badge//acme/web",
    "/badge/acme/..",
    "/badge/acme/%00",
    "/badge/acme/%FF",
]


@pytest.mark.parametrize("path", INVALID)
def test_an_invalid_path_is_answered_with_an_image(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.content_type) == (200, SVG)
    assert title_of(answer.data) == "backup: unknown"
    strict = site.get(path + "?strict=1")
    assert (strict.status_code, strict.data) == (400, answer.data)
    assert site.source.asked == []


def test_a_url_of_more_than_8000_bytes_is_an_invalid_path(site: Site) -> None:
    path = "/badge/acme/web.json?v="
    assert site.get(path + "n" * (8_000 - len(path))).status_code == 200
    answer = site.get(path + "n" * (8_001 - len(path)))
    assert (answer.status_code, json.loads(answer.data)["code"]) == (400, "INVALID_SUBJECT")
    assert "8,000 bytes" in json.loads(answer.data)["detail"]
    assert site.get("/badge/acme/web?v=" + "n" * 8_001).content_type == SVG


def test_the_json_of_a_refused_path_says_why(site: Site) -> None:
    document = json.loads(site.get("/badge/acme/%2e%2e?format=json").data)
    assert (document["status"], document["code"]) == (400, "INVALID_SUBJECT")
    assert "'..'" in document["detail"]


class FailingClock(ManualClock):
    """A clock that raises `failures` times before it works again."""

    failures = 0

    def __call__(self) -> datetime:
        if self.failures:
            self.failures -= 1
            raise RuntimeError
        return super().__call__()


def test_a_crash_while_answering_a_crash_does_not_blame_the_path() -> None:
    clock = FailingClock()
    site = Site(clock=clock)
    for path, code, kind in ((WEB, 200, SVG), (WEB + ".json", 500, "application/problem+json")):
        clock.failures = 2
        answer = site.get(path)
        assert (answer.status_code, answer.content_type) == (code, kind)
        assert clock.failures == 0


def test_a_path_that_is_not_utf_8_is_refused_in_the_requested_format(site: Site) -> None:
    for path in ("/badge/acme/%FF.json", "/badge/GitHub/acme/Repository/%FF.json"):
        assert (site.get(path).status_code, site.get(path).content_type) == (400, "application/problem+json")
    assert site.get("/badge/acme/%FF.txt").status_code == 400
    assert site.get("/badge/acme/%FF.svg").content_type == SVG


def test_every_image_has_the_headers_that_proxies_and_browsers_need(site: Site) -> None:
    headers = site.get(WEB).headers
    assert headers["Cache-Control"] == "public, max-age=120, stale-while-revalidate=120, stale-if-error=3480"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Status"] == "backup-status-badge; fwd=miss; stored"
    assert "Last-Modified" not in headers
    assert "Set-Cookie" not in headers


def max_age(site: Site, path: str = WEB) -> str:
    return site.get(path).headers["Cache-Control"].split(", ")[1]


FOR_PROGRAMS = (".json?", ".txt?", "?strict=1&", ".png?strict=1&", "?format=shields&", "?expect=succeeded&")


@pytest.mark.parametrize(
    ("says", "seconds"), [(SUCCEEDED, 120), (Report.absent(START), 60), (None, 15), (ValueError("a bug"), 15)]
)
@pytest.mark.parametrize("form", FOR_PROGRAMS)
def test_programs_are_never_sent_anything_stale(
    site: Site, form: str, says: Report | Exception | None, seconds: int
) -> None:
    site.says = says
    assert site.get(WEB + form).headers["Cache-Control"] == f"public, max-age={seconds}, must-revalidate"


@pytest.mark.parametrize("form", FOR_PROGRAMS)
def test_programs_get_nothing_stale_for_an_invalid_path_either(site: Site, form: str) -> None:
    assert site.get(f"/badge/acme{form}").headers["Cache-Control"] == "public, max-age=60, must-revalidate"


def test_while_the_service_is_down_a_proxy_shows_an_image_until_it_would_change(site: Site) -> None:
    site.says = replace(SUCCEEDED, last_success_at=START - timedelta(hours=25, minutes=50))
    expected = {
        "": "max-age=120, stale-while-revalidate=120, stale-if-error=3480",
        "?max_age=26h": "max-age=120, stale-while-revalidate=120, stale-if-error=480",
    }
    for query, seconds in expected.items():
        assert site.get(WEB + query).headers["Cache-Control"] == f"public, {seconds}"


@pytest.mark.parametrize(
    ("says", "seconds"),
    [
        (SUCCEEDED, 120),
        (replace(SUCCEEDED, status=BackupStatus.IN_PROGRESS), 30),
        (replace(SUCCEEDED, status=BackupStatus.DELETED), 600),
        (Report.absent(START), 60),
        (None, 15),
        (ValueError("a bug"), 15),
        (replace(SUCCEEDED, next_run_at=START + timedelta(seconds=42)), 42),
    ],
)
def test_each_kind_of_answer_has_its_own_lifetime(site: Site, says: Report | Exception | None, seconds: int) -> None:
    site.says = says
    assert max_age(site) == f"max-age={seconds}"


def test_max_age_is_the_remaining_lifetime(site: Site) -> None:
    site.get(WEB)
    site.clock.advance(seconds=100)
    answer = site.get(WEB)
    assert "max-age=20," in answer.headers["Cache-Control"]
    assert answer.headers["Cache-Status"] == "backup-status-badge; hit; ttl=20"


def test_stale_data_shows_its_age_on_the_picture_and_in_the_json(site: Site) -> None:
    site.get(WEB)
    site.says = None
    site.clock.advance(hours=3, minutes=59, seconds=50)
    answer = site.get(WEB)
    assert title_of(answer.data) == "backup: succeeded · as of 3h ago"
    assert "max-age=10," in answer.headers["Cache-Control"]
    document = json.loads(site.get(WEB + ".json").data)
    assert (document["status"], document["stale"]) == ("succeeded", True)


def test_private_and_absent_answers_are_identical(site: Site) -> None:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    private = [site.get(WEB + suffix) for suffix in (".svg", ".json", ".txt", "?strict=1", ".svg")]
    site.says = Report.absent(START)
    absent = [site.get("/badge/acme/none" + suffix) for suffix in (".svg", ".json", ".txt", "?strict=1", ".svg")]
    for one, other in zip(private, absent, strict=True):
        assert (one.status_code, one.data, list(one.headers)) == (other.status_code, other.data, list(other.headers))


def test_a_matching_etag_gets_304_without_a_body(site: Site) -> None:
    first = site.get(WEB)
    again = site.get(WEB, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    weak = site.get(WEB, headers={"If-None-Match": f'"x", W/{first.headers["ETag"]}'})
    assert weak.status_code == 304


def test_a_changed_status_has_another_etag(site: Site) -> None:
    first = site.get(WEB)
    site.says = replace(SUCCEEDED, status=BackupStatus.FAILED)
    site.clock.advance(minutes=3)
    again = site.get(WEB, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, title_of(again.data)) == (200, "backup: failed")


def test_an_error_status_is_never_replaced_by_304(site: Site) -> None:
    site.says = Report.absent(START)
    first = site.get(WEB + "?strict=1")
    again = site.get(WEB + "?strict=1", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 404


def test_head_is_get_without_the_body(site: Site) -> None:
    got, head = site.get(WEB), site.client.head(WEB)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.data))
    assert head.headers["ETag"] == got.headers["ETag"]


def test_options_answers_a_preflight(site: Site) -> None:
    answer = site.client.options(WEB)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/livez", "/dashboard", "/doctor"])
def test_options_names_the_methods_and_no_media_type(site: Site, path: str) -> None:
    answer = site.client.options(path)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_without_html(site: Site, method: str) -> None:
    answer = site.client.open(WEB, method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_the_host_header_is_never_reflected(site: Site) -> None:
    for path in (WEB, "//badge//acme/web", "/badge//acme//web", "/badge"):
        answer = site.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "Location" not in answer.headers
        assert b"evil.example" not in answer.data


def test_the_client_can_choose_the_label(site: Site) -> None:
    assert title_of(site.get(WEB + "?label=last%20backup").data) == "last backup: succeeded"
    assert title_of(site.get(WEB + "?label=").data) == "succeeded"
    assert title_of(site.get(WEB + "?label=" + "x" * 65).data) == "backup: succeeded"


def test_the_json_holds_the_source_s_report(site: Site) -> None:
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(hours=2), last_finished=BackupStatus.SUCCEEDED)
    document = json.loads(site.get(WEB + ".json").data)
    assert document["version"] == 1
    assert document["subjectName"] == "web"
    assert document["finishedAt"] == "2026-11-23T10:00:00Z"
    assert document["lastFinished"] == "succeeded"
    assert document["stale"] is False


def test_the_text_is_one_word(site: Site) -> None:
    answer = site.get(WEB + ".txt")
    assert (answer.data, answer.content_type) == (b"succeeded\n", "text/plain; charset=utf-8")


def test_an_exception_outside_the_views_is_still_an_image(site: Site) -> None:
    class Broken:
        def __call__(self, *_: object) -> list[bytes]:
            raise RuntimeError("no framework left")

    layer: Any = site.app.wsgi_app
    while not isinstance(layer, ImageWhateverHappens):
        layer = layer._application
    layer._application = Broken()  # replaces everything inside the middleware under test
    answer = site.get(WEB)
    assert (answer.status_code, answer.content_type) == (200, SVG)
    assert title_of(answer.data) == "backup: unknown"
    assert answer.headers["Cache-Control"].startswith("public, ")
    for query in ("token=x", "a=%FF&%74oken=x"):
        assert site.get(f"{WEB}?{query}").headers["Cache-Control"] == "private, max-age=15"


class Unreadable:
    """A value in the WSGI environment that raises when it is read."""

    def __str__(self) -> str:
        raise RuntimeError("unreadable")


def test_a_request_that_cannot_be_read_is_still_answered_with_an_image(site: Site) -> None:
    # Without the middleware around Flask, which reads the path too.
    for query, visibility in (("", "public"), ("?token=x", "private")):
        with site.app.test_request_context(WEB + query, environ_overrides={"RAW_URI": Unreadable()}):
            answer = site.app.full_dispatch_request()
        assert (answer.status_code, answer.content_type) == (200, SVG)
        assert answer.headers["Cache-Control"].startswith(f"{visibility}, max-age=")


def test_a_query_that_is_not_utf_8_is_still_answered_with_an_image(site: Site) -> None:
    answer = site.get(WEB, environ_overrides={"QUERY_STRING": "token=x&label=\xff"})
    assert (answer.status_code, answer.content_type) == (200, SVG)
    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    assert title_of(answer.data) == "backup: unknown"


def test_errors_outside_badge_are_problem_documents(site: Site) -> None:
    answer = site.get("/no/such/page")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
