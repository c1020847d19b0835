"""The watcher's tables are the same on each database: nothing is lost or duplicated, and everything is bounded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from badge.catalogue.backup import renew_cache_identity
from badge.catalogue.events import RunEvent
from badge.catalogue.schema import feed, outbox, watched
from badge.catalogue.source import CatalogueSource
from badge.catalogue.store import Catalogue
from badge.events import FailureKind, MessagesGivenUp, SubjectsUnwatched
from badge.listing import ListedSubject, ListingFilter, NoList
from badge.model import CLOCK_TOLERANCE, BackupStatus, Report, Subject, Visibility
from badge.notices import Message
from badge.ports import SourceUnavailable
from badge.sources.snapshot_listing import CatalogueWalk
from badge.watching.channels import NotDelivered
from badge.watching.delivery import MOST_AT_ONCE
from badge.watching.store import ALL, PUBLIC, Bounds, LeaseLost, WatchStore
from badge.watching.watcher import Subjects
from tests.doubles import RecordedEvents
from tests.store import WEB, Store
from tests.watching import BOUNDS, ScriptedChannel, Survey, Watching, named, survey_of

S = BackupStatus


@pytest.fixture
def watching(store: Store) -> Watching:
    return Watching(WatchStore(store.catalogue.database, "first"), store.clock)


def titles(store: WatchStore, audience: str) -> list[str]:
    return [message.title for message in store.feed(audience, 100)]


def test_one_process_holds_the_lease_and_another_one_sees_that_it_is_alive(watching: Watching) -> None:
    first, second = watching.store, replace(watching.store, holder="second")
    seen = second.lease()
    assert seen.holder == "first"
    first.renew()
    assert not second.take(seen)
    assert second.take(second.lease())
    with pytest.raises(LeaseLost):
        first.renew()
    first.release()
    assert second.lease().holder == "second"
    second.release()
    assert first.take(first.lease())


def test_a_process_without_the_lease_can_change_nothing(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    other = watching.restarted()
    watching.survey = lambda: survey_of(watching.clock, web=S.FAILED)
    with pytest.raises(LeaseLost):
        watching.watcher.full_scan()
    other.sees(web=S.FAILED)
    assert other.channel.heard == ["failed web"]


def test_changes_are_delivered_and_the_first_scan_reports_nothing(watching: Watching) -> None:
    watching.sees(web=S.FAILED, api=S.SUCCEEDED)
    watching.sees(web=S.SUCCEEDED, api=S.FAILED, new=S.FAILED)
    assert sorted(watching.channel.heard) == ["failed api", "failed new", "recovered web"]
    assert watching.store.everything(10) == []


def test_a_restart_neither_loses_nor_repeats_anything(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.survey = lambda: survey_of(watching.clock, web=S.FAILED)
    watching.watcher.full_scan()  # and dies before it has delivered anything
    other = watching.restarted()
    other.sees(web=S.FAILED)
    assert other.channel.heard == ["failed web"]
    assert other.channel.accepted[0].notices[0].url == "https://badges.example.org/status/GitHub/acme/Repository/web"


@pytest.mark.parametrize("seed", range(5))
def test_with_failures_and_restarts_each_subject_s_messages_arrive_in_order_and_once(
    watching: Watching, seed: int
) -> None:
    dice = random.Random(seed)
    names, current = [f"r{number}" for number in range(6)], dict.fromkeys((f"r{n}" for n in range(6)), S.SUCCEEDED)
    expected: dict[str, list[str]] = {name: [] for name in names}
    watching = watching.restarted(most_single=1_000)
    watching.sees(**current)

    def refuses(message: Message) -> NotDelivered | None:
        if dice.random() < 0.3:
            return NotDelivered("http5xx", is_about_message=dice.random() < 0.5)
        return None

    watching.channel.refuses = refuses
    for _ in range(30):
        for name in dice.sample(names, 2):
            current[name] = S.FAILED if current[name] is S.SUCCEEDED else S.SUCCEEDED
            expected[name].append("failed" if current[name] is S.FAILED else "recovered")
        watching.sees(**current)
        watching.clock.advance(seconds=dice.choice([1, 30, 300]))
        if dice.random() < 0.3:
            watching = watching.restarted()
    watching.channel.refuses = lambda _: None
    for _ in range(10):
        watching.clock.advance(hours=2)
        watching.courier.deliver()
    for name in names:
        assert [word.split()[0] for word in watching.channel.heard if word.endswith(f" {name}")] == expected[name]
    assert watching.store.everything(10) == []


def test_a_refused_message_holds_back_only_later_ones_about_its_subject(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    watching.channel.refuses = lambda message: (
        NotDelivered("badRequest", is_about_message=True) if message.notices[0].subject == named("web") else None
    )
    watching.sees(web=S.FAILED, api=S.FAILED)
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    assert watching.channel.heard == ["failed api", "recovered api"]
    assert [each.attempts for each in watching.store.everything(10)] == [1, 0]
    watching.channel.refuses = lambda _: None
    watching.clock.advance(seconds=10)
    watching.courier.deliver()
    assert watching.channel.heard[2:] == ["failed web", "recovered web"]


def rejects(*names: str, is_about_message: bool) -> Callable[[Message], NotDelivered | None]:
    """Return a rule that rejects messages about these subjects; "many" stands for messages about many subjects."""

    def refuses(message: Message) -> NotDelivered | None:
        name = "many" if message.is_about_many else message.notices[0].subject.name
        return NotDelivered("http4xx", is_about_message=is_about_message) if name in names else None

    return refuses


def keep_delivering(watching: Watching, hours: int) -> None:
    for _ in range(hours * 60):
        watching.clock.advance(minutes=1)
        watching.courier.deliver()


@pytest.mark.parametrize("is_about_message", [True, False])
def test_a_rejected_message_about_many_subjects_holds_back_no_others(
    watching: Watching,
    is_about_message: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    names = [f"r{number}" for number in range(11)]
    watching.sees(web=S.SUCCEEDED, **dict.fromkeys(names, S.SUCCEEDED))
    watching.channel.refuses = rejects("many", is_about_message=is_about_message)
    watching.sees(web=S.SUCCEEDED, **dict.fromkeys(names, S.FAILED))
    watching.sees(web=S.FAILED, **dict.fromkeys(names, S.FAILED))
    keep_delivering(watching, hours=1)
    assert watching.channel.heard == ["failed web"]
    watching.channel.refuses = lambda _: None
    keep_delivering(watching, hours=2)
    assert watching.channel.heard == ["failed web", "failed 11"]


def test_a_message_about_many_subjects_does_not_wait_for_rejected_ones(watching: Watching) -> None:
    names = [f"r{number}" for number in range(11)]
    watching.sees(web=S.SUCCEEDED, **dict.fromkeys(names, S.SUCCEEDED))
    watching.channel.refuses = rejects("web", is_about_message=True)
    watching.sees(web=S.FAILED, **dict.fromkeys(names, S.SUCCEEDED))
    watching.sees(web=S.FAILED, **dict.fromkeys(names, S.FAILED))
    assert watching.channel.heard == ["failed 11"]


def test_many_rejected_messages_do_not_hide_those_behind_them(watching: Watching) -> None:
    names = [f"r{number}" for number in range(MOST_AT_ONCE)]
    watching = watching.restarted(most_single=1_000)
    watching.sees(web=S.SUCCEEDED, **dict.fromkeys(names, S.SUCCEEDED))
    watching.channel.refuses = rejects(*names, is_about_message=True)
    watching.sees(**dict.fromkeys(names, S.FAILED), web=S.FAILED)
    while watching.courier.deliver():
        pass
    assert watching.channel.heard == ["failed web"]


def test_if_a_channel_never_accepts_one_message_it_soon_gets_the_others(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED, app=S.SUCCEEDED)
    watching.channel.refuses = rejects("web", "api", is_about_message=False)
    watching.sees(web=S.FAILED, api=S.FAILED, app=S.FAILED)
    watching.sees(web=S.SUCCEEDED, api=S.FAILED, app=S.SUCCEEDED)
    keep_delivering(watching, hours=1)
    assert watching.channel.heard == ["failed app", "recovered app"]
    watching.channel.refuses = lambda _: None
    keep_delivering(watching, hours=2)
    assert sorted(watching.channel.heard[2:]) == ["failed api", "failed web", "recovered web"]
    assert watching.channel.heard.index("failed web") < watching.channel.heard.index("recovered web")


def test_while_a_channel_fails_it_is_tried_with_growing_pauses(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    watching.channel.refuses = lambda _: NotDelivered("connect")
    watching.sees(web=S.FAILED, api=S.FAILED)
    tried_at = []
    for second in range(200):
        before = watching.channel.attempts
        watching.courier.deliver()
        tried_at += [second] * (watching.channel.attempts - before)
        watching.clock.advance(seconds=1)
    assert tried_at == [10, 30, 70, 150]
    [tried, other] = watching.store.everything(10)
    assert (tried.attempts, tried.failure, other.attempts) == (5, "connect", 0)


def test_a_receiver_s_retry_after_is_respected(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.channel.refuses = lambda _: NotDelivered("rateLimited", timedelta(minutes=5))
    watching.sees(web=S.FAILED)
    watching.clock.advance(minutes=4)
    watching.courier.deliver()
    assert watching.channel.attempts == 1
    watching.clock.advance(minutes=1)
    watching.courier.deliver()
    assert watching.channel.attempts == 2


def test_a_storm_is_one_message_that_keeps_its_place_in_the_order(watching: Watching) -> None:
    names = [f"r{number}" for number in range(50)]
    watching.sees(**dict.fromkeys(names, S.SUCCEEDED))
    watching.channel.refuses = lambda _: NotDelivered("connect")
    watching.sees(**dict.fromkeys(names, S.FAILED))
    watching.sees(**dict.fromkeys(names, S.FAILED) | {"r1": S.SUCCEEDED})
    watching.channel.refuses = lambda _: None
    watching.clock.advance(minutes=1)
    watching.courier.deliver()
    assert watching.channel.heard == ["failed 50", "recovered r1"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document | {"type": "backup.newKind"},
        lambda document: document | {"type": "backups.failed"},
        lambda document: document | {"data": []},
        lambda document: document | {"data": document["data"] | {"subject": "?"}},
        lambda document: {name: document[name] for name in ("type", "data")},
    ],
)
def test_a_message_that_only_a_newer_version_can_read_holds_back_only_its_subject(
    watching: Watching, store: Store, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    watching.survey = lambda: survey_of(watching.clock, web=S.FAILED, api=S.SUCCEEDED)
    watching.watcher.full_scan()
    [readable] = watching.store.everything(10)
    assert readable.message is not None
    document = json.dumps(change(readable.message.document()))
    with store.catalogue.database.writing() as connection:
        connection.execute(update(outbox).values(message=document))
        connection.execute(update(feed).values(message=document))
    watching.sees(web=S.SUCCEEDED, api=S.FAILED)
    assert watching.channel.heard == ["failed api"]
    assert [each.failure for each in watching.store.everything(10)] == ["unreadable", None]
    assert len(titles(watching.store, ALL)) == 2


def test_a_state_that_only_a_newer_version_knows_counts_as_none(watching: Watching, store: Store) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    with store.catalogue.database.writing() as connection:
        connection.execute(update(watched).values(condition="new", verdict="new"))
    other = watching.restarted()
    other.sees(web=S.FAILED, api=S.SUCCEEDED)
    assert other.channel.heard == ["failed web"]


def test_an_old_message_is_not_sent_even_before_the_service_has_given_up_on_it(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.channel.refuses = lambda _: NotDelivered("connect")
    watching.sees(web=S.FAILED)
    watching.clock.advance(days=4)
    other = watching.restarted()
    other.channel.refuses = lambda _: None
    other.sees(web=S.SUCCEEDED)
    assert other.channel.heard == ["recovered web"]


def test_after_a_restore_messages_of_the_backup_are_not_sent_and_the_lease_is_free(
    watching: Watching, store: Store
) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.channel.refuses = lambda _: NotDelivered("connect")
    watching.sees(web=S.FAILED)
    store.close()
    renew_cache_identity(store.url, watching.clock())
    assert watching.store.lease().holder == ""
    assert [(each.failure, each.given_up_at) for each in watching.store.everything(10)] == [
        ("restored", watching.clock())
    ]


def test_a_source_that_does_not_answer_makes_its_subjects_unknown_after_a_while(watching: Watching) -> None:
    items = survey_of(watching.clock, web=S.SUCCEEDED, other=S.SUCCEEDED).items
    watching.source_of = lambda subject: "own" if subject == named("web") else "other"
    everything = Survey(items, read={"own": True, "other": True})
    watching.finds(everything)
    for _ in range(11):
        watching.finds(Survey(items[:1], is_whole=False, silent=["other"], read={"own": True}))
        watching.clock.advance(minutes=1)
    assert watching.channel.heard == ["unknown other"]
    watching.finds(everything)
    assert watching.channel.heard[1:] == ["recovered other"]


def test_a_source_that_briefly_has_no_list_does_not_hide_that_its_subjects_recover(watching: Watching) -> None:
    fine, failing, without = (
        survey_of(watching.clock, web=S.SUCCEEDED, **other).items
        for other in ({"other": S.SUCCEEDED}, {"other": S.FAILED}, {})
    )
    watching.source_of = lambda subject: "own" if subject == named("web") else "other"
    both = {"own": True, "other": True}
    watching.finds(
        Survey(fine, read=both),
        Survey(failing, read=both),
        Survey(without, read={"own": True}, listless=["other"]),
        Survey(fine, read=both),
    )
    assert watching.channel.heard == ["failed other", "recovered other"]


def test_what_a_source_lists_first_is_not_reported_if_it_did_not_answer_the_first_scan(watching: Watching) -> None:
    watching.source_of = lambda subject: "own" if subject == named("web") else "other"
    both = {"own": True, "other": True}
    watching.finds(
        Survey(survey_of(watching.clock, web=S.SUCCEEDED).items, silent=["other"], read={"own": True}),
        Survey(survey_of(watching.clock, web=S.SUCCEEDED).items, listless=["other"], read={"own": True}),
        Survey(survey_of(watching.clock, web=S.SUCCEEDED, old=S.FAILED).items, read=both),
        Survey(survey_of(watching.clock, web=S.FAILED, old=S.FAILED, new=S.FAILED).items, read=both),
        Survey(survey_of(watching.clock, web=S.FAILED, old=S.SUCCEEDED, new=S.FAILED).items, read=both),
    )
    assert watching.channel.heard == ["failed web", "failed new", "recovered old"]


@pytest.mark.parametrize("failure", [SourceUnavailable(FailureKind.CONNECT), NoList()])
def test_if_the_only_source_fails_everything_becomes_unknown(watching: Watching, failure: Exception) -> None:
    watching.sees(web=S.SUCCEEDED)

    def fails() -> Survey:
        raise failure

    watching.survey = fails
    watching.watcher.full_scan()
    watching.clock.advance(minutes=10)
    watching.watcher.full_scan()
    watching.courier.deliver()
    assert watching.channel.heard == ["unknown web"]


def test_a_subject_that_is_missing_twice_was_deleted(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED, api=S.SUCCEEDED)
    watching.sees(api=S.SUCCEEDED)
    assert watching.channel.heard == []
    watching.sees(api=S.SUCCEEDED)
    watching.sees(api=S.SUCCEEDED)
    assert watching.channel.heard == ["deleted web"]


def test_a_subject_that_is_missing_from_an_incomplete_list_was_not_deleted(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.finds(*[Survey(is_whole=False)] * 3)
    assert watching.channel.heard == []


@pytest.mark.parametrize(
    ("survey", "logged"),
    [
        (Survey(is_whole=False), [SubjectsUnwatched(1)]),
        (Survey(is_whole=False, read={"scripted": True, "other": False}), [SubjectsUnwatched(1)]),
        (Survey(is_whole=False, silent=["other"], read={"scripted": True}), []),
        (Survey(), []),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_logged(
    watching: Watching, survey: Survey, logged: Sequence[SubjectsUnwatched]
) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.finds(survey)
    assert watching.events.seen == logged


def test_a_subject_that_no_listed_source_answers_for_any_more_is_forgotten(watching: Watching) -> None:
    watching.sees(web=S.SUCCEEDED)
    watching.source_of = lambda _: None
    watching.finds(Survey())
    assert watching.channel.heard == []
    assert watching.store.states() == {}


def test_without_a_list_nothing_is_watched(watching: Watching) -> None:
    def has_none() -> Survey:
        raise NoList

    watching.survey = has_none
    watching.watcher.full_scan()
    assert not watching.store.progress().is_primed


def test_subjects_beyond_the_limit_are_not_watched_which_is_logged(watching: Watching) -> None:
    watching = watching.restarted(most=2)
    watching.sees(a=S.SUCCEEDED, b=S.SUCCEEDED, c=S.SUCCEEDED)
    watching.sees(a=S.SUCCEEDED, b=S.FAILED, c=S.FAILED)
    assert watching.channel.heard == ["failed b"]
    assert watching.events.seen[0] == SubjectsUnwatched(2)


def test_the_outbox_is_bounded_and_lists_abandoned_messages(watching: Watching) -> None:
    bounds = Bounds(waiting=3, undelivered=2, feed=20)
    watching = watching.restarted(bounds=bounds)
    watching.channel.refuses = lambda _: NotDelivered("connect")
    for number in range(6):
        watching.sees(web=S.FAILED if number % 2 else S.SUCCEEDED)
    dropped = [each for each in watching.store.everything(10) if each.given_up_at]
    assert [each.failure for each in dropped] == ["outboxFull", "outboxFull"]
    watching.clock.advance(days=4)
    now = watching.clock()
    assert watching.store.give_up(now - timedelta(days=3), now, bounds) == 3
    assert watching.store.give_up(now - timedelta(days=3), now, bounds) == 0
    assert len(watching.store.everything(10)) == 2
    assert watching.store.due("ops", now, timedelta(days=9), 10) == []


def test_a_full_outbox_is_bounded_even_while_no_message_is_old_which_is_logged(watching: Watching) -> None:
    watching = watching.restarted(bounds=Bounds(1, 2, 20))
    watching.channel.refuses = lambda _: NotDelivered("connect")
    for number in range(9):
        watching.sees(web=S.FAILED if number % 2 else S.SUCCEEDED)
    assert [each.failure for each in watching.store.everything(10) if each.given_up_at] == ["outboxFull"] * 2
    assert sum(each.number for each in watching.events.seen if isinstance(each, MessagesGivenUp)) == 7


def test_the_feeds_are_bounded_and_the_public_one_never_names_a_private_subject(watching: Watching) -> None:
    def scan(*names: str, status: BackupStatus, visibility: Visibility = Visibility.PUBLIC) -> None:
        report = Report(status=status, observed_at=watching.clock(), visibility=visibility)
        watching.finds(Survey([ListedSubject(named(name), report) for name in names]))

    scan("web", "api", status=S.SUCCEEDED)
    scan("web", "api", status=S.FAILED)
    assert len(titles(watching.store, PUBLIC)) == len(titles(watching.store, ALL)) == 2
    scan("web", "api", status=S.FAILED, visibility=Visibility.PRIVATE)
    assert titles(watching.store, PUBLIC) == []
    scan("web", "api", status=S.SUCCEEDED, visibility=Visibility.PRIVATE)
    assert titles(watching.store, PUBLIC) == []
    assert len(titles(watching.store, ALL)) == 4
    for _ in range(20):
        scan("web", "api", status=S.FAILED)
        scan("web", "api", status=S.SUCCEEDED)
    assert len(watching.store.feed(ALL, 100)) == BOUNDS.feed


def test_a_subject_that_has_just_become_private_in_the_catalogue_is_not_in_the_public_feed(
    watching: Watching, store: Store
) -> None:
    for status in (S.SUCCEEDED, S.FAILED):
        store.record(status)
        watching.finds(Survey([ListedSubject(WEB, store.report())]))
        store.clock.advance(minutes=1)
    assert titles(watching.store, PUBLIC) == ["Backup failed: GitHub/acme/Repository/web"]
    store.record(S.FAILED, visibility=Visibility.PRIVATE)
    assert titles(watching.store, PUBLIC) == []
    assert titles(watching.store, ALL) == ["Backup failed: GitHub/acme/Repository/web"]


def test_a_storm_in_the_public_feed_names_public_subjects_only(watching: Watching) -> None:
    names = [f"r{number}" for number in range(15)]
    watching.sees(**dict.fromkeys(names, S.SUCCEEDED))
    watching.sees(**dict.fromkeys(names, S.FAILED))
    private = Report(status=S.FAILED, observed_at=watching.clock(), visibility=Visibility.PRIVATE)
    watching.finds(Survey([ListedSubject(named(name), private) for name in names[1:]]))
    assert titles(watching.store, PUBLIC) == ["Backup failed: GitHub/acme/Repository/r0"]


@pytest.mark.parametrize(
    ("number", "public", "title", "last"),
    [
        (25, 0, None, None),
        (25, 1, "Some backups failed", "and possibly more"),
        (25, 25, "Some backups failed", "and possibly more"),
        (15, 3, "3 backups failed", "GitHub/acme/Repository/r2"),
        (15, 15, "15 backups failed", "GitHub/acme/Repository/r14"),
    ],
)
def test_the_public_feed_does_not_count_private_subjects(
    watching: Watching, number: int, public: int, title: str | None, last: str | None
) -> None:
    names = [f"r{place}" for place in range(number)]
    watching.sees(**dict.fromkeys(names, S.SUCCEEDED))
    watching.sees(**dict.fromkeys(names, S.FAILED))
    private = Report(status=S.FAILED, observed_at=watching.clock(), visibility=Visibility.PRIVATE)
    watching.finds(Survey([ListedSubject(named(name), private) for name in names[public:]]))
    assert [(entry.title, entry.text.split("\n")[-1]) for entry in watching.store.feed(PUBLIC, 10)] == (
        [(title, last)] if title else []
    )


@dataclass
class Catalogued:
    """A watcher on a real catalogue, wired as in the service."""

    store: Store

    def __post_init__(self) -> None:
        catalogue = CatalogueSource(self.store.catalogue, RecordedEvents())
        self.channel = ScriptedChannel()
        self.watching = Watching(
            WatchStore(self.store.catalogue.database, f"process {id(self)}"), self.store.clock, channel=self.channel
        )
        self.watching.watcher.subjects = Subjects(
            CatalogueWalk(catalogue),
            lambda _: "catalogue",
            lambda since: CatalogueWalk(catalogue, ListingFilter(updated_since=since))().items,
            partial(catalogue.histories, limit=20),
        )

    def report(self, *statuses: BackupStatus) -> None:
        for status in statuses:
            self.store.clock.advance(seconds=1)
            self.store.receive(status)

    def heard(self) -> list[str]:
        self.watching.courier.deliver()
        return [word.split()[0] for word in self.channel.heard]

    def quick_scan(self) -> None:
        assert self.watching.watcher.quick_scan()
        self.watching.store.renew(self.watching.watcher.seen_until)


def test_runs_superseded_between_two_scans_are_reported_in_order(store: Store) -> None:
    made = Catalogued(store)
    made.report(S.SUCCEEDED)
    made.watching.watcher.full_scan()
    made.report(S.FAILED, S.SUCCEEDED, S.FAILED, S.IN_PROGRESS)
    made.quick_scan()
    made.quick_scan()
    assert made.heard() == ["failed", "recovered", "failed"]
    made.report(S.SUCCEEDED, S.SUCCEEDED)
    made.quick_scan()
    assert made.heard()[3:] == ["recovered"]


def test_runs_reported_by_a_host_whose_clock_is_behind_are_reported_once(store: Store) -> None:
    made = Catalogued(store)
    made.report(S.SUCCEEDED)
    made.watching.watcher.full_scan()
    store.clock.advance(minutes=10)
    made.quick_scan()
    behind = Catalogue(store.catalogue.database, lambda: store.clock() - CLOCK_TOLERANCE)
    for status in (S.FAILED, S.SUCCEEDED):
        store.clock.advance(seconds=1)
        behind.record(RunEvent(subject=WEB, status=status))
    made.quick_scan()
    made.quick_scan()
    assert made.heard() == ["failed", "recovered"]


def test_the_first_runs_of_a_new_subject_are_reported_in_order(store: Store) -> None:
    made = Catalogued(store)
    made.watching.watcher.full_scan()
    made.report(S.SUCCEEDED, S.FAILED, S.SUCCEEDED)
    made.quick_scan()
    assert made.heard() == ["failed", "recovered"]


def test_what_happened_while_no_process_watched_is_reported(store: Store) -> None:
    first = Catalogued(store)
    first.report(S.SUCCEEDED)
    first.watching.watcher.full_scan()
    first.quick_scan()
    first.report(S.FAILED, S.SUCCEEDED)
    second = Catalogued(store)
    second.quick_scan()
    second.watching.watcher.full_scan()
    assert second.heard() == ["failed", "recovered"]


def test_runs_from_before_watching_began_are_not_reported(store: Store) -> None:
    made = Catalogued(store)
    made.report(S.FAILED, S.SUCCEEDED)
    made.watching.watcher.full_scan()
    made.quick_scan()
    made.watching.watcher.full_scan()
    assert made.heard() == []


def test_a_backup_that_does_not_arrive_is_overdue(store: Store) -> None:
    made = Catalogued(store)
    store.checks.create(WEB, timedelta(hours=1), timedelta(minutes=10))
    made.report(S.SUCCEEDED)
    made.watching.watcher.full_scan()
    store.clock.advance(minutes=69)
    made.quick_scan()
    assert made.heard() == []
    store.clock.advance(minutes=2)
    made.quick_scan()
    assert made.heard() == ["overdue"]
    assert made.channel.accepted[0].notices[0].overdue_since is not None
    made.report(S.SUCCEEDED)
    made.quick_scan()
    assert made.heard()[1:] == ["recovered"]


def test_a_run_that_is_reported_late_is_not_a_change(store: Store) -> None:
    made, now = Catalogued(store), store.clock()
    store.record(S.SUCCEEDED, started_at=now, finished_at=now)
    made.watching.watcher.full_scan()
    made.quick_scan()
    earlier = now - timedelta(hours=1)
    store.record(S.FAILED, started_at=earlier, finished_at=earlier)
    made.quick_scan()
    assert made.heard() == []


def test_names_that_are_hard_to_store_survive(watching: Watching) -> None:
    subject = Subject.parse("GitLab", "a/b", "Repository", "ünï “%2F” 🎉'\"\\")
    for status in (S.SUCCEEDED, S.FAILED):
        report = Report(status=status, observed_at=watching.clock())
        watching.finds(Survey([ListedSubject(subject, report)]))
    assert watching.channel.accepted[0].notices[0].subject == subject
