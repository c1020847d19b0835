"""Connections to PostgreSQL that end by themselves when the server, or the way to it, has fallen silent.

The server's own timeouts can't do that: they need it to be awake. Imported where PostgreSQL is used alone,
for its driver is not always installed.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.errors import OperationalError
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError

_Result = TypeVar("_Result")
_Wanted = TypeVar("_Wanted")
_Ready = TypeVar("_Ready")

# A badge may take 1.7 s in all. To connect, the driver itself waits for no less than 2 s.
CONNECT_SECONDS = 1.0
READER_SECONDS = 1.0
DRIVER_S_LEAST_SECONDS = 2
POLL_SECONDS = 0.1


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when one exchange takes longer than `patience_seconds`."""

    patience_seconds = READER_SECONDS

    def wait(self, gen: PQGen[_Result], interval: float = POLL_SECONDS, timeout: float | None = None) -> _Result:
        """Wait for the server, at most `patience_seconds`; closes the connection if an answer may still come."""
        try:
            return super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                # Its answer may still come, as if to the next question.
                self.close()
            raise

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **options: Any) -> PQGenConn[Any]:
        return (yield from _within(CONNECT_SECONDS, super()._connect_gen(conninfo, **options)))


def _within(seconds: float, work: Generator[_Wanted, _Ready, _Result]) -> Generator[_Wanted, _Ready, _Result]:
    """The same steps, ended by an error where they take longer; the driver takes one each `POLL_SECONDS`."""
    ends = time.monotonic() + seconds
    try:
        wanted = next(work)
        while True:
            ready = yield wanted
            if time.monotonic() > ends:
                raise OperationalError("the server does not answer")
            wanted = work.send(ready)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return] # a generator's own result


def prepare_engine(engine: Engine) -> None:
    """Have the engine make such connections."""

    def connect(_: object, __: object, arguments: Any, options: Any) -> ImpatientConnection:
        return ImpatientConnection.connect(*arguments, **{"connect_timeout": DRIVER_S_LEAST_SECONDS, **options})

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _refuse_ended)


def _refuse_ended(connection: ImpatientConnection, _: object, __: object) -> None:
    """Have the pool make another connection where the server has ended this one: it has been restarted.

    There is something to read on a connection that nobody asked anything, which costs no question to see.
    """
    unasked = select.poll()
    if not connection.closed:
        unasked.register(connection.fileno(), select.POLLIN)
    if connection.closed or unasked.poll(0):
        raise DisconnectionError


def begin(connection: Connection, patience: int | None) -> None:
    """Limit a transaction that has just begun; a writer's `patience`, in milliseconds, is for other writers."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, ImpatientConnection)
    driver.patience_seconds = max(READER_SECONDS, (patience or 0) / 1000)
    if patience is not None:
        # 0 would be no limit at all.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(patience, 1):d}")
