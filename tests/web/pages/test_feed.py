"""The feed: read by a feed parser and xmllint, without private subjects, cached, and bounded."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from shutil import which

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.app import build_watcher
from badge.model import BackupStatus, Visibility
from badge.notices import Message, NoticeKind
from badge.subject_pattern import PathPattern, Selection
from badge.watching.service import WatchService
from badge.web.badges.private_tokens import PrivateTokens
from badge.web.pages.feed import CONTENT_TYPE, Feed
from badge.web.paths import AT_ROOT
from tests.dashboard import Dashboard, Dashboards
from tests.doubles import START
from tests.servers import needs
from tests.unit.test_notices import notices
from tests.watching import named

FEED = "/feed.atom"
PUBLIC_URL = "https://badges.example.org"
S = BackupStatus
HOSTILE = ["<script>alert(1)<", "]]>&amp;", "\"quoted\" 'names'", "ünï 🎉", "\ufffe", "a&b;c"]


@dataclass
class Watched:
    """A dashboard whose catalogue is watched."""

    dashboard: Dashboard
    service: WatchService = field(init=False)

    def __post_init__(self) -> None:
        service = build_watcher(self.dashboard.parts, None, lambda: False)
        assert service is not None
        self.service = service
        assert service.store.take(service.store.lease())
        service.watcher.load()
        service.watcher.full_scan()

    def change(self, status: S, *names: str, visibility: Visibility | None = None) -> None:
        self.dashboard.clock.advance(minutes=1)
        for name in names:
            self.dashboard.record_run(named(name), status, visibility=visibility)
        self.service.watcher.full_scan()

    def titles(self, path: str = FEED) -> list[str]:
        return [entry.title for entry in self.read(path).entries]

    def read(self, path: str = FEED) -> feedparser.FeedParserDict:
        answer = self.dashboard.anonymous().get(path)
        assert (answer.status_code, answer.content_type) == (200, CONTENT_TYPE)
        return parsed(answer.data)


def parsed(document: bytes) -> feedparser.FeedParserDict:
    found = feedparser.parse(document)
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


@pytest.fixture
def watched(dashboards: Dashboards) -> Watched:
    return Watched(dashboards(BADGE_PUBLIC_URL=PUBLIC_URL, BADGE_FEED="on"))


def test_failures_and_recoveries_are_entries_newest_first(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, "web")
    watched.change(S.FAILED, "web")
    watched.change(S.SUCCEEDED, "web")
    feed = watched.read()
    web = "GitHub/acme/Repository/web"
    assert [entry.title for entry in feed.entries] == [f"Backup recovered: {web}", f"Backup failed: {web}"]
    assert feed.feed.id == feed.feed.links[0].href == f"{PUBLIC_URL}/feed.atom"
    newest = feed.entries[0]
    assert newest.link == f"{PUBLIC_URL}/status/{web}"
    assert newest.updated == feed.feed.updated == "2026-11-23T12:03:00Z"
    assert newest.content[0].value.splitlines()[0] == "Status: failed → protected"
    assert newest.id.startswith("urn:uuid:")


def test_its_urls_begin_with_the_path_prefix(dashboards: Dashboards) -> None:
    base = f"{PUBLIC_URL}/backups"
    watched = Watched(dashboards(BADGE_PUBLIC_URL=base, BADGE_FEED="on"))
    watched.change(S.SUCCEEDED, "web")
    watched.change(S.FAILED, "web")
    feed = watched.read(f"/backups{FEED}")
    assert feed.feed.links[0].href == base + FEED
    assert [entry.link for entry in feed.entries] == [f"{base}/status/GitHub/acme/Repository/web"]


def test_without_entries_it_is_still_a_feed(watched: Watched) -> None:
    assert watched.titles() == []


def test_it_is_off_by_default(dashboards: Dashboards) -> None:
    dashboard = dashboards()
    assert dashboard.get(FEED).status_code == 404
    assert dashboard.soup("/dashboard").select("link[rel=alternate]") == []


def test_the_dashboard_names_the_feed(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, "web")
    [link] = watched.dashboard.soup("/dashboard").select("head link[rel=alternate]")
    assert (link["type"], link["href"]) == ("application/atom+xml", FEED)


def token_for(dashboard: Dashboard, pattern: str) -> str:
    assert dashboard.parts.catalogue is not None
    return dashboard.parts.catalogue.tokens.create("feed", Selection.of([PathPattern.parse(pattern)]))


def test_private_subjects_are_shown_only_with_a_token_for_everything(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, "secret", "web", visibility=Visibility.PRIVATE)
    watched.change(S.SUCCEEDED, "web", visibility=Visibility.PUBLIC)
    watched.change(S.FAILED, "secret", "web")
    answer = watched.dashboard.anonymous().get(FEED)
    assert b"secret" not in answer.data
    assert b"web" in answer.data
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    path = f"{FEED}?token={token_for(watched.dashboard, '*/*/*')}"
    assert {title.rpartition("/")[2] for title in watched.titles(path)} == {"secret", "web"}
    assert watched.dashboard.anonymous().get(path).headers["Cache-Control"] == "private, max-age=60"


def test_a_subject_that_becomes_private_leaves_the_public_feed_at_once(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, "web")
    watched.change(S.FAILED, "web")
    assert len(watched.titles()) == 1
    watched.dashboard.record_run(named("web"), S.FAILED, visibility=Visibility.PRIVATE)
    assert watched.titles() == []


@pytest.mark.parametrize("token", ["x", "bst_" + "x" * 22, "for-one-account"])
def test_a_token_for_less_than_everything_opens_nothing(watched: Watched, token: str) -> None:
    watched.change(S.SUCCEEDED, "web")
    watched.change(S.FAILED, "web")
    if token == "for-one-account":
        token = token_for(watched.dashboard, "GitHub/acme/*")
    answer = watched.dashboard.anonymous().get(f"{FEED}?token={token}")
    assert (answer.status_code, b"web" in answer.data) == (404, False)


def test_the_same_entries_have_the_same_etag(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, "web")
    watched.change(S.FAILED, "web")
    client = watched.dashboard.anonymous()
    tag = client.get(FEED).headers["ETag"]
    again = client.get(FEED, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    watched.change(S.SUCCEEDED, "web")
    assert client.get(FEED, headers={"If-None-Match": tag}).status_code == 200


def test_the_number_of_entries_is_bounded(dashboards: Dashboards) -> None:
    watched = Watched(dashboards(BADGE_PUBLIC_URL=PUBLIC_URL, BADGE_FEED="on", BADGE_FEED_ENTRIES="4"))
    watched.change(S.SUCCEEDED, "web")
    for _ in range(3):
        watched.change(S.FAILED, "web")
        watched.change(S.SUCCEEDED, "web")
    assert len(watched.titles()) == 4


def test_if_the_database_fails_the_feed_is_temporarily_unavailable(watched: Watched) -> None:
    assert watched.dashboard.parts.catalogue is not None
    watched.dashboard.parts.catalogue.store.database.is_damaged = True
    answer = watched.dashboard.anonymous().get(FEED)
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["Cache-Control"]) == (
        503,
        "30",
        "no-store",
    )


def test_hostile_names_are_valid_xml(watched: Watched) -> None:
    watched.change(S.SUCCEEDED, *HOSTILE)
    watched.change(S.FAILED, *HOSTILE)
    document = watched.dashboard.anonymous().get(FEED).data
    assert "<script" not in document.decode()
    assert {entry.link.rpartition("/")[2] for entry in parsed(document).entries} == {
        named(name).path.rpartition("/")[2] for name in HOSTILE
    }
    assert_well_formed(document)


def assert_well_formed(document: bytes) -> None:
    needs("xmllint", is_there=which("xmllint") is not None)
    done = subprocess.run(["xmllint", "--noout", "-"], input=document, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


EMPTY = Feed(None, PrivateTokens(lambda: ""), PUBLIC_URL, AT_ROOT)  # type: ignore[arg-type] # only writes documents


@given(st.data())
def test_any_names_give_a_valid_feed(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(NoticeKind))
    some = data.draw(st.lists(notices(kind), min_size=1, max_size=3))
    at = START + data.draw(st.timedeltas(timedelta(0), timedelta(days=1)))
    message = Message("0b7a0a52-5a63-4b7c-9d8e-0f1f2f3f4f5f", at, kind, some, len(some))
    feed = parsed(EMPTY.document([message]))
    assert feed.entries[0].title == message.title
