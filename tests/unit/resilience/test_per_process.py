"""Each process has its own value; an inherited one is left alone."""

import gc
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

from badge.resilience.per_process import PerProcess


class Value:
    """An object that supports identity checks and weak references."""


def test_all_threads_of_a_process_have_the_same_value() -> None:
    mine, together = PerProcess(Value), threading.Barrier(8)

    def got(_: int) -> Value:
        together.wait()
        return mine.get()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(got, range(8)))) == 1


def test_the_value_is_made_on_first_use() -> None:
    made: list[int] = []
    mine = PerProcess(lambda: made.append(1))
    assert made == []
    mine.get()
    mine.get()
    assert made == [1]


def test_a_forked_process_makes_its_own_value_and_keeps_the_inherited_one_alive() -> None:
    mine = PerProcess(Value)
    before, watched = id(mine.get()), weakref.ref(mine.get())
    child = os.fork()
    if child == 0:
        is_new = id(mine.get()) != before and mine.get() is mine.get()
        gc.collect()
        os._exit(0 if is_new and watched() is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert id(mine.get()) == before
