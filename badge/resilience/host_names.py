"""Connections to hosts by name, with a time limit that includes the DNS look-up.

`getaddrinfo` has no timeout: if the DNS resolver is silent it blocks for ten seconds or more. So it runs on a thread
of its own, and callers wait for it only within their deadlines. Its result is used until a newer one is there, or until
none of its addresses answers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from badge.resilience.per_process import PerProcess
from badge.resilience.worker_pool import start_thread

# A name's addresses rarely change; if none of them answers, they are dropped at once.
FRESH_SECONDS = 30.0
# The time limit is divided among the addresses, so there must not be too many.
MOST_ADDRESSES = 4


class Address(NamedTuple):
    """One address, as returned by `socket.getaddrinfo`."""

    family: int
    kind: int
    protocol: int
    canonical_name: str
    socket_address: tuple[Any, ...]


def ask_system(host: str, port: int) -> list[Address]:
    """Look a name up with `getaddrinfo`; raises `OSError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one of over 63 characters (RFC 1035, section 2.3.4)
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from error
    return [Address(*address) for address in found]


class _LookUp:
    """One look-up, under way or finished."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.addresses: list[Address] = []
        self.error: OSError | None = None
        self.is_over = threading.Event()


def _no_look_ups() -> dict[tuple[str, int], _LookUp]:
    return {}


class HostNames:
    """Look-ups of one process.

    Unbounded, because only the configuration, Sentinels and Clusters name the hosts.
    """

    def __init__(
        self,
        resolve: Callable[[str, int], list[Address]] = ask_system,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], list[Address]] = {}
        self._last = PerProcess(_no_look_ups)  # look-up threads don't survive a fork

    def connect(self, host: str, port: int, left: Callable[[], float]) -> socket.socket:
        """Connect to the first address that answers; the returned socket's timeout is the time that remains.

        `left` returns the remaining seconds (above zero) or raises `TimeoutError`; they are divided among the
        addresses. Raises `OSError`: the last address's error, or `socket.gaierror` if the name does not exist.
        """
        error = OSError("the name has no address")
        addresses = self.addresses(host, port, left())[:MOST_ADDRESSES]
        for tried, address in enumerate(addresses):
            try:
                return _connected(address, left, len(addresses) - tried)
            except OSError as fault:
                error = fault
        self.drop(host, port)
        raise error

    def addresses(self, host: str, port: int, seconds: float) -> list[Address]:
        """Return a host's addresses; raises `OSError`, or `TimeoutError` if none are known within `seconds`."""
        if _is_numeric(host):
            return self._resolve(host, port)
        look_up = self._current_look_up(host, port)
        # Known addresses are used even if they have expired, because a look-up that replaces them is under way.
        if known := self._known.get((host, port)):
            return known
        if not look_up.is_over.wait(seconds):
            raise TimeoutError("the host name is still being looked up")
        if look_up.error is not None:
            raise look_up.error
        return look_up.addresses

    def drop(self, host: str, port: int) -> None:
        """Drop a host's addresses, so that the next call looks them up again."""
        with self._lock:
            self._known.pop((host, port), None)
            look_ups = self._last.get()
            if (last := look_ups.get((host, port))) is not None and last.is_over.is_set():
                del look_ups[host, port]

    def _current_look_up(self, host: str, port: int) -> _LookUp:
        """The last look-up if it is still under way or fresh, otherwise a new one."""
        with self._lock:
            look_ups = self._last.get()
            last = look_ups.get((host, port))
            if last is not None and (not last.is_over.is_set() or self._is_fresh(last)):
                return last
            look_up = look_ups[host, port] = _LookUp(self._monotonic())
            if not start_thread(lambda: self._run(host, port, look_up), "host-names"):
                del look_ups[host, port]
                look_up.error = OSError("no thread could be started to look up the host name")
                look_up.is_over.set()
            return look_up

    def _is_fresh(self, look_up: _LookUp) -> bool:
        return look_up.error is None and self._monotonic() - look_up.began < FRESH_SECONDS

    def _run(self, host: str, port: int, look_up: _LookUp) -> None:
        try:
            look_up.addresses = self._known[host, port] = self._resolve(host, port)
        except OSError as error:
            look_up.error = error
        finally:
            look_up.is_over.set()


def _connected(address: Address, left: Callable[[], float], still_to_try: int) -> socket.socket:
    with contextlib.ExitStack() as unless_connected:
        sock = socket.socket(address.family, address.kind, address.protocol)
        unless_connected.callback(sock.close)
        # Without Nagle's algorithm, as in urllib3, whose connections these replace.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(left() / still_to_try)
        sock.connect(address.socket_address)
        sock.settimeout(left())
        unless_connected.pop_all()
        return sock


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


HOST_NAMES = HostNames()
"""The instance that the service uses."""
