"""Counts shared by all processes of one service, in anonymous memory that workers inherit from the master.

Files would not do: writing to a mapped file on a full disk kills the process (SIGBUS). Each process writes to its own
slot, so that none waits for another; readers add the slots up.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections.abc import Hashable

SLOT_BYTES = 1 << 20
"""Room for about ten thousand numbers; a full slot accepts no new ones. Unused parts take up no memory."""

_WORD = 8
_SUMMED, _HIGHEST = 0, 1
_READS = 100

Labels = tuple[str, ...]
Key = tuple[str, Labels]


class SharedCounts:
    """Numbers by name and labels. Slot 0 belongs to the first process and collects the sums of ended workers.

    A slot is an array of 8-byte words: the number of words used, then for each number the length of its key in
    bytes, how it is combined, the number, and the key as JSON.
    """

    def __init__(self, slots: int = 1, slot_bytes: int = SLOT_BYTES) -> None:
        self._slot_words = slot_bytes // _WORD
        memory = memoryview(mmap.mmap(-1, _WORD + slots * slot_bytes))
        # Odd while the master moves the numbers of an ended worker; `totals` then reads again, as with a seqlock.
        self._generation = memory[:_WORD].cast("Q")
        self._slots = [memory[_WORD + n * slot_bytes :][:slot_bytes] for n in range(slots)]
        self._owners: dict[Hashable, int] = {}
        self._begin_in(0)

    def add(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        """Add to a number, which starts at zero."""
        # A forked process without a slot of its own must not write to its parent's.
        if self._process != os.getpid():
            self._begin_in(None)
        with self._lock:
            if (place := self._place(name, labels, _SUMMED)) is not None:
                self._numbers[place] += amount

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Set this process's value; the total is the highest value of all running processes."""
        if self._process != os.getpid():
            self._begin_in(None)
        with self._lock:
            if (place := self._place(name, labels, _HIGHEST)) is not None:
                self._numbers[place] = value

    def totals(self) -> dict[Key, float]:
        """Return each number, combined over all processes."""
        for _ in range(_READS):
            generation = self._generation[0]
            totals = self._added_up()
            if generation % 2 == 0 and generation == self._generation[0]:
                break  # otherwise an ended worker's numbers were moved meanwhile: read again
        return totals

    def reserve(self, owner: Hashable) -> None:
        """In the master, before forking `owner`: reserve its slot. If none is free, its counts are not shared."""
        free = set(range(1, len(self._slots))) - set(self._owners.values())
        self._next = min(free, default=None)
        if self._next is not None:
            self._owners[owner] = self._next

    def begin_in_worker(self) -> None:
        """In a newly forked process: start writing to the slot reserved last."""
        self._begin_in(self._next)

    def release(self, owner: Hashable) -> None:
        """In the master, after `owner` has ended: keep its sums and free its slot."""
        if (slot := self._owners.pop(owner, None)) is None:
            return
        self._generation[0] += 1
        for (name, labels), (kind, value) in _numbers_in(self._slots[slot]).items():
            if kind == _SUMMED:
                self.add(name, labels, value)
        self._slots[slot].cast("Q")[0] = 0
        self._generation[0] += 1

    def _begin_in(self, slot: int | None) -> None:
        self._is_alone = slot is None
        memory = memoryview(bytearray(self._slot_words * _WORD)) if slot is None else self._slots[slot]
        self._memory, self._words, self._numbers = memory, memory.cast("Q"), memory.cast("d")
        self._process, self._next, self._lock = os.getpid(), None, threading.Lock()
        self._places: dict[Key, int] = {}
        self._words[0] = 1

    def _place(self, name: str, labels: Labels, kind: int) -> int | None:
        """Index of the number in the slot; None if there is no room for it."""
        place = self._places.get((name, labels))
        if place is not None:
            return place
        key = json.dumps([name, labels]).encode()
        used, length = self._words[0], len(key)
        end = used + 3 + -(-length // _WORD)
        if end > self._slot_words:
            return None
        place = used + 2
        self._words[used], self._words[used + 1], self._numbers[place] = length, kind, 0.0
        self._memory[(place + 1) * _WORD :][:length] = key
        self._words[0] = end  # last, because others may be reading
        self._places[name, labels] = place
        return place

    def _added_up(self) -> dict[Key, float]:
        totals: dict[Key, float] = {}
        for slot in [*self._slots, self._memory] if self._is_alone else self._slots:
            for key, (kind, value) in _numbers_in(slot).items():
                before = totals.get(key, 0.0)
                totals[key] = before + value if kind == _SUMMED else max(before, value)
        return totals


def _numbers_in(slot: memoryview) -> dict[Key, tuple[int, float]]:
    words, numbers = slot.cast("Q"), slot.cast("d")
    found: dict[Key, tuple[int, float]] = {}
    place, end = 1, words[0]
    while place < end:
        length, kind, value = words[place], words[place + 1], numbers[place + 2]
        start = (place + 3) * _WORD
        name, labels = json.loads(bytes(slot[start : start + length]))
        found[name, tuple(labels)] = kind, value
        place += 3 + -(-length // _WORD)
    return found


_of_this_service: SharedCounts | None = None


def share_counts(workers: int) -> SharedCounts:
    """In the master: create the counts that its workers share, unless they exist already, as after a reload."""
    global _of_this_service  # noqa: PLW0603 - the one value that is inherited by forking
    if _of_this_service is None:
        # Two slots per worker, because a reload starts new workers before it ends the old ones; plus one for the
        # master, one for the watcher, and one to spare.
        _of_this_service = SharedCounts(2 * workers + 3)
    return _of_this_service


def counts_of_this_service() -> SharedCounts:
    """Return the counts created by the master, or new ones for this process alone."""
    return _of_this_service or SharedCounts()
