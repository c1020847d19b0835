"""A catalogue on a real database, with shortcuts for tests."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, literal, select
from sqlalchemy.event import listen, remove

from badge.catalogue.checks import Checks
from badge.catalogue.database import Database
from badge.catalogue.events import RunEvent
from badge.catalogue.keys import ApiKeys
from badge.catalogue.schema import metadata, subject_paths, subjects, totals
from badge.catalogue.store import Catalogue
from badge.catalogue.subjects import path_values, subject_of
from badge.catalogue.tokens import StoredTokens
from badge.model import BackupStatus, Report, Subject
from tests.doubles import ManualClock, RecordedEvents

WEB = Subject.legacy("acme", "web")
ROWS_AT_ONCE = 5_000
PATIENCE = 30_000
"""How long a statement of PostgreSQL may take on a busy machine, in ms."""


@dataclass
class Store:
    """A catalogue on a database of its own."""

    url: str
    clock: ManualClock
    catalogue: Catalogue
    keys: ApiKeys
    checks: Checks
    tokens: StoredTokens

    @classmethod
    def on(cls, url: str, reader_patience: int = PATIENCE) -> Store:
        """Return a catalogue on the database at a URL, whose schema exists."""
        clock, database = ManualClock(), Database(url, reader_patience=reader_patience)
        keys, tokens = ApiKeys(database, clock), StoredTokens(database, clock, RecordedEvents(), lambda job: job())
        return cls(url, clock, Catalogue(database, clock), keys, Checks(database, clock), tokens)

    def close(self) -> None:
        self.catalogue.database.close()

    def content(self) -> bytes:
        """Return the database's whole content, so that tests can search it for what must not be in it."""
        if self.url.startswith("sqlite"):
            folder = Path(self.url.removeprefix("sqlite:///")).parent
            return b"".join(file.read_bytes() for file in folder.iterdir())
        with self.catalogue.database.reading() as connection:
            return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables]).encode()

    def record(self, status: BackupStatus, subject: Subject = WEB, **more: Any) -> bool:
        event = RunEvent(subject=subject, status=status, at=self.clock(), **more)
        return self.catalogue.record(event).applied

    def receive(self, status: BackupStatus, subject: Subject = WEB, **more: Any) -> bool:
        """Record an event without a time of its own; returns whether it was applied."""
        return self.catalogue.record(RunEvent(subject=subject, status=status, **more)).applied

    def status(self, subject: Subject = WEB) -> BackupStatus | None:
        report = self.catalogue.report_for(subject)
        return report.status if report else None

    def report(self, subject: Subject = WEB) -> Report:
        report = self.catalogue.report_for(subject)
        assert report is not None
        return report


def plans_of(database: Database, act: Callable[[], object]) -> list[tuple[str, list[str]]]:
    """Return the SELECT statements that `act` sends, each with the lines of SQLite's plan for it."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    with database.reading() as connection:
        engine = connection.engine
    listen(engine, "before_cursor_execute", note)
    act()
    remove(engine, "before_cursor_execute", note)
    with database.reading() as connection:
        return [
            (statement, [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)])
            for statement, values in sent
        ]


def run_at_once(target: Callable[..., object], *arguments: tuple[object, ...]) -> None:
    """Call `target` with each of these arguments, at the same time in processes of their own."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=target, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    exit_codes = [process.exitcode for process in processes]
    assert set(exit_codes) == {0}, exit_codes


def index_all(connection: Connection) -> None:
    """Fill the tables that the catalogue derives from its subjects, for rows that were inserted directly."""
    rows = [path_values(row.id, subject_of(row)) for row in connection.execute(select(subjects))]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(insert(subject_paths), rows[first : first + ROWS_AT_ONCE])
    last_finished, verification = (
        func.coalesce(column, "") for column in (subjects.c.last_finished, subjects.c.verification)
    )
    kinds = (subjects.c.status, last_finished, subjects.c.visibility, verification)
    accounts = (subjects.c.platform_key, subjects.c.account_key, subjects.c.type_key)
    names = [column.name for column in totals.columns]
    for scope, groups in (([literal("")] * 3, kinds), (accounts, (*accounts, *kinds))):
        counted = select(*scope, literal(0), *kinds, func.count()).group_by(*groups)
        connection.execute(insert(totals).from_select(names, counted))
