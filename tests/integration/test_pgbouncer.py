"""The catalogue behind PgBouncer, where each transaction may run on a different connection to the server."""

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
"""Per client: more than five, after which psycopg would prepare a statement."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgres() as postgres, running_pgbouncer(postgres) as pooler:
        yield pooler.url(postgres.new_database())


def test_many_concurrent_clients_all_see_their_own_reports(url: str) -> None:
    migrate(url)
    store = Store.on(url)

    def use(client: int) -> list[BackupStatus | None]:
        subject = Subject.legacy("acme", f"repository-{client}")
        seen = []
        for number in range(REQUESTS // 2):
            status = BackupStatus.FAILED if number % 2 else BackupStatus.SUCCEEDED
            store.record(status, subject, started_at=START + timedelta(seconds=number - REQUESTS))
            seen.append(store.status(subject))
        return seen

    try:
        with ThreadPoolExecutor(CLIENTS) as clients:
            for seen in clients.map(use, range(CLIENTS)):
                assert seen == [BackupStatus.SUCCEEDED, BackupStatus.FAILED] * (REQUESTS // 4)
    finally:
        store.close()
