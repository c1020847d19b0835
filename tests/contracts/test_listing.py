"""Lists of subjects: filters, orders and pages agree, and the totals count what the pages show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask, jsonify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badge.app import Parts, build_app, build_parts
from badge.cache.memory import MemoryStatusCache
from badge.catalogue.checks import Checks
from badge.catalogue.events import RunEvent
from badge.catalogue.keys import Scope
from badge.catalogue.source import CatalogueSource
from badge.catalogue.store import Catalogue
from badge.events import FailureKind
from badge.listing import (
    ListedSubject,
    ListingFilter,
    ListingOrder,
    ListUnavailable,
    NoList,
    StatusListing,
)
from badge.model import BackupStatus, PastRun, Reason, Report, Subject, Visibility
from badge.ports import SourceUnavailable, StatusSource
from badge.settings import load
from badge.sources.configuration.configured_listing import JoinedWalk, listing_of
from badge.sources.configuration.sources_file import load as load_sources
from badge.sources.http.transport import HttpTransport
from badge.sources.native.listing import LARGEST_PAGE_BYTES, NativeWalk
from badge.sources.routing import OneSource
from badge.sources.snapshot_listing import CatalogueWalk, SnapshotListing, Walked
from tests.doubles import START, ManualClock, RecordedEvents, ScriptedSource
from tests.migrated import migrate
from tests.serving import served
from tests.store import plans_of

S = BackupStatus


@dataclass
class Listed:
    """A listing, and the catalogue that fills it."""

    listing: StatusListing
    catalogue: Catalogue
    clock: ManualClock

    def report(self, path: str, status: BackupStatus, **more: object) -> None:
        event = RunEvent(subject=Subject.from_path(path), status=status, at=self.clock())
        self.catalogue.record(replace(event, **more))  # type: ignore[arg-type] # passed through

    def all(self, order: ListingOrder, limit: int, filter: ListingFilter = ListingFilter()) -> list[ListedSubject]:  # noqa: B008 - frozen
        return [item for page in self.pages(order, limit, filter) for item in page]

    def pages(self, order: ListingOrder, limit: int, filter: ListingFilter) -> list[list[ListedSubject]]:
        """Read all pages to the last one, and back to the first one."""
        page = self.listing.list(filter, None, limit, order)
        pages = [[*page.items]]
        while page.next_cursor and len(pages) < 100:
            page = self.listing.list(filter, page.next_cursor, limit, order)
            pages.append([*page.items])
        for number in range(len(pages) - 1, 0, -1):
            page = self.listing.list(filter, page.previous_cursor, limit, order)
            assert [*page.items] == pages[number - 1]
            assert page.next_cursor
        assert page.previous_cursor is None
        return pages

    def names(self, order: ListingOrder = ListingOrder.NAME, limit: int = 2, **filter: object) -> Sequence[str]:
        wanted = ListingFilter(**filter)  # type: ignore[arg-type] # passed through
        return [item.subject.name for item in self.all(order, limit, wanted)]


@pytest.fixture(params=["catalogue", "native", "joined"])
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listed]:
    """The catalogue directly, joined with other sources, and as the upstream of another service, over HTTP."""
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
        yield replace(made, listing=SnapshotListing(joined, clock, fresh_for=timedelta(0)))
        return
    key = parts.catalogue.keys.create("replica", {Scope.READ})
    with served(build_app(parts)) as url:
        transport = HttpTransport(max_bytes=LARGEST_PAGE_BYTES)
        walk = NativeWalk(url, key, transport, clock)
        yield replace(made, listing=SnapshotListing(walk, clock, fresh_for=timedelta(0)))


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
        made.report(path, status)


def test_sorted_by_name_an_account_s_subjects_are_together(listed: Listed) -> None:
    assert listed.names() == ["Web Shop/50%_off", "api", "old", "web", "worker"]


def test_the_latest_comes_first(listed: Listed) -> None:
    assert listed.names(ListingOrder.LATEST) == ["old", "Web Shop/50%_off", "worker", "api", "web"]


WORST_FIRST = [
    *("failed-never-fine", "failed-long-ago", "failed-lately"),
    *("overdue-long", "overdue-just"),
    *("outdated-long", "outdated-just"),
    *("running", "waiting", "fine-long-ago", "fine-lately"),
    "deleted",
]


def test_what_needs_attention_comes_first(listed: Listed) -> None:
    now, checks = listed.clock(), Checks(listed.catalogue.database, listed.clock)
    for days, name in ((1, "lately"), (9, "long-ago")):
        fine, failed = now - timedelta(days=days), now - timedelta(hours=days)
        listed.report(f"new/fine-{name}", S.SUCCEEDED, at=fine, started_at=fine)
        listed.report(f"new/failed-{name}", S.SUCCEEDED, at=fine, started_at=fine)
        listed.report(f"new/failed-{name}", S.FAILED, at=failed, started_at=failed)
    for hours, name in ((1, "just"), (9, "long")):
        at = now - timedelta(minutes=hours)
        listed.report(f"new/outdated-{name}", S.SUCCEEDED, at=at, stale_after=now - timedelta(hours=hours))
        listed.report(f"new/overdue-{name}", S.SUCCEEDED, at=at)
        checks.create(Subject.legacy("new", f"overdue-{name}"), timedelta(hours=10 - hours), timedelta(hours=1))
    for name, status in (("failed-never-fine", S.FAILED), ("running", S.IN_PROGRESS), ("deleted", S.DELETED)):
        listed.report(f"new/{name}", status)
    checks.create(Subject.legacy("new", "waiting"), timedelta(days=9), timedelta(hours=1))
    listed.clock.advance(hours=12)
    assert listed.names(ListingOrder.WORST, account="new") == WORST_FIRST
    # A search that matches only a few subjects looks them up by ID and sorts them, instead of reading in order.
    assert listed.names(ListingOrder.WORST, words=("new/",)) == WORST_FIRST


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


def test_an_outdated_report_is_listed_as_unknown(listed: Listed) -> None:
    listed.report("acme/web", S.SUCCEEDED, stale_after=listed.clock() + timedelta(hours=1))
    assert listed.names(shown_as=S.SUCCEEDED) == ["web"]
    assert listed.listing.totals(ListingFilter()).protected == 1
    listed.clock.advance(hours=2)
    assert listed.names(shown_as=S.SUCCEEDED) == []
    assert listed.names(shown_as=S.UNKNOWN) == ["web"]
    assert listed.names(status=S.SUCCEEDED) == ["web"]
    assert listed.listing.totals(ListingFilter()).protected == 0


def test_deleted_subjects_do_not_count_as_unprotected(listed: Listed) -> None:
    totals = listed.listing.totals(ListingFilter())
    assert (totals.protected, totals.to_protect, totals.all) == (1, 4, 5)
    assert totals.by_status == dict.fromkeys((S.SUCCEEDED, S.FAILED, S.IN_PROGRESS, S.SCHEDULED, S.DELETED), 1)


def test_a_running_backup_after_a_success_is_still_protected(listed: Listed) -> None:
    listed.clock.advance(hours=1)
    listed.report("acme/web", S.IN_PROGRESS)
    assert listed.listing.totals(ListingFilter()).protected == 1


def test_an_overdue_backup_counts_as_failed(listed: Listed) -> None:
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


def test_private_subjects_can_be_left_out(listed: Listed) -> None:
    listed.report("acme/api", S.FAILED, visibility=Visibility.PRIVATE)
    assert "api" not in listed.names(is_public_only=True)
    assert listed.listing.totals(ListingFilter(is_public_only=True)).all == 4


def test_a_cursor_of_another_order_is_rejected(listed: Listed) -> None:
    cursor = listed.listing.list(ListingFilter(), None, 1).next_cursor
    for order in (ListingOrder.LATEST, ListingOrder.WORST):
        with pytest.raises(ValueError, match="cursor"):
            listed.listing.list(ListingFilter(), cursor, 1, order)


def test_a_cursor_with_a_number_too_large_for_a_database_is_rejected(listed: Listed) -> None:
    for cursor in ("WyJsYXRlc3QiLDFlOTksMV0", "WyJsYXRlc3QiLDk5OTk5OTk5OTk5OTk5OTk5OTk5LDFd"):
        with pytest.raises(ValueError, match="cursor"):
            listed.listing.list(ListingFilter(), cursor, 1, ListingOrder.LATEST)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.sampled_from(ListingOrder), limit=st.integers(1, 7), shown_as=st.none() | st.sampled_from(BackupStatus))
def test_pages_of_any_size_list_each_subject_once_and_agree_with_the_totals(
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
        listed.report("acme/new", status, at=moment, started_at=moment, size_bytes=hours)
    web = Subject.legacy("acme", "new")
    assert [(run.status, run.size_bytes) for run in source.history(web, 9)] == [(S.FAILED, 1), (S.SUCCEEDED, 2)]
    assert source.history(web, 1) == [PastRun(S.FAILED, began - timedelta(hours=1), began - timedelta(hours=1), 1)]
    assert [run.status for run in source.history(web, 9, skip=1)] == [S.SUCCEEDED]
    assert source.history(web, 9, skip=2) == []
    none = Subject.legacy("acme", "none")
    assert source.history(none, 9) == []
    both = source.histories([web, none, Subject.legacy("acme", "api")], 1)
    assert both[web] == source.history(web, 1)
    assert [(subject.name, len(runs)) for subject, runs in both.items()] == [("new", 1), ("none", 0), ("api", 1)]
    assert source.histories([], 9) == {}


def test_the_history_has_each_run_s_reason_and_link(listed: Listed) -> None:
    source, page = CatalogueSource(listed.catalogue, RecordedEvents()), "https://ci.example.org/1"
    listed.report("acme/new", S.FAILED, at=listed.clock(), reason=Reason.PARTIAL, url=page)
    new = Subject.legacy("acme", "new")
    assert [(run.reason, run.url) for run in source.history(new, 9)] == [(Reason.PARTIAL, page)]
    assert source.histories([new], 9) == {new: source.history(new, 9)}


@pytest.mark.parametrize("listed", ["native"], indirect=True)
def test_an_upstream_s_list_is_fetched_again_only_after_a_while(listed: Listed) -> None:
    assert isinstance(listed.listing, SnapshotListing)
    cached = replace(listed.listing, fresh_for=timedelta(seconds=30))
    assert cached.totals(ListingFilter()).all == 5
    listed.report("acme/new", S.SUCCEEDED)
    assert cached.totals(ListingFilter()).all == 5
    listed.clock.advance(seconds=30)
    assert cached.totals(ListingFilter()).all == 6


def test_all_pages_of_an_upstream_s_list_are_read(listed: Listed) -> None:
    for number in range(120):
        listed.report(f"acme/repo-{number:03}", S.SUCCEEDED)
    totals = listed.listing.totals(ListingFilter())
    assert (totals.all, totals.is_whole) == (125, True)
    assert len(listed.all(ListingOrder.NAME, 50)) == 125


@pytest.mark.parametrize("listed", ["native"], indirect=True)
def test_an_upstream_that_rejects_the_api_key_is_unavailable(listed: Listed) -> None:
    assert isinstance(listed.listing, SnapshotListing)
    assert isinstance(listed.listing.walk, NativeWalk)
    refused = replace(listed.listing, walk=replace(listed.listing.walk, api_key="wrong"))
    with pytest.raises(SourceUnavailable, match="unauthorised"):
        refused.list(ListingFilter())


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_upstream_without_a_list_is_recognised(status: int) -> None:
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
def test_malformed_items_of_an_upstream_are_skipped_or_unknown(document: object, names: list[str] | None) -> None:
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


def test_an_endless_list_is_read_up_to_the_limit_and_marked_as_incomplete() -> None:
    upstream = Flask("upstream")
    upstream.add_url_rule("/ops/status/list", "list", lambda: jsonify({"items": [ITEM], "nextCursor": "again"}))
    with served(upstream) as url:
        clock = ManualClock()
        listing = SnapshotListing(NativeWalk(url, None, HttpTransport(max_bytes=LARGEST_PAGE_BYTES), clock), clock)
        totals = listing.totals(ListingFilter())
    assert (totals.all, totals.is_whole) == (1, False)


def named(name: str, *paths: str) -> Callable[[], Walked]:
    """Return a walk that finds these subjects."""
    report = Report(status=S.SUCCEEDED, observed_at=START)
    return lambda: Walked([ListedSubject(Subject.from_path(path), report) for path in paths], is_whole=True)


@dataclass
class ByAccount:
    """A routing in which each source has the name of an account."""

    sources: Sequence[StatusSource] = ()

    def source_for(self, subject: Subject) -> StatusSource | None:
        return ScriptedSource(lambda _: Report.absent(START), name=subject.account)


def unavailable() -> Walked:
    raise SourceUnavailable(FailureKind.TIMEOUT)


def test_a_failed_fetch_is_not_repeated_at_once() -> None:
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


def test_concurrent_callers_share_one_fetch() -> None:
    going, walks = threading.Event(), []

    def walk() -> Walked:
        walks.append(1)
        assert going.wait(10)
        return named("acme", "acme/web")()

    listing = SnapshotListing(walk, ManualClock())
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(listing.totals, ListingFilter()) for _ in range(8)]
        going.set()
    assert [future.result().all for future in waiting] == [1] * 8
    assert walks == [1]


def test_a_source_lists_only_the_subjects_routed_to_it() -> None:
    walk = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web", "contoso/web"), "contoso": named("contoso")})
    assert [str(item.subject) for item in walk().items] == ["GitHub/acme/Repository/web"]
    assert walk().is_whole


def test_a_source_that_is_down_makes_the_list_incomplete() -> None:
    walk = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web"), "contoso": unavailable})
    assert [item.subject.name for item in walk().items] == ["web"]
    assert not walk().is_whole
    assert SnapshotListing(walk, ManualClock()).totals(ListingFilter()).silent == ["contoso"]
    with pytest.raises(ListUnavailable) as raised:
        JoinedWalk(ByAccount(), {"acme": unavailable, "contoso": unavailable})()
    assert raised.value.sources == ["acme", "contoso"]


def without_list() -> Walked:
    raise NoList


def test_a_source_without_a_list_is_not_an_outage() -> None:
    walked = JoinedWalk(ByAccount(), {"acme": named("acme", "acme/web"), "contoso": without_list})()
    assert ([item.subject.name for item in walked.items], walked.is_whole, walked.silent) == (["web"], True, [])
    assert walked.listless == ["contoso"]
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
def test_the_sources_file_decides_what_can_be_listed(
    tmp_path: Path, kinds: list[str], listing: type[StatusListing]
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text("".join(SOURCES[kind] for kind in kinds))
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_SOURCES": str(file)})
    with closing(build_parts(settings, cache=MemoryStatusCache(ManualClock()))) as parts:
        own = parts.catalogue.source if parts.catalogue else None
        assert type(listing_of(load_sources(file), parts.resolver.routing, own, parts.clock)) is listing


@pytest.mark.parametrize("listed", ["catalogue"], indirect=True)
def test_what_needs_attention_is_read_from_indexes_without_sorting_all(listed: Listed) -> None:
    plans = plans_of(
        listed.catalogue.database, lambda: listed.catalogue.list(ListingFilter(), None, 50, ListingOrder.WORST)
    )
    assert len(plans) > 10
    for statement, lines in plans:
        plan = "\n".join(lines)
        # Only those with a time ahead of now are sorted: none if all clocks are right.
        is_sorted = "USE TEMP B-TREE FOR ORDER BY" in plan
        assert not is_sorted or "last_success_at>?" in plan, (statement, plan)
        assert "SEARCH subjects USING" in plan, (statement, plan)
