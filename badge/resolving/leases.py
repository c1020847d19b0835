"""Holds leases for as long as the work under them lasts, from one thread of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from badge.ports import Lease
from badge.resilience.worker_pool import start_thread

# A lease runs out after a second; three chances to renew it before that.
RENEWAL_SECONDS = 0.35


class LeaseKeeper:
    """Renews what is held. A holder that is killed, or stopped, renews no more, and another takes over."""

    def __init__(self, renew: Callable[[Lease], None], seconds: float = RENEWAL_SECONDS) -> None:
        self._renew = renew
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._process = 0

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Keep the lease while the block runs."""
        with self._lock:
            if self._process != os.getpid():  # a fork's parent keeps its own
                self._held, self._wake = {}, threading.Event()
                if start_thread(self._keep, "leases"):  # else it is held for a second, and the next one tries again
                    self._process = os.getpid()
            self._held[lease.token] = lease
            self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(lease.token, None)
                if not self._held:
                    self._wake.clear()

    def _keep(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait()
            pause.wait(self._seconds)
            with self._lock:
                held = list(self._held.values())
            for lease in held:
                self._renew(lease)
