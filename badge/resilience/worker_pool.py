"""Work in the background, on a bounded number of daemon threads that this process makes when it first needs them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from badge.resilience.per_process import PerProcess

Job = Callable[[], None]


class _Workers:
    """The threads of one process, and the jobs that wait for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.has_work = threading.Condition(self.lock)
        self.line: deque[Job] = deque()
        self.threads = 0
        self.idle = 0

    def work(self) -> None:
        while True:
            with self.lock:
                while not self.line:
                    self.idle += 1
                    self.has_work.wait()
                    self.idle -= 1
                job = self.line.popleft()
            job()


class WorkerPool:
    """At most `threads` jobs at a time, and at most `most_waiting` in line. Jobs do not raise.

    Daemon threads, so that a job under way does not hold up the end of the process. None exists before
    the first job, and a fork begins anew: threads do not survive one, and their queue would only fill.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._name = name
        self._most_threads = threads
        self._most_waiting = most_waiting
        self._workers = PerProcess(_Workers)

    @property
    def is_full(self) -> bool:
        """Whether no further job would be taken."""
        workers = self._workers.get()
        return workers.idle == 0 and len(workers.line) >= self._most_waiting

    def submit(self, job: Job) -> bool:
        """Have it done soon; False where the line is full, or nobody is there to work it off, and nothing is done."""
        workers = self._workers.get()
        with workers.lock:
            if len(workers.line) - workers.idle >= self._most_waiting:
                return False
            is_wanted = workers.idle <= len(workers.line) and workers.threads < self._most_threads
            if is_wanted and start_thread(workers.work, self._name):
                workers.threads += 1
            if workers.threads == 0:
                return False
            workers.line.append(job)
            workers.has_work.notify()
            return True


def start_thread(work: Callable[[], None], name: str) -> bool:
    """Have a daemon thread do it; False where the system has no thread to give (a container's pids limit)."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
