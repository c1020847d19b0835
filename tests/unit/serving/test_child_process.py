"""A child of gunicorn's master is started again when it ends, after growing pauses, and ends when asked to."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from badge.serving.child_process import FORK_PAUSE, LONGEST_PAUSE, ChildProcess
from tests.servers import START_SECONDS, eventually


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def noting(file: Path, then: Callable[[], object]) -> Callable[[float], None]:
    def work(pause: float) -> None:
        with file.open("a") as log:
            log.write(f"{os.getpid()} {pause}\n")
        then()

    return work


def has_restarted(child: ChildProcess, file: Path, number: int) -> bool:
    if len(lines(file)) < number:
        child.check()
    return len(lines(file)) >= number


def test_a_child_that_ends_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    file = tmp_path / "log"
    child = ChildProcess(noting(file, lambda: None))
    for number in range(1, 9):
        assert eventually(partial(has_restarted, child, file, number), START_SECONDS)
    pauses = [float(line.split()[1]) for line in lines(file)][:8]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, LONGEST_PAUSE]
    child.stop()


def test_a_running_child_is_left_alone_and_ends_when_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "log"
    child = ChildProcess(noting(file, signal.pause))
    child.check()
    assert eventually(lambda: len(lines(file)) == 1, START_SECONDS)
    child.check()
    child.stop()
    [line] = lines(file)
    assert not Path(f"/proc/{line.split()[0]}").exists()


def ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)  # noqa: TID251 - killed before this ends


def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "log"
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += 1
        time.sleep(seconds)  # noqa: TID251 - real processes need time to end

    child = ChildProcess(noting(file, ignore_sigterm), monotonic=lambda: now[0], wait=wait)
    child.check()
    assert eventually(lambda: len(lines(file)) == 1, START_SECONDS)
    child.stop()
    assert not Path(f"/proc/{lines(file)[0].split()[0]}").exists()


def test_only_the_process_that_started_it_can_stop_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    child = ChildProcess(noting(file, signal.pause))
    child.check()
    assert eventually(lambda: len(lines(file)) == 1, START_SECONDS)
    other = os.fork()
    if other == 0:
        child.stop()
        os._exit(0)
    os.waitpid(other, 0)
    child.check()
    assert len(lines(file)) == 1
    child.stop()


def test_a_failed_fork_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    file, now, attempts = tmp_path / "log", [0.0], [0]

    def fork() -> int:
        attempts[0] += 1
        if attempts[0] < 3:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return os.fork()

    child = ChildProcess(noting(file, signal.pause), monotonic=lambda: now[0], fork=fork)
    for number in (1, 2):
        with pytest.raises(BlockingIOError):
            child.check()
        child.check()
        assert attempts == [number], "there was an attempt during the pause"
        now[0] += FORK_PAUSE
    child.check()
    assert eventually(lambda: len(lines(file)) == 1, START_SECONDS)
    assert lines(file)[0].endswith(" 0.0"), "the child waited too"
    child.check()
    assert attempts == [3]
    child.stop()
