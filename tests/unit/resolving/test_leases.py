"""Leases are renewed exactly as long as the work under them lasts."""

import threading
from datetime import UTC, datetime

from badge.ports import Lease
from badge.resolving.leases import LeaseKeeper
from tests.doubles import without_threads
from tests.servers import eventually

LEASE = Lease(("github", "acme", "repository", "web"), "token", datetime(2026, 11, 23, tzinfo=UTC))


def test_held_leases_are_renewed_and_released_ones_are_not() -> None:
    renewed: list[Lease] = []
    keeper = LeaseKeeper(renewed.append, seconds=0.01)
    with keeper.holding(LEASE):
        assert eventually(lambda: len(renewed) >= 3)
    pause = threading.Event()
    pause.wait(0.05)  # for a renewal that was under way
    count = len(renewed)
    pause.wait(0.1)
    assert len(renewed) == count


def test_one_thread_renews_all_leases() -> None:
    renewed: list[Lease] = []
    keeper = LeaseKeeper(renewed.append, seconds=0.01)
    other = Lease(("github", "acme", "repository", "api"), "other", LEASE.began)
    before = threading.active_count()
    with keeper.holding(LEASE), keeper.holding(other):
        assert eventually(lambda: {lease.token for lease in renewed} == {"token", "other"})
        assert threading.active_count() == before + 1


def test_without_a_thread_the_work_goes_on_and_the_next_lease_is_renewed_again() -> None:
    renewed: list[Lease] = []
    keeper = LeaseKeeper(renewed.append, seconds=0.01)
    with without_threads(), keeper.holding(LEASE):
        assert renewed == []
    with keeper.holding(LEASE):
        assert eventually(lambda: len(renewed) >= 1)
