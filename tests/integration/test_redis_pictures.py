"""PNGs in a real Valkey: shared by all processes, limited in number, never mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from badge.artwork import png
from badge.cache.redis.connection import connect
from badge.cache.redis.pictures import LONGEST_PICTURE, PICTURES_KEY, RedisPictureStore
from badge.events import CacheLost
from badge.model import Badge, Theme
from badge.web.badges.pictures import Pictures, picture_name
from tests.doubles import START, SharedCache
from tests.servers import ValkeyServer, needs, running_valkey

BADGE = Badge(label="backup", message="failed", colour="#b3201f")


class Rig:
    """A store for at most three pictures on its own server."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        shared = SharedCache(server.url, lambda: START, seconds=0.5)
        self.events = shared.events
        self.client = connect(server.url, timedelta(seconds=0.5), 4)
        self.store = RedisPictureStore(shared.commands, most=3)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_valkey(tmp_path) as server:
        yield Rig(server)


def test_a_stored_picture_can_be_read_back(rig: Rig) -> None:
    assert rig.store.get("one") is None
    assert rig.store.put("one", b"\x89PNG 1")
    assert rig.store.get("one") == b"\x89PNG 1"


def test_the_number_of_pictures_and_their_lifetime_are_limited(rig: Rig) -> None:
    assert [rig.store.put(str(number), b"picture") for number in range(5)] == [True, True, True, False, False]
    assert rig.client.hlen(PICTURES_KEY) == 3
    assert 0 < int(str(rig.client.pttl(PICTURES_KEY))) <= timedelta(days=1).total_seconds() * 1000
    assert not rig.store.put("0", b"x" * (LONGEST_PICTURE + 1))


@pytest.mark.parametrize("planted", [b"", b"two\npicture", b"picture", b"one"])
def test_a_damaged_or_foreign_picture_is_a_miss(rig: Rig, planted: bytes) -> None:
    rig.client.hset(PICTURES_KEY, "one", planted)
    assert rig.store.get("one") is None


def test_a_key_of_another_type_is_not_an_outage(rig: Rig) -> None:
    rig.client.set(PICTURES_KEY, "x")
    assert rig.store.get("one") is None
    assert not rig.store.put("one", b"picture")
    assert rig.events.seen == []


def test_a_lost_server_stores_nothing_and_is_reported_once(rig: Rig) -> None:
    rig.server.freeze()
    try:
        assert rig.store.get("one") is None
        assert not rig.store.put("one", b"picture")
    finally:
        rig.server.thaw()
    assert [type(event) for event in rig.events.seen].count(CacheLost) == 1


def test_pictures_are_shared_except_those_with_labels_from_the_url(rig: Rig) -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    drawn = Pictures(rig.store).png(BADGE, 2, is_shared=True)
    assert rig.store.get(picture_name(BADGE, 2)) == drawn
    assert rig.store.put(picture_name(BADGE, 1), b"\x89PNG of another process")
    assert Pictures(rig.store).png(BADGE, 1, is_shared=True) == b"\x89PNG of another process"
    assert Pictures(rig.store).png(BADGE, 1, is_shared=False) == png.draw(BADGE, 1)
    assert rig.client.hlen(PICTURES_KEY) == 2


def test_different_pictures_have_different_names() -> None:
    light = Badge(label="backup", message="failed", colour="#b3201f", theme=Theme.LIGHT)
    dark = Badge(label="backup", message="failed", colour="#b3201f", theme=Theme.DARK)
    assert picture_name(BADGE, 2) == picture_name(light, 2)
    assert len({picture_name(BADGE, 1), picture_name(BADGE, 2), picture_name(dark, 2)}) == 3
