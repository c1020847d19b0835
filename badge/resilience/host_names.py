"""Connections to hosts by name, within a time that bounds the look-up too.

The system's own look-up can't be bounded: a resolver that is silent holds a thread for ten seconds and more.
So a thread of its own asks, whoever connects waits for it no longer than it may, and what was found serves until
it is of no use any more.
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

# A name's addresses change rarely, and those that no longer answer are dropped at once.
FRESH_SECONDS = 30.0
# Each gets its share of the time, so there must not be too many.
MOST_ADDRESSES = 4


class Address(NamedTuple):
    """One way to connect, as `socket.getaddrinfo` tells it."""

    family: int
    kind: int
    protocol: int
    canonical_name: str
    socket_address: tuple[Any, ...]


def ask_system(host: str, port: int) -> list[Address]:
    """What the system knows of a name; raises `OSError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one of over 63 characters (RFC 1035, section 2.3.4)
        raise socket.gaierror(socket.EAI_NONAME, "this can't be a host's name") from error
    return [Address(*address) for address in found]


class _LookUp:
    """One question to the system, under way or answered."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.addresses: list[Address] = []
        self.error: OSError | None = None
        self.is_over = threading.Event()


def _no_look_ups() -> dict[tuple[str, int], _LookUp]:
    return {}


class HostNames:
    """Of one process; there are as many as its settings name."""

    def __init__(
        self,
        ask: Callable[[str, int], list[Address]] = ask_system,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], list[Address]] = {}
        self._last = PerProcess(_no_look_ups)  # the threads that answer don't survive a fork

    def connect(self, host: str, port: int, left: Callable[[], float]) -> socket.socket:
        """A connection to the first address that answers, its timeout set to what is then left.

        `left` tells the seconds that remain, above zero, or raises `TimeoutError`. Each address gets a share of them.
        Raises `OSError`: what the last address failed with, `socket.gaierror` for a name that is not known.
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
        """Where to connect to; raises `OSError`, `TimeoutError` where nothing is known within so many seconds."""
        if _is_numeric(host):
            return self._ask(host, port)
        look_up = self._begun(host, port)
        if known := self._known.get((host, port)):
            return known
        if not look_up.is_over.wait(seconds):
            raise TimeoutError("the host's name is still being looked up")
        if look_up.error is not None:
            raise look_up.error
        return look_up.addresses

    def drop(self, host: str, port: int) -> None:
        """None of the addresses answers: look for others."""
        with self._lock:
            self._known.pop((host, port), None)
            look_ups = self._last.get()
            if (last := look_ups.get((host, port))) is not None and last.is_over.is_set():
                del look_ups[host, port]

    def _begun(self, host: str, port: int) -> _LookUp:
        """The last question, if it is under way or what it brought is fresh; else a new one."""
        with self._lock:
            look_ups = self._last.get()
            last = look_ups.get((host, port))
            if last is not None and (not last.is_over.is_set() or self._is_fresh(last)):
                return last
            look_up = look_ups[host, port] = _LookUp(self._monotonic())
            if not start_thread(lambda: self._answer(host, port, look_up), "host-names"):
                del look_ups[host, port]
                look_up.error = OSError("there is no thread to look the host's name up")
                look_up.is_over.set()
            return look_up

    def _is_fresh(self, look_up: _LookUp) -> bool:
        return look_up.error is None and self._monotonic() - look_up.began < FRESH_SECONDS

    def _answer(self, host: str, port: int, look_up: _LookUp) -> None:
        try:
            look_up.addresses = self._known[host, port] = self._ask(host, port)
        except OSError as error:
            look_up.error = error
        finally:
            look_up.is_over.set()


def _connected(address: Address, left: Callable[[], float], still_to_try: int) -> socket.socket:
    with contextlib.ExitStack() as unless_connected:
        sock = socket.socket(address.family, address.kind, address.protocol)
        unless_connected.callback(sock.close)
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
"""This process' own."""
