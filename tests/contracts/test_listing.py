"""Which subjects there are: filters, orders and pages agree, and the totals count what the pages show."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from flask import Flask, jsonify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

from badge.app import Parts, build_app, build_parts
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.checks import Checks
from badge.catalogue.events import RunEvent
from badge.catalogue.keys import Scope
from badge.catalogue.migration import migrate
from badge.catalogue.source import CatalogueSource
from badge.catalogue.store import Catalogue
from badge.events import FailureKind
from badge.listing import (
    ListBusy,
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListUnavailable,
    NoList,
    StatusListing,
)
from badge.model import BackupStatus, PastRun, Report, Subject, Visibility
from badge.ports import SourceUnavailable, StatusSource
from badge.settings import load
from badge.sources.configuration.configured_listing import CatalogueWalk, JoinedWalk, listing_of
from badge.sources.configuration.sources_file import load as load_sources
from badge.sources.http.transport import HttpTransport
from badge.sources.native.listing import LARGEST_PAGE_BYTES, NativeWalk
from badge.sources.routing import OneSource
from badge.sources.snapshot_listing import MOST_WAITING, SnapshotListing, Walked
from tests.doubles import START, ManualClock, RecordedEvents, ScriptedSource

S = BackupStatus


@dataclass
class Listed:
    """A listing, and a way to fill it."""

    listing: StatusListing
    catalogue: Catalogue
    clock: ManualClock

    def tell(self, path: str, status: BackupStatus, **more: object) -> None:
        event = RunEvent(subject=Subject.from_path(path), status=status, at=self.clock())
        self.catalogue.record(replace(event, **more))  # type: ignore[arg-type] # passed through

    def all(self, order: ListingOrder, limit: int, filter: ListingFilter = ListingFilter()) -> list[ListedSubject]:  # noqa: B008 - frozen
        found: list[ListedSubject] = []
        cursor = None
        for _ in range(100):
            page = self.listing.list(filter, cursor, limit, order)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found
        raise AssertionError("the pages do not end")

    def names(self, order: ListingOrder = ListingOrder.NAME, limit: int = 2, **filter: object) -> Sequence[str]:
        wanted = ListingFilter(**filter)  # type: ignore[arg-type] # passed through
        return [item.subject.name for item in self.all(order, limit, wanted)]


@pytest.fixture(params=["catalogue", "native", "joined"])
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listed]:
    """The catalogue itself, and the same behind HTTP as another service's upstream."""
    settings = load({"BADGE_DATA_DIR": str(tmp_path)})
    migrate(settings.catalogue_location)
    clock = ManualClock()
    with closing(build_parts(settings, cache=MemoryStatusCache(clock), clock=clock)) as parts:
        yield from _listed(request.param, parts, clock)


def _listed(kind: str, parts: Parts, clock: ManualClock) -> Iterator[Listed]:
    assert parts.catalogue is not None
    made = Listed(parts.catalogue.source, parts.catalogue.store, clock)
    _fill(made)
    if kind == "catalogue":
        yield made
        return
    if kind == "joined":
        joined = JoinedWalk(OneSource(parts.catalogue.source), {"catalogue": CatalogueWalk(parts.catalogue.source)})
        yield replace(made, listing=SnapshotListing(joined, clock, kept_for=timedelta(0)))
        return
    key = parts.catalogue.keys.create("replica", {Scope.READ})
    with served(build_app(parts)) as url:
        transport = HttpTransport(max_bytes=LARGEST_PAGE_BYTES)
        walk = NativeWalk(url, key, transport, clock)
        yield replace(made, listing=SnapshotListing(walk, clock, kept_for=timedelta(0)))


@contextlib.contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application over HTTP, in a thread; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _fill(made: Listed) -> None:
    for number, (path, status) in enumerate(
        [
            ("acme/web", S.SUCCEEDED),
            ("acme/api", S.FAILED),
            ("GitLab/my-group%2Fsub/Repository/worker", S.IN_PROGRESS),
            ("AzureDevOps/contoso/Repository/Web Shop/50%25_off", S.SCHEDULED),
            ("acme/old", S.DELETED),
        ]
    ):
        made.clock.advance(minutes=number)
        made.tell(path, status)


def test_by_name_the_subjects_of_one_account_stand_together(listed: Listed) -> None:
    assert listed.names() == ["Web Shop/50%_off", "api", "old", "web", "worker"]


def test_the_latest_comes_first(listed: Listed) -> None:
    assert listed.names(ListingOrder.LATEST) == ["old", "Web Shop/50%_off", "worker", "api", "web"]


def test_the_worst_comes_first(listed: Listed) -> None:
    assert listed.names(ListingOrder.WORST) == ["api", "worker", "Web Shop/50%_off", "web", "old"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("web",), ["Web Shop/50%_off", "web"]),
        (("WEB", "github"), ["web"]),
        (("my-group/sub",), ["worker"]),
        (("acme/WEB",), ["web"]),
        (("github/acme/web",), ["web"]),
        (("my-group/sub/worker",), ["worker"]),
        (("acme/worker",), []),
        (("50%_off",), ["Web Shop/50%_off"]),
        (("%",), ["Web Shop/50%_off"]),
        (("nothing",), []),
    ],
)
def test_every_word_has_to_occur_in_the_coordinates(listed: Listed, words: tuple[str, ...], found: list[str]) -> None:
    assert listed.names(words=words) == found


def test_what_is_no_longer_vouched_for_is_unknown(listed: Listed) -> None:
    listed.tell("acme/web", S.SUCCEEDED, stale_after=listed.clock() + timedelta(hours=1))
    assert listed.names(shown_as=S.SUCCEEDED) == ["web"]
    assert listed.listing.totals(ListingFilter()).protected == 1
    listed.clock.advance(hours=2)
    assert listed.names(shown_as=S.SUCCEEDED) == []
    assert listed.names(shown_as=S.UNKNOWN) == ["web"]
    assert listed.names(status=S.SUCCEEDED) == ["web"]
    assert listed.listing.totals(ListingFilter()).protected == 0


def test_deleted_ones_need_no_protection_and_those_never_backed_up_do(listed: Listed) -> None:
    totals = listed.listing.totals(ListingFilter())
    assert (totals.protected, totals.to_protect, totals.all) == (1, 4, 5)
    assert totals.by_status == dict.fromkeys((S.SUCCEEDED, S.FAILED, S.IN_PROGRESS, S.SCHEDULED, S.DELETED), 1)


def test_a_running_backup_after_a_success_is_still_protected(listed: Listed) -> None:
    listed.clock.advance(hours=1)
    listed.tell("acme/web", S.IN_PROGRESS)
    assert listed.listing.totals(ListingFilter()).protected == 1


def test_a_backup_that_is_missing_counts_as_failed_from_its_moment_on(listed: Listed) -> None:
    listed.clock.advance(hours=1)
    web = Subject.from_path("acme/web")
    Checks(listed.catalogue.database, listed.clock).create(web, timedelta(days=1), timedelta(hours=1))
    assert listed.names(shown_as=S.SUCCEEDED) == ["web"]
    listed.clock.advance(hours=26)
    assert listed.names(shown_as=S.SUCCEEDED) == []
    assert listed.names(shown_as=S.FAILED) == ["api", "web"]
    assert listed.names(ListingOrder.WORST)[:2] == ["api", "web"]
    assert listed.names(ListingOrder.LATEST)[0] == "web"
    assert listed.listing.totals(ListingFilter()).protected == 0


def test_private_ones_can_be_left_out(listed: Listed) -> None:
    listed.tell("acme/api", S.FAILED, visibility=Visibility.PRIVATE)
    assert "api" not in listed.names(is_public_only=True)
    assert listed.listing.totals(ListingFilter(is_public_only=True)).all == 4


def test_a_cursor_of_another_order_is_refused(listed: Listed) -> None:
    cursor = listed.listing.list(ListingFilter(), None, 1).next_cursor
    for order in (ListingOrder.LATEST, ListingOrder.WORST):
        with pytest.raises(ValueError, match="cursor"):
            listed.listing.list(ListingFilter(), cursor, 1, order)


def test_a_cursor_with_a_number_no_database_takes_is_refused(listed: Listed) -> None:
    for cursor in ("WyJsYXRlc3QiLDFlOTksMV0", "WyJsYXRlc3QiLDk5OTk5OTk5OTk5OTk5OTk5OTk5LDFd"):
        with pytest.raises(ValueError, match="cursor"):
            listed.listing.list(ListingFilter(), cursor, 1, ListingOrder.LATEST)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.sampled_from(ListingOrder), limit=st.integers(1, 7), shown_as=st.none() | st.sampled_from(BackupStatus))
def test_pages_of_any_size_hold_each_subject_once_as_often_as_the_totals_say(
    listed: Listed, order: ListingOrder, limit: int, shown_as: BackupStatus | None
) -> None:
    found = listed.all(order, limit, ListingFilter(shown_as=shown_as))
    assert found == list(listed.all(order, 100, ListingFilter(shown_as=shown_as)))
    assert len({item.subject for item in found}) == len(found)
    assert len(found) == listed.listing.totals(ListingFilter(shown_as=shown_as)).all


def test_the_history_has_the_newest_run_first(listed: Listed) -> None:
    source = CatalogueSource(listed.catalogue, RecordedEvents())
    began = listed.clock()
    for hours, status in ((2, S.SUCCEEDED), (1, S.FAILED)):
        moment = began - timedelta(hours=hours)
        listed.tell("acme/new", status, at=moment, started_at=moment, size_bytes=hours)
    web = Subject.legacy("acme", "new")
    assert [(run.status, run.size_bytes) for run in source.history(web, 9)] == [(S.FAILED, 1), (S.SUCCEEDED, 2)]
    assert source.history(web, 1) == [PastRun(S.FAILED, began - timedelta(hours=1), began - timedelta(hours=1), 1)]
    assert source.history(Subject.legacy("acme", "none"), 9) == []


@pytest.mark.parametrize("listed", ["native"], indirect=True)
def test_an_upstream_is_walked_through_once_in_a_while(listed: Listed) -> None:
    assert isinstance(listed.listing, SnapshotListing)
    kept = replace(listed.listing, kept_for=timedelta(seconds=30))
    assert kept.totals(ListingFilter()).all == 5
    listed.tell("acme/new", S.SUCCEEDED)
    assert kept.totals(ListingFilter()).all == 5
    listed.clock.advance(seconds=30)
    assert kept.totals(ListingFilter()).all == 6


def test_an_upstream_of_many_pages_is_read_whole(listed: Listed) -> None:
    for number in range(120):
        listed.tell(f"acme/repo-{number:03}", S.SUCCEEDED)
    totals = listed.listing.totals(ListingFilter())
    assert (totals.all, totals.is_whole) == (125, True)
    assert len(listed.all(ListingOrder.NAME, 50)) == 125


@pytest.mark.parametrize("listed", ["native"], indirect=True)
def test_an_upstream_that_refuses_is_the_lack_of_an_answer(listed: Listed) -> None:
    assert isinstance(listed.listing, SnapshotListing)
    assert isinstance(listed.listing.walk, NativeWalk)
    refused = replace(listed.listing, walk=replace(listed.listing.walk, api_key="wrong"))
    with pytest.raises(SourceUnavailable, match="http4xx"):
        refused.list(ListingFilter())


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_upstream_without_a_list_says_so(status: int) -> None:
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: ("", status))
    with served(upstream) as url:
        walk = NativeWalk(url, None, HttpTransport(max_bytes=LARGEST_PAGE_BYTES), ManualClock())
        with pytest.raises(NoList):
            SnapshotListing(walk, ManualClock()).list(ListingFilter())


ITEM = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "web"}


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"items": [7, {}, {**ITEM, "subjectName": ".."}, ITEM], "nextCursor": 5}, ["web"]),
        ({"items": [{**ITEM, "status": 3}, ITEM], "nextCursor": ""}, ["web"]),
        ({"items": "many"}, None),
        (["web"], None),
    ],
)
def test_what_an_upstream_gets_wrong_is_unknown_and_stays_in_the_count(
    document: object, names: list[str] | None
) -> None:
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: jsonify(document))
    with served(upstream) as url:
        clock = ManualClock()
        listing = SnapshotListing(NativeWalk(url, None, HttpTransport(max_bytes=LARGEST_PAGE_BYTES), clock), clock)
        if names is None:
            with pytest.raises(SourceUnavailable, match="badField"):
                listing.totals(ListingFilter())
            return
        assert [item.subject.name for item in listing.list(ListingFilter()).items] == names
        assert listing.totals(ListingFilter()).by_status == {S.UNKNOWN: 1}


def test_an_upstream_that_never_ends_is_left_at_the_limit_and_said_to_be_larger() -> None:
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: jsonify({"items": [ITEM], "nextCursor": "again"}))
    with served(upstream) as url:
        clock = ManualClock()
        listing = SnapshotListing(NativeWalk(url, None, HttpTransport(max_bytes=LARGEST_PAGE_BYTES), clock), clock)
        totals = listing.totals(ListingFilter())
    assert (totals.all, totals.is_whole) == (1, False)


def named(name: str, *paths: str) -> Callable[[], Walked]:
    """The walk of a source with these subjects."""
    report = Report(status=S.SUCCEEDED, observed_at=START)
    return lambda: Walked([ListedSubject(Subject.from_path(path), report) for path in paths], is_whole=True)


@dataclass
class ByAccount:
    """A routing in which a subject's source is called like its account."""

    sources: Sequence[StatusSource] = ()

    def source_for(self, subject: Subject) -> StatusSource | None:
        return ScriptedSource(lambda _: Report.absent(START), name=subject.account)


def unavailable() -> Walked:
    raise SourceUnavailable(FailureKind.TIMEOUT)


def test_a_walk_that_fails_does_so_for_all_who_ask_meanwhile_and_shortly_after() -> None:
    clock, walks = ManualClock(), []

    def walk() -> Walked:
        walks.append(clock())
        raise SourceUnavailable(FailureKind.TIMEOUT)

    listing = SnapshotListing(walk, clock)
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="timeout"):
            listing.list(ListingFilter())
    assert len(walks) == 1
    clock.advance(seconds=5)
    with pytest.raises(SourceUnavailable, match="timeout"):
        listing.totals(ListingFilter())
    assert len(walks) == 2


def test_only_so_many_wait_for_a_walk_and_all_of_them_for_the_same_one() -> None:
    going, walks = threading.Event(), []

    def walk() -> Walked:
        walks.append(1)
        assert going.wait(10)
        return named("acme", "acme/web")()

    listing = SnapshotListing(walk, ManualClock())
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(listing.totals, ListingFilter()) for _ in range(8)]
        refused = list(islice(as_completed(waiting, 10), 8 - MOST_WAITING))
        going.set()
    assert all(isinstance(future.exception(), ListBusy) for future in refused)
    assert [future.result().all for future in waiting if future not in refused] == [1] * MOST_WAITING
    assert walks == [1]


def test_each_source_s_subjects_are_listed_where_it_is_the_one_that_is_asked() -> None:
    walk = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web", "contoso/web"), "contoso": named("contoso")})
    assert [str(item.subject) for item in walk().items] == ["GitHub/acme/Repository/web"]
    assert walk().is_whole


def test_a_source_that_is_out_leaves_the_others_and_the_count_unfinished() -> None:
    walk = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web"), "contoso": unavailable})
    assert [item.subject.name for item in walk().items] == ["web"]
    assert not walk().is_whole
    assert SnapshotListing(walk, ManualClock()).totals(ListingFilter()).silent == ["contoso"]
    with pytest.raises(ListUnavailable) as raised:
        JoinedWalk(ByAccount(), {"acme": unavailable, "contoso": unavailable})()
    assert raised.value.sources == ["acme", "contoso"]


def without_list() -> Walked:
    raise NoList


def test_a_source_without_a_list_is_no_outage() -> None:
    walked = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web"), "contoso": without_list})()
    assert ([item.subject.name for item in walked.items], walked.is_whole, walked.silent) == (["web"], True, [])
    with pytest.raises(ListUnavailable):
        JoinedWalk(ByAccount(), {"acme": unavailable, "contoso": without_list})()
    with pytest.raises(NoList):
        JoinedWalk(ByAccount(), {"contoso": without_list})()


SOURCES = {
    "catalogue": '[[source]]\nname = "own"\nkind = "catalogue"\n',
    "native": '[[source]]\nname = "up"\nkind = "native"\nurl = "http://127.0.0.1:9"\nmatch = { account = "acme" }\n',
}


@pytest.mark.parametrize(
    ("kinds", "listing"),
    [(["catalogue"], CatalogueSource), (["native"], SnapshotListing), (["native", "catalogue"], SnapshotListing)],
)
def test_a_sources_file_is_listed_as_far_as_its_sources_can_tell(
    tmp_path: Path, kinds: list[str], listing: type[StatusListing]
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text("".join(SOURCES[kind] for kind in kinds))
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_SOURCES": str(file)})
    with closing(build_parts(settings, cache=MemoryStatusCache(ManualClock()))) as parts:
        own = parts.catalogue.source if parts.catalogue else None
        assert type(listing_of(load_sources(file), parts.resolver.routing, own, parts.clock)) is listing
