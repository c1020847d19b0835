"""Reloads: the new configuration is tried in a child process; its faults, crashes and hangs stay there."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

from badge.serving.reloading import Reloads
from tests.servers import eventually


@dataclass
class Finished:
    """The faults that each reload ended with."""

    reloads: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, faults: Sequence[str]) -> None:
        self.reloads.append(faults)


def faults_of(rehearse: Callable[[], Sequence[str]], most_seconds: int = 30) -> Sequence[str]:
    finished = Finished()
    reloads = Reloads(rehearse, finished, most_seconds)
    reloads.request()
    assert eventually(lambda: _has_ended(reloads, finished, 1), 20)
    return finished.reloads[0]


def _has_ended(reloads: Reloads, finished: Finished, count: int) -> bool:
    reloads.check_child()
    return len(finished.reloads) == count


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def wait_forever() -> Sequence[str]:
    parent = os.getppid()
    while os.getppid() == parent:  # even if a test fails, no process is left behind
        signal.sigtimedwait([], 0.5)
    return []


def test_faults_are_passed_on_in_their_order() -> None:
    assert faults_of(list) == []
    assert faults_of(lambda: ["BADGE_BIND: é", "BADGE_WORKERS: b"]) == ["BADGE_BIND: é", "BADGE_WORKERS: b"]


def test_the_trial_runs_in_another_process() -> None:
    assert faults_of(lambda: [str(os.getpid())]) != [str(os.getpid())]


def test_a_trial_that_crashes_or_exits_is_a_fault() -> None:
    expected = ["The check of the new configuration failed unexpectedly (exit code 70)"]
    assert faults_of(lambda: [str(1 // 0)]) == expected
    assert faults_of(lambda: sys.exit(0)) == expected


def test_a_trial_that_hangs_is_killed_and_is_a_fault() -> None:
    assert faults_of(wait_forever, most_seconds=1) == ["The new configuration could not be checked within 1 s"]


def test_a_trial_that_cannot_be_started_is_a_fault() -> None:
    finished = Finished()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        Reloads(list, finished).request()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert finished.reloads == [["The new configuration can't be checked: Too many open files"]]


def test_requests_during_a_trial_lead_to_one_more() -> None:
    finished = Finished()
    reloads = Reloads(list, finished)
    for _ in range(5):
        reloads.request()
    assert eventually(lambda: _has_ended(reloads, finished, 2), 20)
    before = children()
    reloads.check_child()
    assert (len(finished.reloads), children()) == (2, before)


def test_a_trial_can_be_cancelled_and_leaves_no_process() -> None:
    before = children()
    finished = Finished()
    reloads = Reloads(wait_forever, finished)
    reloads.request()
    assert len(children() - before) == 1
    reloads.cancel()
    assert eventually(lambda: _has_ended(reloads, finished, 1))
    assert children() == before


def collected(reloads: Reloads) -> None:
    """Request a reload and collect its trial's exit code as gunicorn does, which waits for any child."""
    before = children()
    reloads.request()
    (child,) = children() - before
    os.waitpid(child, 0)


def test_the_faults_count_even_if_the_exit_code_was_collected_elsewhere() -> None:
    for faults in ([], ["BADGE_BIND: é", "BADGE_WORKERS: b"]):
        finished = Finished()
        reloads = Reloads(faults.copy, finished)
        collected(reloads)
        reloads.check_child()
        assert finished.reloads == [faults]


def test_a_crash_is_a_fault_even_if_the_exit_code_was_collected_elsewhere() -> None:
    finished = Finished()
    reloads = Reloads(lambda: [str(1 // 0)], finished)
    collected(reloads)
    reloads.check_child()
    assert finished.reloads == [["The check of the new configuration failed unexpectedly"]]


def test_a_trial_whose_exit_code_was_collected_elsewhere_can_be_cancelled() -> None:
    reloads = Reloads(list, Finished())
    collected(reloads)
    reloads.cancel()


def test_a_trial_can_be_terminated_like_any_process() -> None:
    # gunicorn's master only queues signals, and its child inherits the handlers.
    handler = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        before, finished = children(), Finished()
        reloads = Reloads(wait_forever, finished)
        reloads.request()
        (child,) = children() - before

        def is_ended() -> bool:
            os.kill(child, signal.SIGTERM)  # repeatedly, because the first may arrive before the handlers are reset
            return _has_ended(reloads, finished, 1)

        assert eventually(is_ended)
    finally:
        signal.signal(signal.SIGTERM, handler)
