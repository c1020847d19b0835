"""Each process has a value of its own; what a fork inherits is left alone."""

import gc
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

from badge.resilience.per_process import PerProcess


class Value:
    """Something that can be told apart, and watched."""


def test_all_threads_of_a_process_have_the_same_value() -> None:
    mine, together = PerProcess(Value), threading.Barrier(8)

    def got(_: int) -> Value:
        together.wait()
        return mine.get()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(got, range(8)))) == 1


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []
    mine = PerProcess(lambda: made.append(1))
    assert made == []
    mine.get()
    mine.get()
    assert made == [1]


def test_a_fork_has_a_value_of_its_own_and_keeps_what_it_inherited() -> None:
    mine = PerProcess(Value)
    before, watched = id(mine.get()), weakref.ref(mine.get())
    child = os.fork()
    if child == 0:
        is_new = id(mine.get()) != before and mine.get() is mine.get()
        gc.collect()
        os._exit(0 if is_new and watched() is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert id(mine.get()) == before
