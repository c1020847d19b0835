"""Renews leases from one background thread per process, for as long as the fetches under them run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from badge.ports import Lease
from badge.resilience.per_process import PerProcess
from badge.resilience.worker_pool import start_thread

# A lease expires after a second, which leaves time for two renewals.
RENEWAL_SECONDS = 0.35


@dataclass
class _Held:
    """The leases that one process holds."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    leases: dict[str, Lease] = field(default_factory=dict)
    is_any: threading.Event = field(default_factory=threading.Event)
    has_thread: bool = False


class LeaseKeeper:
    """Renews held leases. If the process is killed or stopped, they expire and another process takes over."""

    def __init__(self, renew: Callable[[Lease], None], seconds: float = RENEWAL_SECONDS) -> None:
        self._renew = renew
        self._seconds = seconds
        self._held = PerProcess(_Held)

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Keep the lease alive while the block runs."""
        held = self._held.get()
        with held.lock:
            # If no thread can be started, this lease just expires after a second; the next call tries again.
            held.has_thread = held.has_thread or start_thread(lambda: self._keep(held), "leases")
            held.leases[lease.token] = lease
            held.is_any.set()
        try:
            yield
        finally:
            with held.lock:
                held.leases.pop(lease.token, None)
                if not held.leases:
                    held.is_any.clear()

    def _keep(self, held: _Held) -> None:
        pause = threading.Event()
        while True:
            held.is_any.wait()
            pause.wait(self._seconds)
            with held.lock:
                leases = list(held.leases.values())
            for lease in leases:
                self._renew(lease)
