"""PostgreSQL connections with time limits on the client's side; the server's own timeouts don't help if it hangs.

Imported only where PostgreSQL is used, because its driver is optional.
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

CONNECT_SECONDS = 1.0  # a badge waits for its source for at most 1.7 s
DRIVER_MINIMUM_SECONDS = 2  # the shortest `connect_timeout` that libpq accepts
POLL_SECONDS = 0.1


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that raises `OperationalError` if one exchange takes longer than `patience_seconds`."""

    patience_seconds = CONNECT_SECONDS

    def wait(self, gen: PQGen[_Result], interval: float = POLL_SECONDS, timeout: float | None = None) -> _Result:
        """Wait for the server's response; closes the connection if the response may still arrive later."""
        try:
            return super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()  # otherwise, the late response would be taken for the next statement's
            raise

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **options: Any) -> PQGenConn[Any]:
        return (yield from _within(CONNECT_SECONDS, super()._connect_gen(conninfo, **options)))


def _within(seconds: float, steps: Generator[_Wanted, _Ready, _Result]) -> Generator[_Wanted, _Ready, _Result]:
    """Yield from `steps`, but raise `OperationalError` after `seconds`.

    The time is checked whenever the driver resumes the generator, which it does at least every 0.1 s.
    """
    ends = time.monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if time.monotonic() > ends:
                raise OperationalError("the server does not answer")
            wanted = steps.send(ready)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return] # a generator's own result


def prepare_engine(engine: Engine) -> None:
    """Make the engine open `ImpatientConnection`s, and replace those that the server has closed."""

    def connect(_: object, __: object, arguments: Any, options: Any) -> ImpatientConnection:
        limited = {"connect_timeout": DRIVER_MINIMUM_SECONDS, **options}
        # No prepared statements: with a pooler such as PgBouncer, each transaction may run on a different server
        # connection, which lacks them.
        return ImpatientConnection.connect(*arguments, **limited, prepare_threshold=None)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _reject_closed)


def _reject_closed(connection: ImpatientConnection, _: object, __: object) -> None:
    """Make the pool open another connection if the server has closed this one, for example by a restart.

    An idle connection with something to read has been closed; checking that costs no round trip.
    """
    idle = select.poll()
    if not connection.closed:
        idle.register(connection.fileno(), select.POLLIN)
    if connection.closed or idle.poll(0):
        raise DisconnectionError


def begin(connection: Connection, patience: int | None, reader_patience: int) -> None:
    """Set the limits of a transaction.

    `patience` is how long a writer waits for others, None for a reader. A statement may take as long as the larger of
    `patience` and `reader_patience`. Both are in ms.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, ImpatientConnection)
    driver.patience_seconds = max(reader_patience, patience or 0) / 1000
    if patience is not None:
        # 0 would mean no limit.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(patience, 1):d}")
