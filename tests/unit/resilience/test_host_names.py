"""Host names are looked up on separate threads, so that DNS can't make a command exceed its time limit."""

import socket
import threading
import time
from dataclasses import dataclass, field

import pytest

from badge.resilience.host_names import FRESH_SECONDS, Address, HostNames
from tests.doubles import without_threads
from tests.servers import eventually


def address(number: int) -> Address:
    return Address(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 6379))


@dataclass
class Resolver:
    """A resolver that answers when `go` is set; `now` is its callers' clock."""

    answers: list[list[Address] | OSError]
    now: float = 0.0
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go.set()
        self.names = HostNames(self._ask, lambda: self.now)

    def _ask(self, host: str, port: int) -> list[Address]:
        assert port == 6379
        self.asked.append(host)
        assert self.go.wait(10)
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def addresses(self, seconds: float = 5.0) -> list[Address]:
        return self.names.addresses("redis.internal", 6379, seconds)


def test_a_silent_resolver_costs_each_command_its_time_limit_and_is_called_once() -> None:
    resolver = Resolver([[address(1)]])
    resolver.go.clear()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            resolver.addresses(0.02)
    assert time.monotonic() - began < 2
    assert resolver.asked == ["redis.internal"]
    resolver.go.set()
    assert resolver.addresses() == [address(1)]


def test_known_addresses_are_used_while_a_new_look_up_runs() -> None:
    resolver = Resolver([[address(1)], [address(2)]])
    assert resolver.addresses() == [address(1)]
    resolver.now = FRESH_SECONDS - 1
    assert resolver.addresses() == [address(1)]
    assert len(resolver.asked) == 1
    resolver.now = FRESH_SECONDS
    resolver.go.clear()
    assert resolver.addresses(0) == resolver.addresses(0) == [address(1)]
    resolver.go.set()
    assert eventually(lambda: resolver.addresses(0) == [address(2)])
    assert len(resolver.asked) == 2


def test_known_addresses_survive_a_failed_look_up() -> None:
    resolver = Resolver([[address(1)], OSError("no resolver"), [address(2)]])
    resolver.addresses()
    resolver.now = FRESH_SECONDS
    assert resolver.addresses() == [address(1)]
    assert eventually(lambda: len(resolver.answers) == 1)
    assert eventually(lambda: resolver.addresses() == [address(2)])


def test_an_unknown_name_raises_and_is_looked_up_again() -> None:
    resolver = Resolver([OSError("no such name"), [address(1)]])
    with pytest.raises(OSError, match="no such name"):
        resolver.addresses()
    assert resolver.addresses() == [address(1)]


def test_addresses_that_do_not_answer_are_dropped() -> None:
    resolver = Resolver([[address(1)], [address(2)]])
    resolver.addresses()
    resolver.names.drop("redis.internal", 6379)
    assert resolver.addresses() == [address(2)]


@pytest.mark.parametrize("name", ["a..b", f"{'x' * 64}.test"])
def test_an_impossible_name_counts_as_unknown(name: str) -> None:
    with pytest.raises(socket.gaierror, match="not a valid host name"):
        HostNames().addresses(name, 80, 5)


def test_a_numeric_address_needs_no_look_up() -> None:
    found = HostNames().addresses("127.0.0.1", 6379, 0)
    assert [item.socket_address for item in found] == [("127.0.0.1", 6379)]
    assert HostNames().addresses("::1", 6379, 0)[0].socket_address[:2] == ("::1", 6379)


def test_without_a_thread_it_fails_like_any_connection() -> None:
    resolver = Resolver([[address(1)]])
    with without_threads(), pytest.raises(OSError, match="thread"):
        resolver.addresses()
    assert resolver.addresses() == [address(1)]
