"""Login links, sessions and the limits on failed logins, on each database that can hold them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from badge.catalogue.logins import ALL_ADDRESSES, MOST_STORED, WINDOW, Logins, LoginThrottle
from badge.catalogue.schema import login_attempts, logins
from tests.doubles import ManualClock
from tests.store import Store

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stored(store: Store, clock: ManualClock) -> Logins:
    return Logins(store.catalogue.database, clock)


@pytest.fixture
def throttle(store: Store, clock: ManualClock) -> LoginThrottle:
    return LoginThrottle(store.catalogue.database, clock, most_failures=3)


def rows(stored: Logins | LoginThrottle) -> int:
    table = logins if isinstance(stored, Logins) else login_attempts
    with stored.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_link_opens_only_one_session_even_if_used_concurrently(stored: Logins) -> None:
    link = stored.make_link(HOUR)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: stored.open_session_by_link(link, "link", HOUR), range(8)))
    sessions = [session for session in opened if session is not None]
    assert len(sessions) == 1
    assert stored.has_session(sessions[0], "link")


def test_a_link_expires_and_an_invalid_one_never_works(stored: Logins, clock: ManualClock) -> None:
    link = stored.make_link(HOUR)
    assert stored.open_session_by_link("", "link", HOUR) is None
    assert stored.open_session_by_link(link + "x", "link", HOUR) is None
    clock.advance(seconds=3600)
    assert stored.open_session_by_link(link, "link", HOUR) is None


def test_a_session_ends_by_expiry_by_logout_and_with_its_credential(stored: Logins, clock: ManualClock) -> None:
    first, second = (stored.open_session("token", HOUR) for _ in range(2))
    assert not stored.has_session(first, "new token")
    stored.end_session(first, "token")
    assert (stored.has_session(first, "token"), stored.has_session(second, "token")) == (False, True)
    clock.advance(seconds=3600)
    assert not stored.has_session(second, "token")


def test_a_link_is_not_a_session_and_a_session_is_not_a_link(stored: Logins) -> None:
    assert not stored.has_session(stored.make_link(HOUR), "")
    assert stored.open_session_by_link(stored.open_session("", HOUR), "", HOUR) is None


def test_only_hashes_are_stored_and_expired_ones_are_deleted(stored: Logins, clock: ManualClock) -> None:
    secrets = [stored.make_link(HOUR), stored.open_session("token", HOUR)]
    with stored.database.reading() as connection:
        assert not set(secrets) & set(connection.execute(select(logins.c.digest)).scalars())
    clock.advance(seconds=3600)
    stored.make_link(HOUR)
    assert rows(stored) == 1


def test_the_number_of_stored_logins_is_limited(stored: Logins) -> None:
    filler = [{"digest": f"{number:064}", "expires_at": stored.clock() + HOUR} for number in range(MOST_STORED)]
    with stored.database.writing() as connection:
        connection.execute(logins.insert(), filler)
    session = stored.open_session("token", 2 * HOUR)
    assert rows(stored) == MOST_STORED
    assert stored.has_session(session, "token")


def test_too_many_failures_from_an_address_are_refused_until_the_oldest_expires(
    throttle: LoginThrottle, clock: ManualClock
) -> None:
    for _ in range(3):
        assert throttle.begin("192.0.2.1") is None
        clock.advance(seconds=60)
    assert throttle.begin("192.0.2.1") == WINDOW - timedelta(minutes=3)
    assert throttle.begin("192.0.2.2") is None
    clock.advance(seconds=7 * 60 + 1)
    assert throttle.begin("192.0.2.1") is None
    assert throttle.begin("192.0.2.1") is not None


def test_too_many_failures_from_all_addresses_are_refused_and_not_stored(throttle: LoginThrottle) -> None:
    most = 3 * ALL_ADDRESSES
    for number in range(most):
        assert throttle.begin(f"192.0.2.{number}") is None
    assert throttle.begin("198.51.100.1") == WINDOW
    assert rows(throttle) == most


def test_a_success_clears_the_failures_of_its_address(throttle: LoginThrottle) -> None:
    for _ in range(2):
        throttle.begin("192.0.2.1")
    throttle.begin("192.0.2.2")
    throttle.succeeded("192.0.2.1")
    assert rows(throttle) == 1


def test_attempts_from_before_the_clock_was_set_back_do_not_count(throttle: LoginThrottle, clock: ManualClock) -> None:
    clock.advance(seconds=86_400)
    for _ in range(3):
        throttle.begin("192.0.2.1")
    clock.advance(seconds=-86_400)
    assert throttle.begin("192.0.2.1") is None
    assert rows(throttle) == 1


def test_concurrent_guesses_are_counted_too(throttle: LoginThrottle) -> None:
    with ThreadPoolExecutor(4) as pool:
        admitted = [wait is None for wait in pool.map(lambda _: throttle.begin("192.0.2.1"), range(16))]
    is_sqlite = throttle.database.url.startswith("sqlite")
    assert 3 <= admitted.count(True) <= (3 if is_sqlite else 3 + 4)
