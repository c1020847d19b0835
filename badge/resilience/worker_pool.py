"""Background work on a bounded number of daemon threads, started on demand."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from badge.resilience.per_process import PerProcess

Job = Callable[[], None]


class _Workers:
    """The threads of one process, and its queue of jobs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.has_work = threading.Condition(self.lock)
        self.queue: deque[Job] = deque()
        self.threads = 0
        self.idle = 0

    def work(self) -> None:
        while True:
            with self.lock:
                while not self.queue:
                    self.idle += 1
                    self.has_work.wait()
                    self.idle -= 1
                job = self.queue.popleft()
            # Jobs must not raise: that would end this thread, which `threads` would go on counting.
            job()


class WorkerPool:
    """Runs at most `threads` jobs at a time and queues at most `most_waiting`. Jobs must not raise.

    The threads are daemons, so that a running job does not delay the process's exit. None is started before the
    first job, and a forked process starts its own: threads don't survive a fork.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._name = name
        self._most_threads = threads
        self._most_waiting = most_waiting
        self._workers = PerProcess(_Workers)

    @property
    def is_full(self) -> bool:
        """Whether another job would be refused."""
        workers = self._workers.get()
        return workers.idle == 0 and len(workers.queue) >= self._most_waiting

    def submit(self, job: Job) -> bool:
        """Queue a job; returns False, and drops it, if the queue is full or no thread could be started."""
        workers = self._workers.get()
        with workers.lock:
            if len(workers.queue) - workers.idle >= self._most_waiting:
                return False
            # A thread that was just woken still counts as idle, so each queued job is assumed to need one idle thread.
            is_wanted = workers.idle <= len(workers.queue) and workers.threads < self._most_threads
            if is_wanted and start_thread(workers.work, self._name):
                workers.threads += 1
            if workers.threads == 0:
                return False
            workers.queue.append(job)
            workers.has_work.notify()
            return True


def start_thread(work: Callable[[], None], name: str) -> bool:
    """Run `work` on a daemon thread; returns False if none could be started (such as at a container's pids limit)."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
