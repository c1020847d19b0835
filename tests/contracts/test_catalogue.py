"""The catalogue on real databases: nothing is lost, names compare as on their platform, keys are stored as hashes."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, QueuePool, insert, inspect, select, update

from badge.cache.envelope import to_micros as micros
from badge.catalogue.backup import renew_cache_identity
from badge.catalogue.database import WRITER_PATIENCE_MILLISECONDS, Database, new_engine
from badge.catalogue.events import RunEvent
from badge.catalogue.faults import DAMAGED
from badge.catalogue.keys import Grant, KeyRefused, NameTaken, NoSuchName, Refusal, Scope
from badge.catalogue.migration import MIGRATIONS, migrate, upgrade
from badge.catalogue.schema import api_keys, metadata
from badge.catalogue.source import CatalogueSource
from badge.catalogue.store import (
    MOST_PRUNED_BY_AGE,
    Catalogue,
    IsExpected,
    NothingKnown,
    Retention,
    SubjectRecords,
)
from badge.catalogue.tokens import StoredTokens
from badge.deadline import Deadline
from badge.events import CatalogueFailed
from badge.listing import ListingFilter
from badge.model import BackupStatus, Outcomes, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.resilience.worker_pool import Job
from badge.subject_pattern import PathPattern, Selection
from tests.doubles import START, ManualClock, RecordedEvents
from tests.servers import eventually
from tests.store import WEB, Store, run_at_once

NUL = base64.urlsafe_b64encode(b'["\\u0000","a","b","c"]').decode()
SURROGATES = base64.urlsafe_b64encode(b'["\\ud800","a","b","c"]').decode()


OLD_SUBJECT = {
    "platform_key": "github",
    "account_key": "acme",
    "type_key": "repository",
    "name_key": "web",
    "platform": "GitHub",
    "account": "acme",
    "type": "Repository",
    "name": "web",
    "status": "failed",
    "visibility": "public",
    "visibility_at": 0,
    "revision": 1,
    "updated_at": 0,
}


def test_an_unknown_subject_has_no_report(store: Store) -> None:
    assert store.catalogue.report_for(WEB) is None


def test_reports_from_queue_to_end_are_one_run(store: Store) -> None:
    for status in (BackupStatus.SCHEDULED, BackupStatus.IN_PROGRESS, BackupStatus.SUCCEEDED):
        assert store.record(status)
        assert store.status() is status
        store.clock.advance(minutes=1)
    report = store.report()
    assert (report.started_at, report.finished_at) == (START, START + timedelta(minutes=2))
    assert len(store.catalogue.runs(WEB)) == 1


def test_each_change_increases_the_revision_and_a_repetition_does_not(store: Store) -> None:
    revisions = []
    for status in (BackupStatus.SUCCEEDED, BackupStatus.FAILED, BackupStatus.DELETED):
        store.record(status)
        revisions.append(store.report().revision)
    assert revisions == sorted(set(revisions))
    event = RunEvent(subject=WEB, status=BackupStatus.DELETED, at=store.clock())
    assert store.catalogue.record(event).report.revision == revisions[-1]


def test_a_revision_grows_even_if_the_clock_goes_back(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    first = store.report()
    store.clock.advance(days=-2)
    store.record(BackupStatus.FAILED, visibility=Visibility.PRIVATE)
    store.record(BackupStatus.FAILED, started_at=store.clock() - timedelta(hours=1))
    assert store.report().revision >= first.revision


def test_an_older_run_is_superseded_but_kept_in_the_history(store: Store) -> None:
    assert store.record(BackupStatus.FAILED)
    store.clock.advance(minutes=1)
    earlier = START - timedelta(hours=2)
    event = RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED, at=earlier, started_at=earlier)
    recorded = store.catalogue.record(event)
    assert (recorded.applied, recorded.changed, store.status()) == (False, True, BackupStatus.FAILED)
    assert recorded.report.last_success_at == earlier


def test_names_are_case_insensitive_if_the_platform_treats_them_so(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED, Subject.legacy("Acme", "Web"))
    assert store.status(Subject.legacy("ACME", "wEB")) is BackupStatus.SUCCEEDED
    assert str(store.catalogue.list(ListingFilter()).items[0].subject) == "GitHub/Acme/Repository/Web"
    store.record(BackupStatus.FAILED, Subject.parse("Gitea", "Me", "Wiki", "X"))
    assert store.status(Subject.parse("gitea", "me", "wiki", "x")) is None


def test_visibility_stays_until_it_is_reported_again(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED, visibility=Visibility.PRIVATE)
    store.clock.advance(minutes=1)
    store.record(BackupStatus.FAILED)
    assert store.report().visibility is Visibility.PRIVATE


def test_a_report_has_the_outcomes_of_the_last_finished_runs(store: Store) -> None:
    assert store.catalogue.report_for(WEB) is None
    store.record(BackupStatus.SCHEDULED)
    assert store.report().outcomes == Outcomes()
    for number in range(34):
        store.clock.advance(hours=1)
        store.record(BackupStatus.FAILED if number in (3, 4, 31) else BackupStatus.SUCCEEDED)
    store.record(BackupStatus.SUCCEEDED, replace(WEB, name="other"))
    store.clock.advance(hours=1)
    store.record(BackupStatus.IN_PROGRESS)
    assert store.report().outcomes == Outcomes.parse("f" + "s" * 26 + "fss")


def test_a_late_report_of_an_older_run_changes_the_history(store: Store) -> None:
    for hours in (3, 1):
        store.record(BackupStatus.SUCCEEDED, started_at=START - timedelta(hours=hours))
    before = store.report()
    event = RunEvent(subject=WEB, status=BackupStatus.FAILED, at=START, started_at=START - timedelta(hours=2))
    late = store.catalogue.record(event)
    assert (late.applied, late.changed) == (False, True)
    assert store.report().outcomes == late.report.outcomes == Outcomes.parse("sfs")
    assert store.report().revision > before.revision
    repeated = store.catalogue.record(event)
    assert (repeated.changed, repeated.report.revision) == (False, store.report().revision)


def test_a_late_report_can_still_make_a_subject_private(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    early = START - timedelta(hours=1)
    private = RunEvent(subject=WEB, status=BackupStatus.FAILED, at=early, visibility=Visibility.PRIVATE)
    assert store.catalogue.record(private).report.visibility is Visibility.PRIVATE


def test_a_late_event_without_a_start_belongs_to_the_run_under_way_at_its_time(store: Store) -> None:
    store.record(BackupStatus.IN_PROGRESS)
    store.clock.advance(minutes=9)
    store.record(BackupStatus.SUCCEEDED)
    late = RunEvent(subject=WEB, status=BackupStatus.IN_PROGRESS, at=START + timedelta(minutes=1))
    assert not store.catalogue.record(late).changed
    assert len(store.catalogue.runs(WEB)) == 1


def test_a_listing_gives_every_subject_once_in_order(store: Store) -> None:
    names = [f"repo-{number:03}" for number in range(250)]
    for name in names:
        store.record(BackupStatus.SUCCEEDED, Subject.legacy("acme", name))
    found: list[str] = []
    cursor = None
    for _ in range(3):
        page = store.catalogue.list(ListingFilter(), cursor, 100)
        found += [item.subject.name for item in page.items]
        cursor = page.next_cursor
    assert (found, cursor) == (names, None)


def test_a_listing_can_be_filtered(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    store.clock.advance(hours=1)
    store.record(BackupStatus.FAILED, Subject.parse("GitLab", "My-Group", "Repository", "api"))
    filters = [
        ListingFilter(platform="gitlab"),
        ListingFilter(account="my-group"),
        ListingFilter(status=BackupStatus.FAILED),
        ListingFilter(updated_since=START + timedelta(minutes=1)),
    ]
    for narrowed in filters:
        assert [item.subject.name for item in store.catalogue.list(narrowed).items] == ["api"]


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "WzEsMiwzLDRd", "é", "[" * 50, SURROGATES, NUL])
def test_a_cursor_that_the_catalogue_did_not_issue_is_rejected(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        store.catalogue.list(ListingFilter(), cursor)


def test_old_runs_are_pruned_except_those_that_the_state_depends_on(store: Store) -> None:
    catalogue = Catalogue(store.catalogue.database, store.clock, Retention(timedelta(days=10), 3))
    for day in range(6):
        catalogue.record(RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED, at=START + timedelta(days=day - 5)))
    assert len(catalogue.runs(WEB)) == 3
    store.clock.advance(days=100)
    for status in (BackupStatus.SCHEDULED, BackupStatus.IN_PROGRESS):
        catalogue.record(RunEvent(subject=WEB, status=status, at=store.clock()))
    assert [run.status for run in catalogue.runs(WEB)] == [BackupStatus.IN_PROGRESS, BackupStatus.SUCCEEDED]
    assert store.report().last_success_at == START


def test_the_last_success_is_kept_however_many_runs_have_failed_since(store: Store) -> None:
    catalogue = Catalogue(store.catalogue.database, store.clock, Retention(timedelta(days=10), 3))
    for status in [BackupStatus.SUCCEEDED] * 2 + [BackupStatus.FAILED] * 9:
        store.clock.advance(days=9)
        catalogue.record(RunEvent(subject=WEB, status=status))
    assert [run.status for run in catalogue.runs(WEB)] == [BackupStatus.FAILED] * 3 + [BackupStatus.SUCCEEDED]
    assert store.report().last_success_at == START + timedelta(days=18)


def test_a_clock_that_jumps_ahead_does_not_delete_the_history(store: Store) -> None:
    for _ in range(9):
        store.receive(BackupStatus.SUCCEEDED)
        store.clock.advance(days=1)
    store.clock.advance(days=26_000)
    for status in (BackupStatus.IN_PROGRESS, BackupStatus.SUCCEEDED):
        store.receive(status)
    assert len(store.catalogue.runs(WEB)) == 9 + 1 - MOST_PRUNED_BY_AGE


def test_runs_are_pruned_by_age_faster_than_they_are_added(store: Store) -> None:
    catalogue = Catalogue(store.catalogue.database, store.clock, Retention(timedelta(days=10), 100))
    for _ in range(8):
        catalogue.record(RunEvent(subject=WEB, status=BackupStatus.SUCCEEDED))
        store.clock.advance(hours=1)
    store.clock.advance(days=11)
    for _ in range(5):
        catalogue.record(RunEvent(subject=WEB, status=BackupStatus.FAILED))
    # The last success is too old as well, but is always kept.
    assert [run.status for run in catalogue.runs(WEB)] == [BackupStatus.FAILED] * 5 + [BackupStatus.SUCCEEDED]


def test_a_key_or_token_is_valid_even_if_its_use_cannot_be_stored(migrated_url: str) -> None:
    with closing(Store.on(migrated_url)) as writable:
        plain = writable.keys.create("read-only", {Scope.READ})
        token = writable.tokens.create("read-only", Selection([PathPattern.parse("GitHub/acme/*")]))
        read_only = f"{migrated_url}&options=-c%20default_transaction_read_only%3Don"
        with closing(Store.on(read_only)) as store:
            assert store.keys.check(plain, Scope.READ, START) == Grant(frozenset({Scope.READ}))
            assert store.tokens.opens(WEB, token)
        assert writable.keys.list()[0].last_used_on is None


def record_many(url: str, first: int) -> None:
    clock = ManualClock(START + timedelta(days=1))
    with closing(Database(url)) as database:
        catalogue = Catalogue(database, clock, Retention(timedelta(days=90), 10_000))
        for number in range(first, first + 100, 1):
            moment = START + timedelta(minutes=number)
            catalogue.record(RunEvent(subject=WEB, status=BackupStatus.FAILED, at=moment, started_at=moment))


def test_a_deleted_subject_leaves_nothing_behind_and_can_be_reported_again(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED, started_at=START - timedelta(hours=1))
    store.record(BackupStatus.SUCCEEDED, subject=Subject.legacy("acme", "api"))
    before = store.report().revision
    assert store.catalogue.deletable(Subject.legacy("Acme", "WEB")) == SubjectRecords(WEB, runs=1)
    assert store.catalogue.delete(Subject.legacy("Acme", "WEB")) == SubjectRecords(WEB, runs=1)
    assert (store.status(), store.catalogue.runs(WEB)) == (None, [])
    assert [item.subject.name for item in store.catalogue.list(ListingFilter()).items] == ["api"]
    store.clock.advance(seconds=1)
    store.record(BackupStatus.FAILED)
    assert store.report().revision > before  # so that clients that know the previous one notice the change


def test_an_unknown_subject_or_one_with_a_check_cannot_be_deleted(store: Store) -> None:
    with pytest.raises(NothingKnown):
        store.catalogue.delete(WEB)
    store.checks.create(WEB, timedelta(days=1), timedelta(hours=1))
    with pytest.raises(IsExpected):
        store.catalogue.deletable(WEB)
    with pytest.raises(IsExpected):
        store.catalogue.delete(WEB)
    assert store.status() is BackupStatus.SCHEDULED


def test_two_processes_that_write_at_once_lose_nothing(store: Store) -> None:
    run_at_once(record_many, (store.url, 0), (store.url, 100))
    assert len(store.catalogue.runs(WEB, 1000)) == 200


def test_a_child_process_opens_its_own_connection(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    child = os.fork()
    if child == 0:
        os._exit(0 if store.record(BackupStatus.FAILED) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.status() is BackupStatus.FAILED


def test_the_migrations_create_the_schema_that_the_code_expects(store: Store) -> None:
    engine = new_engine(store.url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_an_older_schema_is_upgraded_with_its_data(new_url: str) -> None:
    upgrade(new_url, to="0001")
    engine = new_engine(new_url)
    old = MetaData()
    with engine.begin() as connection:
        old.reflect(connection)
        connection.execute(insert(old.tables["subjects"]).values(OLD_SUBJECT))
        connection.execute(insert(old.tables["runs"]).values(subject_id=1, started_at=0, status="failed", event_at=0))
    engine.dispose()
    migrate(new_url)
    store = Store.on(new_url)
    assert (store.status(), len(store.catalogue.runs(WEB))) == (BackupStatus.FAILED, 1)
    store.checks.create(WEB, timedelta(days=1), timedelta(hours=1))
    assert store.record(BackupStatus.SUCCEEDED)
    store.close()


def test_keys_of_an_older_schema_keep_every_right(new_url: str) -> None:
    upgrade(new_url, to="0002")
    engine = new_engine(new_url)
    old = MetaData()
    with engine.begin() as connection:
        old.reflect(connection)
        for scopes in ("ping", "read", "report", "ping report"):
            row = {"name": scopes, "digest": scopes, "prefix": "bsb_", "scopes": scopes, "created_at": 0}
            connection.execute(insert(old.tables["api_keys"]).values(row))
    engine.dispose()
    migrate(new_url)
    store = Store.on(new_url)
    of_reporters = {Scope.READ, Scope.REPORT, Scope.VISIBILITY}
    assert {key.name: key.grant for key in store.keys.list()} == {
        "ping": Grant(frozenset({Scope.PING})),
        "read": Grant(frozenset({Scope.READ})),
        "report": Grant(frozenset(of_reporters)),
        "ping report": Grant(frozenset(of_reporters | {Scope.PING})),
    }
    store.close()


def minutes(number: float) -> int:
    return micros(START + timedelta(minutes=number))


def old_run(subject_id: int, start: float, status: str, end: float | None) -> dict[str, object]:
    last = minutes(start if end is None else end)
    finished_at = None if end is None else last
    return {"subject_id": subject_id, "started_at": minutes(start), "status": status, "event_at": last} | {
        "finished_at": finished_at,
        "run_id": None,
    }


def test_runs_recorded_before_sequence_numbers_existed_keep_their_order(new_url: str) -> None:
    upgrade(new_url, to="0002")
    engine, old = new_engine(new_url), MetaData()
    deleted, back = Subject.legacy("acme", "deleted"), Subject.legacy("acme", "back")
    times = {"deleted_at": minutes(30)}
    with engine.begin() as connection:
        old.reflect(connection)
        rows = [
            {**OLD_SUBJECT, "deleted_at": None},
            {**OLD_SUBJECT, **times, "name_key": "deleted", "name": "deleted", "status": "deleted"},
            {**OLD_SUBJECT, **times, "name_key": "back", "name": "back", "status": "inProgress"},
        ]
        connection.execute(insert(old.tables["subjects"]), rows)
        ids = dict(connection.execute(select(old.tables["subjects"].c.name, old.tables["subjects"].c.id)).all())
        runs = [
            # The newest run was stored first.
            old_run(ids["web"], 60, "failed", 65),
            old_run(ids["web"], 0, "succeeded", 5),
            old_run(ids["deleted"], 10, "succeeded", 40),
            old_run(ids["back"], 10, "succeeded", 15),
            old_run(ids["back"], 45, "inProgress", None),
        ]
        connection.execute(insert(old.tables["runs"]), runs)
    engine.dispose()
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        store.clock.advance(hours=2)
        assert [run.status for run in store.catalogue.runs(WEB)] == [BackupStatus.FAILED, BackupStatus.SUCCEEDED]
        assert [run.sequence for run in store.catalogue.runs(WEB)] == [2, 1]
        began = START + timedelta(minutes=30)
        assert not store.receive(BackupStatus.SUCCEEDED, started_at=began, finished_at=START + timedelta(minutes=35))
        for subject, shown in ((WEB, BackupStatus.FAILED), (deleted, BackupStatus.DELETED)):
            # A run recorded before the migration stays unchanged when it is reported again.
            again = RunEvent(
                subject=subject,
                status=BackupStatus.SUCCEEDED,
                at=START + timedelta(minutes=5 if subject is WEB else 40),
                started_at=START + timedelta(minutes=0 if subject is WEB else 10),
            )
            assert not store.catalogue.record(again).applied
            assert store.status(subject) is shown
        assert store.receive(BackupStatus.SUCCEEDED, back)
        assert [run.started_at for run in store.catalogue.runs(back)] == [
            START + timedelta(minutes=45),
            START + timedelta(minutes=10),
        ]


def test_starts_recorded_before_the_migration_may_be_times_of_receipt(new_url: str) -> None:
    upgrade(new_url, to="0002")
    engine, old = new_engine(new_url), MetaData()
    with engine.begin() as connection:
        old.reflect(connection)
        connection.execute(insert(old.tables["subjects"]).values({**OLD_SUBJECT, "status": "succeeded"}))
        connection.execute(insert(old.tables["runs"]).values(old_run(1, 60, "succeeded", 60)))
    engine.dispose()
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        store.clock.advance(hours=2)
        began = START + timedelta(minutes=59)
        assert store.receive(BackupStatus.FAILED, started_at=began, finished_at=START + timedelta(minutes=61))
        assert store.status() is BackupStatus.FAILED


def test_an_overdue_backup_is_still_noticed_after_the_migration(new_url: str) -> None:
    upgrade(new_url, to="0002")
    engine, old = new_engine(new_url), MetaData()
    due = {"last_finished": "succeeded", "due_at": minutes(60), "overdue_at": minutes(120)}
    with engine.begin() as connection:
        old.reflect(connection)
        connection.execute(insert(old.tables["subjects"]).values({**OLD_SUBJECT, **due, "status": "succeeded"}))
        connection.execute(insert(old.tables["runs"]).values(old_run(1, 0, "succeeded", 5)))
        check = {"subject_id": 1, "digest": "x", "prefix": "x", "every_seconds": 3300, "grace_seconds": 3600}
        connection.execute(insert(old.tables["checks"]).values({**check, "since": minutes(-9)}))
    engine.dispose()
    migrate(new_url)
    with closing(Store.on(new_url)) as store:
        assert store.status() is BackupStatus.SUCCEEDED
        store.clock.advance(hours=2)
        assert store.status() is BackupStatus.FAILED


def test_the_migration_can_be_undone(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    engine = new_engine(store.url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    engine.dispose()
    migrate(store.url)
    assert store.status() is BackupStatus.SUCCEEDED
    assert store.receive(BackupStatus.FAILED)


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.record(BackupStatus.SUCCEEDED)
    migrate(store.url)
    assert store.status() is BackupStatus.SUCCEEDED


def test_the_identity_in_the_cache_stays_until_it_is_renewed(store: Store) -> None:
    database = store.catalogue.database
    before = database.cache_identity
    migrate(store.url)
    assert database.read_cache_identity() == before
    store.close()
    renew_cache_identity(store.url, store.clock())
    assert database.read_cache_identity() != before


def test_two_processes_can_migrate_at_once(new_url: str) -> None:
    run_at_once(migrate, *[(new_url,)] * 3)
    engine = new_engine(new_url)
    assert "subjects" in inspect(engine).get_table_names()
    engine.dispose()


def test_an_unavailable_database_makes_the_source_unavailable(tmp_path: Path) -> None:
    catalogue = Catalogue(Database(f"sqlite:///{tmp_path}/no/such/folder.sqlite3"), ManualClock())
    events = RecordedEvents()
    source = CatalogueSource(catalogue, events)
    with pytest.raises(SourceUnavailable):
        source.fetch(WEB, None, Deadline.after(1))
    with pytest.raises(SourceUnavailable):
        source.list(ListingFilter())
    reason = "its file can't be opened; check its folder and the folder's owner"
    assert events.seen == [CatalogueFailed(operation, "SQLITE_CANTOPEN", reason) for operation in ("fetch", "list")]


def refusal_of(store: Store, plain: str, scope: Scope, now: datetime = START) -> Refusal:
    with pytest.raises(KeyRefused) as refused:
        store.keys.check(plain, scope, now)
    return refused.value.refusal


def test_a_key_grants_only_the_scopes_it_was_created_with(store: Store) -> None:
    plain = store.keys.create("ci", {Scope.REPORT}, expires_at=START + timedelta(days=1))
    assert store.keys.check(plain, Scope.REPORT, START) == Grant(frozenset({Scope.REPORT}))
    assert refusal_of(store, plain, Scope.READ) is Refusal.LACKS_SCOPE
    assert refusal_of(store, plain + "x", Scope.REPORT) is Refusal.UNKNOWN
    assert refusal_of(store, "x" * 10_000, Scope.REPORT) is Refusal.UNKNOWN
    assert refusal_of(store, plain, Scope.REPORT, START + timedelta(days=1)) is Refusal.EXPIRED


def test_a_key_is_valid_for_the_subjects_of_its_patterns(store: Store) -> None:
    patterns = [PathPattern.parse("GitHub/acme/*"), PathPattern.parse("other/web")]
    plain = store.keys.create("ci", {Scope.REPORT}, subjects=Selection(patterns))
    stored, checked = store.keys.list()[0].grant, store.keys.check(plain, Scope.REPORT, START)
    assert stored == checked == Grant(frozenset({Scope.REPORT}), Selection(patterns))
    assert stored.subjects.texts == ["GitHub/acme/*", "other/web"]


def test_a_private_token_is_valid_for_its_subjects_until_it_is_revoked(store: Store) -> None:
    plain = store.tokens.create("readme", Selection([PathPattern.parse("acme/*")]))
    assert store.tokens.opens(WEB, plain)
    assert not store.tokens.opens(Subject.legacy("other", "web"), plain)
    assert not store.tokens.opens(WEB, plain[:-1] + "!")
    assert store.tokens.list()[0].last_used_on == START.date()
    with pytest.raises(NameTaken):
        store.tokens.create("readme", Selection([PathPattern.parse("acme/*")]))
    other = Store.on(store.url)
    other.tokens.revoke("readme")
    other.close()
    assert not store.tokens.opens(WEB, plain)
    with pytest.raises(NoSuchName):
        store.tokens.revoke("readme")


def test_a_badge_does_not_wait_until_its_token_s_use_is_recorded(store: Store) -> None:
    jobs: list[Job] = []
    tokens = replace(store.tokens, in_background=jobs.append)
    assert tokens.opens(WEB, tokens.create("readme", Selection([PathPattern.parse("acme/*")])))
    assert tokens.list()[0].last_used_on is None
    [job] = jobs
    job()
    assert tokens.list()[0].last_used_on == START.date()


def test_a_use_that_cannot_be_recorded_emits_an_event(tmp_path: Path) -> None:
    url, events, jobs = f"sqlite:///{tmp_path / 'c.sqlite3'}", RecordedEvents(), list[Job]()
    migrate(url)
    with closing(Database(url)) as database:
        tokens = StoredTokens(database, ManualClock(), events, jobs.append)
        assert tokens.opens(WEB, tokens.create("readme", Selection([PathPattern.parse("acme/*")])))
        database.is_damaged = True
        jobs[0]()
    assert events.seen == [CatalogueFailed("token", "SQLITE_CORRUPT", DAMAGED)]


def test_the_number_of_private_tokens_is_limited(store: Store) -> None:
    few, subjects = replace(store.tokens, most=2), Selection([PathPattern.parse("acme/*")])
    for name in ("one", "two"):
        few.create(name, subjects)
    with pytest.raises(ValueError, match="there are 2 tokens"):
        few.create("three", subjects)
    few.revoke("one")
    few.create("three", subjects)


def test_only_a_hash_of_a_private_token_is_stored(store: Store) -> None:
    plain = store.tokens.create("readme", Selection([PathPattern.parse("acme/web")]))
    assert plain[:8].encode() in store.content()
    assert plain.encode() not in store.content()


LISTED = {
    "acme/*": ["GitHub/acme/Repository/Web", "GitHub/acme/Repository/a_b", "GitHub/acme/Repository/axb"],
    "acme/a_b": ["GitHub/acme/Repository/a_b"],
    "acme/?[x]b": ["GitHub/acme/Repository/axb"],
    "ACME/w*": ["GitHub/acme/Repository/Web"],
    "*/acme/*": [
        "AzureDevOps/acme/Repository/project/web",
        "GitHub/acme/Repository/Web",
        "GitHub/acme/Repository/a_b",
        "GitHub/acme/Repository/axb",
    ],
    "AzureDevOps/acme/Repository/*": ["AzureDevOps/acme/Repository/project/web"],
    "Linear/Acme/*": ["Linear/Acme/Workspace/Ümlaut"],
    "Linear/*/Work*/Ü*": ["Linear/Acme/Workspace/Ümlaut"],
    "Linear/acme/*": [],
    "Linear/*/Workspace/ü*": [],
}


def test_a_list_can_be_limited_to_patterns(store: Store) -> None:
    for path in {path for paths in LISTED.values() for path in paths}:
        store.record(BackupStatus.SUCCEEDED, Subject.parse(*path.split("/", 3)))

    def listed(*patterns: str) -> set[str]:
        within = Selection([PathPattern.parse(pattern) for pattern in patterns])
        return {str(item.subject) for item in store.catalogue.list(ListingFilter(), within=within).items}

    assert {pattern: listed(pattern) for pattern in LISTED} == {
        pattern: set(paths) for pattern, paths in LISTED.items()
    }
    assert listed("acme/a_b", "acme/web") == {"GitHub/acme/Repository/a_b", "GitHub/acme/Repository/Web"}


def test_only_a_hash_of_a_key_is_stored(store: Store) -> None:
    plain = store.keys.create("ci", {Scope.REPORT})
    store.keys.check(plain, Scope.REPORT, START)
    kept = store.content()
    assert plain[:8].encode() in kept
    assert plain.encode() not in kept


def test_names_of_keys_are_unique_and_valid(store: Store) -> None:
    store.keys.create("ci", {Scope.READ})
    with pytest.raises(NameTaken):
        store.keys.create("ci", {Scope.READ})
    with pytest.raises(ValueError, match="letters"):
        store.keys.create("no spaces", {Scope.READ})
    with pytest.raises(NoSuchName):
        store.keys.revoke("other")


def test_a_valid_key_is_accepted_while_the_database_is_busy(store: Store) -> None:
    plain = store.keys.create("ci", {Scope.READ})
    with closing(Store.on(store.url)) as other, store.catalogue.database.writing() as connection:
        connection.execute(update(api_keys).values(last_used_at=START))
        began = time.monotonic()
        assert other.keys.check(plain, Scope.READ, START).scopes == {Scope.READ}
        assert time.monotonic() - began < WRITER_PATIENCE_MILLISECONDS / 1000 / 2


def test_sqlite_readers_do_not_wait_behind_queued_writers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.sqlite3'}"
    migrate(url)
    store, reporters = Store.on(url), 40
    with ThreadPoolExecutor(reporters) as pool, contextlib.ExitStack() as until_the_writer_ends:
        writer = until_the_writer_ends.enter_context(closing(Database(url)))
        until_the_writer_ends.enter_context(writer.writing())
        waiting = [pool.submit(store.record, BackupStatus.SUCCEEDED) for _ in range(reporters)]
        pool_of_readers = store.catalogue.database._open.get()[1]
        assert isinstance(pool_of_readers, QueuePool)
        assert eventually(lambda: pool_of_readers.checkedout() == reporters)
        assert store.catalogue.report_for(WEB) is None
        until_the_writer_ends.close()
        assert [future.result() for future in waiting] == [True] * reporters
    store.close()


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / '100 % back up' / 'c.sqlite3'}"
    migrate(url)
    with closing(Database(url)) as database:
        assert Catalogue(database, ManualClock()).report_for(WEB) is None


def test_a_key_s_last_use_is_recorded(store: Store) -> None:
    plain = store.keys.create("ci", {Scope.READ})
    assert store.keys.list()[0].last_used_on is None
    store.keys.check(plain, Scope.READ, START)
    assert store.keys.list()[0].last_used_on == START.date()
