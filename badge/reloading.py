"""Reloads: a new configuration is first tried out in a child process, and used only if no fault is found."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

RESET_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A running child process, and the unnamed file in memory that it writes faults to."""

    pid: int
    output: int


@dataclass(slots=True)
class Reloads:
    """Tries a new configuration in a child process, then passes the faults on; never blocks.

    Requests during a trial lead to one more trial after it.
    """

    rehearse: Callable[[], Sequence[str]]
    """Called in the child process; returns the faults."""
    finish: Callable[[Sequence[str]], None]
    """Called in this process with the faults, if any."""
    most_seconds: int = 30
    """The child is killed after this time, in case a file or a database does not answer."""
    _trial: _Trial | None = field(default=None, init=False)
    _is_requested_again: bool = field(default=False, init=False)

    def request(self) -> None:
        """Start a trial, or note that another one is needed after the one that is running."""
        if self._trial is not None:
            self._is_requested_again = True
            return
        try:
            self._trial = self._start()
        except OSError as error:
            self.finish([f"The new configuration can't be checked: {error.strerror}"])

    def _start(self) -> _Trial:
        output = os.memfd_create("reload")  # not a pipe: workers forked meanwhile would hold it open
        try:
            pid = os.fork()
        except OSError:
            os.close(output)
            raise
        if pid == 0:
            _run_trial(self.rehearse, output, self.most_seconds)
        return _Trial(pid, output)

    def check_child(self) -> None:
        """Finish the reload if its trial has ended; call this whenever a child process ends."""
        if (trial := self._trial) is None:
            return
        try:
            pid, status = os.waitpid(trial.pid, os.WNOHANG)
        except ChildProcessError:  # its exit code was collected elsewhere
            pid, status = trial.pid, os.EX_SOFTWARE << 8
        if pid == 0:
            return
        self._trial = None
        faults = _text_in(trial.output).splitlines()
        if (exit_code := os.waitstatus_to_exitcode(status)) != 0:
            faults.append(self._description(exit_code))
        self.finish(faults)
        if self._is_requested_again:
            self._is_requested_again = False
            self.request()

    def cancel(self) -> None:
        """End the running trial, because this process is about to exit."""
        if self._trial is not None:
            os.kill(self._trial.pid, signal.SIGKILL)

    def _description(self, exit_code: int) -> str:
        if exit_code == -signal.SIGALRM:
            return f"The new configuration could not be checked within {self.most_seconds} s"
        return f"The check of the new configuration failed unexpectedly (exit code {exit_code})"


def _run_trial(rehearse: Callable[[], Sequence[str]], output: int, most_seconds: int) -> NoReturn:
    for number in RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(most_seconds)
    try:
        os.write(output, "\n".join(rehearse()).encode())
        os._exit(0)
    except BaseException:  # noqa: BLE001 - printed; this process must not return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(os.EX_SOFTWARE)


def _text_in(output: int) -> str:
    with os.fdopen(output, "rb") as file:
        file.seek(0)
        return file.read().decode()
