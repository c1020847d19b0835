"""Reloads: a new configuration is first tried in a child process, and used only if that finds no fault."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from badge.serving.child_process import reset_signals, send

COMPLETE = b"\0"
"""Written after a trial's faults; if it is missing, the trial was interrupted."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A running child process and the unnamed file in memory that it writes its faults to."""

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
    """The child is killed after this time, in case a file or a database does not respond."""
    _trial: _Trial | None = field(default=None, init=False)
    _is_requested_again: bool = field(default=False, init=False)

    def request(self) -> None:
        """Start a trial, or remember to start another one when the current one has ended."""
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
        except ChildProcessError:  # gunicorn collects the exit code of any child that ends
            pid, status = trial.pid, None
        if pid == 0:
            return
        self._trial = None
        faults = _faults_in(trial.output)
        self.finish([self._description(status)] if faults is None else faults)
        if self._is_requested_again:
            self._is_requested_again = False
            self.request()

    def cancel(self) -> None:
        """End the running trial, because this process is about to exit."""
        if self._trial is not None:
            send(self._trial.pid, signal.SIGKILL)

    def _description(self, status: int | None) -> str:
        """Describe how a trial was interrupted; the status is None if it is unknown."""
        exit_code = None if status is None else os.waitstatus_to_exitcode(status)
        if exit_code == -signal.SIGALRM:
            return f"The new configuration could not be checked within {self.most_seconds} s"
        detail = "" if exit_code is None else f" (exit code {exit_code})"
        return f"The check of the new configuration failed unexpectedly{detail}"


def _run_trial(rehearse: Callable[[], Sequence[str]], output: int, most_seconds: int) -> NoReturn:
    reset_signals()
    signal.alarm(most_seconds)
    try:
        os.write(output, "\n".join(rehearse()).encode() + COMPLETE)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - printed; this process must not return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(os.EX_SOFTWARE)


def _faults_in(output: int) -> list[str] | None:
    """Return the faults that a trial wrote; None if it was interrupted."""
    with os.fdopen(output, "rb") as file:
        file.seek(0)
        written = file.read()
    return written.removesuffix(COMPLETE).decode().splitlines() if written.endswith(COMPLETE) else None
