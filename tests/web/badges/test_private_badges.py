"""Badges of private subjects: visible with the private token, otherwise identical to absent ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from badge.app import edge_around
from badge.model import BackupStatus, Report, Subject, Visibility
from badge.subject_pattern import PathPattern, Selection
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.signing_key import KEY_FILE
from tests.dashboard import Dashboards
from tests.doubles import START
from tests.site import SIGNING_KEY, SUCCEEDED, Site
from tests.web.badges.test_badges import FailingClock, title_of

WEB = "/badge/GitHub/acme/Repository/web"
TOKENS = PrivateTokens(lambda: SIGNING_KEY)
TOKEN = TOKENS.of(Subject.legacy("acme", "web"))
FORMS = (".svg?", ".json?", ".txt?", "?strict=1&", ".png?")


@pytest.fixture
def private(site: Site) -> Site:
    site.says = replace(SUCCEEDED, visibility=Visibility.PRIVATE)
    return site


def test_a_private_token_shows_the_badge_and_no_shared_cache_may_store_it(private: Site) -> None:
    for path in (WEB, "/badge/ACME/web"):
        shown = private.get(f"{path}?token={TOKEN}")
        assert title_of(shown.data) == "backup: succeeded"
        assert shown.headers["Cache-Control"] == "private, max-age=60"
        assert private.get(f"{path}.json?token={TOKEN}").get_json()["status"] == "succeeded"
        again = private.get(f"{path}?token={TOKEN}", headers={"If-None-Match": shown.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, max-age=60")


@pytest.mark.parametrize("says", [replace(SUCCEEDED, visibility=Visibility.PRIVATE), Report.absent(START), None])
@pytest.mark.parametrize("form", [*FORMS, "?format=shields&", ".json?expect=succeeded&", ".txt?strict=1&max_age=1h&"])
def test_every_answer_for_a_token_is_private_in_every_format(site: Site, form: str, says: Report | None) -> None:
    site.says = says
    answer = site.get(f"{WEB}{form}token={TOKEN}")
    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    is_image = form in (".svg?", ".png?")
    assert answer.headers["Cache-Control"].endswith(", must-revalidate") is not is_image
    assert "stale" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/badge/acme", "/badge/GitHub/acme/Repository/%00", "/summary/%00", "/summary"])
@pytest.mark.parametrize("form", ["", "&strict=1", "&format=json"])
def test_errors_for_a_token_are_private_too(site: Site, path: str, form: str) -> None:
    assert site.get(f"{path}?token=x{form}").headers["Cache-Control"].startswith("private, max-age=")


def test_a_crash_for_a_token_is_private_too() -> None:
    clock = FailingClock()
    site = Site(clock=clock)
    clock.failures = 1
    assert site.get(f"{WEB}.json?token={TOKEN}").status_code == 500
    clock.failures = 1
    assert site.get(f"{WEB}?token={TOKEN}").headers["Cache-Control"].startswith("private, max-age=")


def test_an_overloaded_service_s_answer_for_a_token_is_private_too(site: Site) -> None:
    edge = edge_around(site.app)
    for path, visibility in ((WEB, "public"), (f"{WEB}?token={TOKEN}", "private")):
        refused = edge._overloaded(path.encode()).answer.finished
        assert dict(refused.headers)["Cache-Control"].startswith(f"{visibility}, max-age=5")


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], TOKEN.lower(), TOKENS.of(Subject.legacy("acme", "api")), "%FF", ""])
def test_a_wrong_token_reveals_nothing(private: Site, token: str) -> None:
    seen = [private.get(f"{WEB}{form}token={token}") for form in FORMS]
    assert [answer.status_code for answer in seen] == [200, 404, 404, 404, 200]
    private.says = Report.absent(START)
    absent = [private.get(f"/badge/acme/none{form}token={token}") for form in FORMS]
    for one, other in zip(seen, absent, strict=True):
        assert (one.status_code, one.data, list(one.headers)) == (other.status_code, other.data, list(other.headers))


def test_an_answer_for_a_token_is_never_sent_without_it(private: Site) -> None:
    held = Site(edge_cache="500ms")
    held.says = private.says
    for _ in range(3):
        assert held.get(f"{WEB}.txt?token={TOKEN}").text == "succeeded\n"
        assert held.get(f"{WEB}.txt").status_code == 404
    held.says = replace(SUCCEEDED, status=BackupStatus.FAILED, visibility=Visibility.PRIVATE)
    held.clock.advance(minutes=3)
    assert held.get(f"{WEB}.txt?token={TOKEN}").text == "failed\n"


def test_during_an_outage_only_the_token_shows_the_last_status(private: Site) -> None:
    private.get(WEB)
    private.says = None
    private.clock.advance(minutes=10)
    assert private.get(f"{WEB}.json?token={TOKEN}").get_json()["stale"] is True
    assert private.get(f"{WEB}.json").status_code == 503


def test_a_token_of_an_absent_subject_shows_nothing(site: Site) -> None:
    site.says = Report.absent(START - timedelta(hours=1))
    assert site.get(f"{WEB}.json?token={TOKEN}").status_code == 404


def test_a_stored_token_works_even_if_the_signing_key_is_damaged(dashboards: Dashboards) -> None:
    dashboard = dashboards(BADGE_DASHBOARD="off")
    (dashboard.parts.settings.data_dir / KEY_FILE).write_bytes(b"")
    dashboard.report(Subject.legacy("acme", "web"), visibility=Visibility.PRIVATE)
    assert dashboard.parts.catalogue is not None
    stored = dashboard.parts.catalogue.tokens.create("readme", Selection([PathPattern.parse("acme/*")]))
    assert dashboard.get(f"{WEB}.txt?token={stored}").text == "succeeded\n"
    assert dashboard.get(f"{WEB}.txt?token={'x' * len(stored)}").status_code == 404
    for path in (WEB, "/badge/acme/absent"):  # the same for both, or it would show which of them exists
        assert dashboard.get(f"{path}.json?token={TOKEN}").status_code == 503
