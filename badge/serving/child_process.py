"""Child processes of gunicorn's master: one that is started again when it ends, and one that does a single task."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

RESET_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)
"""Signals that must have their default effect in children. gunicorn's master handles all of these except SIGALRM."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Pause in seconds before the child is restarted.

It doubles each time, and is reset once a child has run for longer than `LONGEST_PAUSE`.
"""
FORK_PAUSE = 10.0
"""Pause in seconds before another attempt if no process could be forked."""
STOP_SECONDS = 3.0
POLL_SECONDS = 0.02


@dataclass(slots=True)
class ChildProcess:
    """Runs `work` in a forked process. All methods are called by the master's main thread, and none blocks for long."""

    work: Callable[[float], object]
    """Called in the child with the number of seconds to wait first, so that the master doesn't have to wait."""
    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep  # noqa: TID251 - the default of the argument
    fork: Callable[[], int] = os.fork
    _owner: int = field(default_factory=os.getpid, init=False)
    _pid: int | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _pause: float = field(default=0.0, init=False)
    _not_before: float = field(default=float("-inf"), init=False)

    def check(self) -> None:
        """Start the child unless it is running; call this whenever a child process ends, and every second or so.

        Raises `OSError` if it can't be forked; the next attempt is made after `FORK_PAUSE`.
        """
        if self._pid is not None:
            if not _has_ended(self._pid):
                return
            self._pid = None
            was_long = self.monotonic() - self._began - self._pause > LONGEST_PAUSE
            self._pause = SHORTEST_PAUSE if was_long else min(max(2 * self._pause, SHORTEST_PAUSE), LONGEST_PAUSE)
        if self.monotonic() < self._not_before:
            return
        try:
            pid = self.fork()
        except OSError:
            self._not_before = self.monotonic() + FORK_PAUSE
            raise
        if pid == 0:
            _run(self.work, self._pause)
        self._pid, self._began = pid, self.monotonic()

    def stop(self) -> None:
        """Ask the child to end, and kill it if it doesn't within a few seconds."""
        if self._pid is None or os.getpid() != self._owner:
            return
        pid, self._pid = self._pid, None
        ends = self.monotonic() + STOP_SECONDS
        send(pid, signal.SIGTERM)
        while not _has_ended(pid):
            if self.monotonic() > ends:
                send(pid, signal.SIGKILL)
                ends = float("inf")
            self.wait(POLL_SECONDS)


def reset_signals() -> None:
    """In a new child: restore the default handlers of `RESET_SIGNALS`."""
    for number in RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def send(pid: int, number: int) -> None:
    """Send a signal to a child, unless it has ended."""
    with contextlib.suppress(ProcessLookupError):  # it has ended, and gunicorn has collected its exit code
        os.kill(pid, number)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:  # gunicorn collects the exit code of any child that ends
        return True


def _run(work: Callable[[float], object], pause: float) -> None:
    reset_signals()
    try:
        work(pause)
    except BaseException:  # noqa: BLE001 - printed; this process must not return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(0)


def in_child(work: Callable[[], int]) -> bool:
    """Run `work` in a child process, so that the master doesn't keep what it loads; returns whether that succeeded."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work())
        except BaseException:  # noqa: BLE001 - printed; this process must not return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
