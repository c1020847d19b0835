"""Private subjects can't be told from absent ones without a token: not by bytes, headers, time, reports or outages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from badge.app import CatalogueParts, build_app, build_parts
from badge.catalogue.keys import Scope
from badge.events import FailureKind
from badge.model import Report, Subject, Visibility
from badge.ports import SourceUnavailable
from badge.settings import load
from tests.doubles import ManualClock, OneProcess, ScriptedSource
from tests.migrated import migrate
from tests.site import SUCCEEDED

PRIVATE, ABSENT, OTHER = "acme/hidden", "acme/absent", "acme/public"
PATHS = (
    "{}",
    "{}.png",
    "{}.json",
    "{}.txt",
    "{}?strict=1",
    "{}?format=shields",
    "{}.json?expect=succeeded&max_age=1h",
    "{}?show=age&style=for-the-badge&cacheSeconds=600",
    "{}.txt?token=wrong",
    "{}.json?token=bst_AAAAAAAAAAAAAAAAAAAAAA",
)
MOMENTS = [0, 0.2, 0.6, 5, 29, 31, 55, 61, 119, 121, 3_599, 3_605, 86_399, 86_405, 8 * 86_400]


class TickingClock(ManualClock):
    """A clock that advances each time it is read, as real ones do."""

    def __call__(self) -> datetime:
        self.advance(microseconds=1)
        return self.now


def seen(client: FlaskClient, subject: str) -> list[object]:
    """Return everything that a client gets for a subject: all formats, HEAD, and the answer to its own ETag."""
    answers: list[object] = []
    for path in PATHS:
        target = "/badge/" + path.format(subject)
        for method in ("GET", "HEAD"):
            answer = client.open(target, method=method, environ_overrides={"RAW_URI": target})
            tag = {"If-None-Match": answer.headers.get("ETag", "")}
            again = client.open(target, method=method, headers=tag, environ_overrides={"RAW_URI": target})
            for each in (answer, again):
                headers = {name: value for name, value in each.headers.items() if name != "X-Request-ID"}
                answers.append((path, method, each.status_code, headers, each.data))
    return answers


@dataclass
class Catalogued:
    """A service with a catalogue, in which one of the two subjects is private."""

    client: FlaskClient
    own: CatalogueParts
    clock: ManualClock
    key: str

    def report(self, status: str, **fields: str) -> None:
        coordinates = {"platform": "GitHub", "account": "acme", "subjectType": "Repository", "subjectName": "hidden"}
        body = {**coordinates, "status": status, "visibility": "private", **fields}
        answer = self.client.post("/ops/status/report", json=body, headers={"X-API-Key": self.key})
        assert answer.get_json()["applied"]


@pytest.fixture(params=["0", "500ms"], ids=["no-edge-cache", "edge-cache"])
def catalogued(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogued]:
    clock = TickingClock()
    settings = load({"BADGE_DATA_DIR": str(tmp_path), "BADGE_EDGE_CACHE": request.param})
    migrate(settings.catalogue_location)
    with closing(build_parts(settings, cache=OneProcess(clock), clock=clock, jitter=lambda: 0.5)) as parts:
        assert parts.catalogue is not None
        key = parts.catalogue.keys.create("ci", {Scope.REPORT})
        yield Catalogued(build_app(parts).test_client(), parts.catalogue, clock, key)


def test_they_look_the_same_over_time_and_after_reports(catalogued: Catalogued) -> None:
    start, seen_so_far = catalogued.clock.now, []
    soon, later = start + timedelta(seconds=40), start + timedelta(minutes=3)
    statuses = ["scheduled", "inProgress", "failed", "inProgress", "succeeded", "deleted", "succeeded"]
    catalogued.report("succeeded", nextRunAt=f"{soon:%FT%TZ}", staleAfter=f"{later:%FT%TZ}")
    for number, moment in enumerate(MOMENTS):
        catalogued.clock.now = max(catalogued.clock.now, start + timedelta(seconds=moment))
        if number % 2:
            catalogued.report(statuses[number // 2])
        order = random.sample([PRIVATE, ABSENT], 2)
        answers = {subject: seen(catalogued.client, subject) for subject in order}
        assert answers[PRIVATE] == answers[ABSENT]
        seen_so_far.append(answers[ABSENT])
    # Over time, the answers don't change either.
    assert all(answers == seen_so_far[0] for answers in seen_so_far)


@dataclass
class Scripted:
    """A service whose source knows a private subject, a public one, and no other."""

    is_local: bool
    is_out: bool = False
    clock: ManualClock = field(default_factory=TickingClock)

    def __post_init__(self) -> None:
        source = ScriptedSource(self._answer, local=self.is_local)
        settings = load({"BADGE_EDGE_CACHE": "500ms", "BADGE_SECRET_KEY": "k" * 32})
        cache = OneProcess(self.clock)
        app = build_app(build_parts(settings, source=source, cache=cache, clock=self.clock, jitter=lambda: 0.5))
        self.client = app.test_client()

    def _answer(self, subject: Subject) -> Report:
        if self.is_out:
            raise SourceUnavailable(FailureKind.TIMEOUT)
        if subject.name == "absent":
            return Report.absent(self.clock())
        visibility = Visibility.PRIVATE if subject.name == "hidden" else Visibility.PUBLIC
        return replace(SUCCEEDED, observed_at=self.clock(), visibility=visibility)


@pytest.mark.parametrize("warmed_seconds_apart", [0, 30])
def test_they_look_the_same_during_an_outage(warmed_seconds_apart: int) -> None:
    scripted = Scripted(is_local=True)
    client, start = scripted.client, scripted.clock.now
    seen(client, PRIVATE)
    scripted.clock.advance(seconds=warmed_seconds_apart)
    before = seen(client, ABSENT)
    scripted.is_out = True
    scripted.clock.advance(seconds=1)
    during: list[list[object]] = []
    for moment in (1, 5, 14, 16, 40, 62, 100, 200, 4_000, 90_000):
        scripted.clock.now = max(scripted.clock.now, start + timedelta(seconds=warmed_seconds_apart + moment))
        client.get(f"/badge/{OTHER}?v={moment}")  # some other badge's request notices the outage
        answers = {subject: seen(client, subject) for subject in random.sample([PRIVATE, ABSENT], 2)}
        assert answers[PRIVATE] == answers[ABSENT]
        during.append(answers[ABSENT])
    assert during[0] != before
    assert all(answers == during[0] for answers in during)


def test_they_look_the_same_from_a_remote_source() -> None:
    scripted = Scripted(is_local=False)
    first = {subject: seen(scripted.client, subject) for subject in (PRIVATE, ABSENT)}
    for seconds in (30, 31, 3_000, 300_000):
        scripted.clock.advance(seconds=seconds)
        for subject in (ABSENT, PRIVATE):
            assert seen(scripted.client, subject) == first[ABSENT] == first[PRIVATE]
