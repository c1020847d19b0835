"""What a URL can choose: values from closed lists, where bad ones are ignored; never the status or its colour."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from badge.app import build_app, build_parts
from badge.appearance import Look
from badge.artwork import png
from badge.cache.memory import MemoryStatusCache
from badge.deadline import Deadline
from badge.model import BackupStatus, Badge, Report
from badge.settings import load
from badge.web.badges.answer import answer, unknown_for
from badge.web.badges.pictures import Pictures
from badge.web.badges.request import BadgeRequest, Format
from tests.doubles import START
from tests.servers import needs
from tests.site import SUCCEEDED, Site

WEB = "/badge/acme/web"


def drawn(site: Site, query: str = "") -> bytes:
    return bytes(site.get(f"{WEB}?{query}").data)


@pytest.mark.parametrize(
    ("query", "mark"),
    [
        ("style=flat-square", b"crispEdges"),
        ("style=plastic", b'height="18"'),
        ("style=for-the-badge", b"SUCCEEDED"),
        ("style=social", b"Helvetica"),
        ("palette=shields", b"#44bb00"),
        ("palette=classic", b"#44cc11"),
        ("theme=dark", b'fill="#444c56"'),
        ("lang=de", b"Backup: erfolgreich"),
        ("lang=ar", b'lang="ar"'),
        ("icon=on", b"<path"),
        ("logo=shield", b"<path"),
    ],
)
def test_each_choice_is_visible(site: Site, query: str, mark: bytes) -> None:
    assert mark in drawn(site, query)
    assert mark not in drawn(site)


@pytest.mark.parametrize(
    "query",
    [
        "style=../../etc/passwd",
        "style=FLAT",
        "palette=neon",
        "logo=https://evil.example/x.svg",
        "logo=data:image/png;base64,AAAA",
        "icon=maybe",
        "show=everything",
        "max_age=yesterday",
        "color=red",
        "message=succeeded",
        "status=failed",
        "labelColor=red",
        "cacheSeconds=soon",
        "v=2",
    ],
)
def test_a_bad_or_unknown_value_changes_nothing(site: Site, query: str) -> None:
    assert drawn(site, query) == drawn(site)


def test_an_old_success_is_overdue_on_the_image_and_503_to_a_monitor(site: Site) -> None:
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(days=3))
    assert b"backup: overdue 2d" in drawn(site, "max_age=24h")
    assert site.get(f"{WEB}?max_age=24h&expect=succeeded&strict=1").status_code == 503


def test_the_json_has_the_text_of_the_picture(site: Site) -> None:
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(hours=3))
    document = site.get(f"{WEB}.json?show=age&label=nightly").get_json()
    assert (document["status"], document["label"], document["message"]) == ("succeeded", "nightly", "succeeded 3h ago")


# The keys that we send to shields' endpoint badge, which rejects unknown ones.
SHIELDS_KEYS = {"schemaVersion", "label", "message", "color", "isError", "cacheSeconds"}


@pytest.mark.parametrize(("says", "is_error"), [(SUCCEEDED, False), (Report.absent(START), False), (None, True)])
def test_shields_endpoint_badge_can_read_it(site: Site, says: Report | None, *, is_error: bool) -> None:
    site.says = says
    answer = site.get(f"{WEB}?format=shields")
    document = answer.get_json()
    assert (answer.status_code, set(document)) == (200, SHIELDS_KEYS)
    assert (document["schemaVersion"], document["isError"], document["cacheSeconds"]) == (1, is_error, 300)
    assert len(document["color"]) == 6


def test_shields_is_not_a_suffix(site: Site) -> None:
    site.get("/badge/acme/web.shields")
    assert site.source.asked[0][0].name == "web.shields"


def max_age(site: Site, query: str) -> int:
    return int(site.get(f"{WEB}?{query}").headers["Cache-Control"].split("max-age=")[1].split(",")[0])


def test_a_client_can_lengthen_the_lifetime_of_good_answers_only(site: Site) -> None:
    assert max_age(site, "cacheSeconds=1000") == 1000
    assert max_age(site, "cacheSeconds=5") == 120
    assert max_age(site, "cacheSeconds=999999") == 3600  # then the picture would show its age
    site.says = Report.absent(START)
    site.clock.advance(minutes=3)
    assert max_age(site, "cacheSeconds=1000") == 60
    site.says = None
    site.clock.advance(minutes=3)
    assert max_age(site, "cacheSeconds=1000") == 15


def test_an_answer_expires_when_its_text_changes(site: Site) -> None:
    site.says = replace(SUCCEEDED, finished_at=START - timedelta(minutes=59))
    assert max_age(site, "show=age") == 60
    site.says = replace(
        SUCCEEDED, status=BackupStatus.SUCCEEDED, finished_at=START - timedelta(minutes=119, seconds=30)
    )
    site.clock.advance(minutes=3)
    assert max_age(site, "max_age=3h&cacheSeconds=9999") == 3450


@dataclass
class SharedPictures:
    """A picture store in a dictionary."""

    stored: dict[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> bytes | None:
        return self.stored.get(name)

    def put(self, name: str, picture: bytes) -> bool:
        self.stored[name] = picture
        return True


def test_pictures_with_a_client_s_label_are_not_shared(site: Site) -> None:
    needs(f"PNG: {png.fault_of_this_machine()}", is_there=png.fault_of_this_machine() is None)
    shared = SharedPictures()
    parts = build_parts(load({}), source=site.source, cache=MemoryStatusCache(site.clock), clock=site.clock)
    assert parts.pictures is None
    client = build_app(replace(parts, pictures=shared)).test_client()
    assert client.get(f"{WEB}.png?label=mine").data.startswith(b"\x89PNG")
    assert client.get(f"{WEB}.png?label=").data.startswith(b"\x89PNG")
    assert shared.stored == {}
    drawn = client.get(f"{WEB}.png?lang=de&style=plastic").data
    assert list(shared.stored.values()) == [drawn]


class Busy(Pictures):
    """Draws nothing, because other threads are always drawing; records how long each caller would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.patiences: list[float] = []

    def png(self, badge: Badge, scale: int, *, is_shared: bool, patience: float = png.PATIENCE_SECONDS) -> bytes:
        self.patiences.append(patience)
        raise png.PngUnavailable("other threads are drawing")


def test_time_spent_waiting_for_the_source_shortens_the_wait_for_drawing(site: Site) -> None:
    wanted = BadgeRequest(subject=None, format=Format.PNG, look=Look(label="backup"), is_strict=False)
    resolution, busy = unknown_for(timedelta(seconds=5), site.clock()), Busy()
    for left in (1.8, 0.1, 0.0):
        made = answer(wanted, resolution, busy, Deadline(left, lambda: 0.0))
        assert made.body == png.predrawn("unknown")
    assert busy.patiences == [png.PATIENCE_SECONDS, 0.1, 0.0]
