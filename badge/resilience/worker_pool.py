"""Work in the background, on a bounded number of daemon threads that this process makes when it first needs them."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class WorkerPool:
    """At most `threads` jobs at a time, and at most `most_waiting` in line. Jobs do not raise.

    Daemon threads, so that a job under way does not hold up the end of the process. None exists before
    the first job, and a fork begins anew: threads do not survive one, and their queue would only fill.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._name = name
        self._most_threads = threads
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._process = 0

    @property
    def is_full(self) -> bool:
        """Whether no further job would be taken."""
        return self._process == os.getpid() and self._idle == 0 and len(self._line) >= self._most_waiting

    def submit(self, job: Job) -> bool:
        """Have it done soon; False where the line is full, or nobody is there to work it off, and nothing is done."""
        with self._lock:
            self._begin_anew_after_a_fork()
            if len(self._line) - self._idle >= self._most_waiting:
                return False
            is_wanted = self._idle <= len(self._line) and self._threads < self._most_threads
            if is_wanted and start_thread(self._work, self._name):
                self._threads += 1
            if self._threads == 0:
                return False
            self._line.append(job)
            self._has_work.notify()
            return True

    def _begin_anew_after_a_fork(self) -> None:
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._line: deque[Job] = deque()
        self._has_work = threading.Condition(self._lock)
        self._threads = 0
        self._idle = 0

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._line:
                    self._idle += 1
                    self._has_work.wait()
                    self._idle -= 1
                job = self._line.popleft()
            job()


def start_thread(work: Callable[[], None], name: str) -> bool:
    """Have a daemon thread do it; False where the system has no thread to give (a container's pids limit)."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
