"""Blocking calls for the event loop, on a bounded number of threads and with a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from badge.resilience.worker_pool import WorkerPool

Result = TypeVar("Result")


class PoolFull(Exception):
    """All threads are busy and the queue is full."""


class Pool:
    """Threads for one kind of request, so that no kind can starve another."""

    def __init__(self, name: str, threads: int, most_queued: int) -> None:
        self._workers = WorkerPool(name, threads, most_queued)

    @property
    def is_mostly_idle(self) -> bool:
        """Whether fewer than half of the threads have work."""
        return self._workers.is_mostly_idle

    def start(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        """Run `work` on a thread; returns the future of its result. Raises `PoolFull`.

        If the future is cancelled before a thread is free, the work is dropped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def job() -> None:
            if future.cancelled():
                return
            try:
                settle = partial(future.set_result, work())
            except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
                settle = partial(future.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is waiting any more
                loop.call_soon_threadsafe(lambda: None if future.done() else settle())

        if not self._workers.submit(job):
            raise PoolFull
        return future
