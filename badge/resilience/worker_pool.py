"""Background work on a bounded number of daemon threads, started on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from badge.resilience.per_process import PerProcess

Job = Callable[[], None]


class _Workers:
    """The threads of one process, and its queue of jobs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle = threading.Condition(self.lock)
        self.queue: SimpleQueue[Job] = SimpleQueue()
        self.threads = 0
        self.unfinished = 0
        """Jobs that run or wait."""

    def work(self) -> None:
        while True:
            self.queue.get()()
            with self.lock:
                self.unfinished -= 1
                if not self.unfinished:
                    self.idle.notify_all()


class WorkerPool:
    """Runs at most `threads` jobs at a time and queues at most `most_waiting`. Jobs must not raise.

    The threads are daemons, so that a running job does not delay the process's exit. None is started before the
    first job, and a forked process starts its own: threads don't survive a fork.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._name = name
        self._most_threads = threads
        self._most_unfinished = threads + most_waiting
        self._workers = PerProcess(_Workers)

    @property
    def is_full(self) -> bool:
        """Whether another job would be refused."""
        return self._workers.get().unfinished >= self._most_unfinished

    @property
    def is_mostly_idle(self) -> bool:
        """Whether all jobs, running or waiting, would occupy fewer than half of the threads."""
        return self._workers.get().unfinished * 2 < self._most_threads

    def wait(self, seconds: float) -> bool:
        """Wait until all jobs have ended; returns False if that takes longer than `seconds`."""
        workers = self._workers.get()
        with workers.idle:
            return workers.idle.wait_for(lambda: not workers.unfinished, seconds)

    def submit(self, job: Job) -> bool:
        """Queue a job; returns False, and drops it, if the queue is full or no thread could be started."""
        workers = self._workers.get()
        with workers.lock:
            if workers.unfinished >= self._most_unfinished:
                return False
            are_all_busy = workers.threads <= workers.unfinished
            if are_all_busy and workers.threads < self._most_threads and start_thread(workers.work, self._name):
                workers.threads += 1
            if workers.threads == 0:
                return False
            workers.unfinished += 1
            workers.queue.put(job)
            return True


def start_thread(work: Callable[[], None], name: str) -> bool:
    """Run `work` on a daemon thread; returns False if none could be started, for example at a container's PID limit."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
