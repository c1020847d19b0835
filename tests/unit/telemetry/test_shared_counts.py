"""Counts shared by forked processes: nothing is counted twice, nothing is lost when a process ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial

from badge.telemetry.shared_counts import SharedCounts

ASKED = ("asked", ("svg",))


def in_a_fork(act: Callable[[], None]) -> None:
    """Call `act` in a forked child, and wait for it."""
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def worker(counts: SharedCounts, owner: int, act: Callable[[], None]) -> None:
    """Run a worker the way gunicorn's hooks do."""
    counts.reserve(owner)

    def work() -> None:
        counts.begin_in_worker()
        act()

    in_a_fork(work)


def add_some(counts: SharedCounts, times: int) -> None:
    for _ in range(times):
        counts.add(*ASKED)


def test_numbers_of_all_processes_are_added_up() -> None:
    counts = SharedCounts(4)
    counts.add(*ASKED)
    for owner in (1, 2):
        worker(counts, owner, partial(add_some, counts, 10))
    assert counts.totals() == {ASKED: 21.0}


def test_an_ended_process_s_counts_stay_and_its_slot_is_reused() -> None:
    counts = SharedCounts(2)
    for owner in range(5):
        worker(counts, owner, lambda: counts.add(*ASKED))
        counts.release(owner)
    assert counts.totals() == {ASKED: 5.0}


def test_the_highest_value_of_all_running_processes_counts() -> None:
    counts = SharedCounts(3)
    worker(counts, 1, lambda: counts.set("open", ("redis",), 1.0))
    worker(counts, 2, lambda: counts.set("open", ("redis",), 0.0))
    assert counts.totals() == {("open", ("redis",)): 1.0}
    counts.release(1)
    assert counts.totals() == {("open", ("redis",)): 0.0}


def test_a_process_without_a_slot_keeps_its_counts_to_itself() -> None:
    counts = SharedCounts(1)
    counts.add(*ASKED)

    def act() -> None:
        counts.add(*ASKED)
        assert counts.totals() == {ASKED: 2.0}

    in_a_fork(act)
    worker(counts, 1, act)
    assert counts.totals() == {ASKED: 1.0}


def test_a_full_slot_accepts_no_new_numbers_but_updates_old_ones() -> None:
    counts = SharedCounts(1, slot_bytes=256)
    for number in range(100):
        counts.add("asked", (str(number),))
        counts.add("asked", ("0",))
    totals = counts.totals()
    assert totals["asked", ("0",)] == 101.0
    assert 1 < len(totals) < 10


def test_threads_lose_no_count() -> None:
    counts = SharedCounts()
    threads = [threading.Thread(target=add_some, args=(counts, 2_000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.totals() == {ASKED: 8_000.0}


def test_any_label_survives_a_round_trip() -> None:
    counts = SharedCounts()
    for label in ("", "ü", "日本", '"\\\n', "x" * 300):
        counts.add("asked", (label,))
    assert {labels[0] for _, labels in counts.totals()} == {"", "ü", "日本", '"\\\n', "x" * 300}
