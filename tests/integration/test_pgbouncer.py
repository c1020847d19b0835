"""The catalogue behind PgBouncer, whose transactions each may run on another of the server's connections."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from badge.catalogue.migration import migrate
from badge.model import BackupStatus, Subject
from tests.doubles import START
from tests.pgbouncer import running_pgbouncer
from tests.postgres import running_postgres
from tests.store import Store

CLIENTS = 8
REQUESTS = 100
"""Each client's; psycopg prepares a statement when it is executed for the sixth time."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgres() as postgres, running_pgbouncer(postgres) as pooler:
        yield pooler.url(postgres.new_database())


def test_reports_and_badges_of_many_clients_at_once_all_arrive(url: str) -> None:
    migrate(url)
    store = Store.on(url)

    def use(client: int) -> list[BackupStatus | None]:
        subject = Subject.legacy("acme", f"repository-{client}")
        seen = []
        for number in range(REQUESTS // 2):
            status = BackupStatus.FAILED if number % 2 else BackupStatus.SUCCEEDED
            store.tell(status, subject, started_at=START + timedelta(seconds=number - REQUESTS))
            seen.append(store.status(subject))
        return seen

    try:
        with ThreadPoolExecutor(CLIENTS) as clients:
            for seen in clients.map(use, range(CLIENTS)):
                assert seen == [BackupStatus.SUCCEEDED, BackupStatus.FAILED] * (REQUESTS // 4)
    finally:
        store.close()
