"""Which answers the badge routes give to the edge cache: public ones that show a source's report."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from badge.app import edge_around
from badge.model import BackupStatus, Report
from tests import asgi
from tests.asgi import Answer
from tests.doubles import START
from tests.site import SUCCEEDED, Site

WEB = "/badge/acme/web.txt"
FAILED = replace(SUCCEEDED, status=BackupStatus.FAILED)


@pytest.fixture
def with_edge() -> Site:
    return Site(edge_cache="500ms")


def ask(site: Site, path: str) -> str:
    answer = through_edge(site, path)
    return answer.body.decode() if answer.code == 200 else str(answer.code)


def through_edge(site: Site, path: str) -> Answer:
    return asyncio.run(asgi.ask(edge_around(site.app), path))


def seen_before_and_after(site: Site, before: Report | None, after: Report | None, path: str = WEB) -> list[str]:
    """Return the answers before and after a change at the source, within the edge cache's half second."""
    site.says = before
    seen = [ask(site, path)]
    site.says = after
    site.clock.advance(hours=2)
    return [*seen, ask(site, path)]


def test_a_good_answer_is_stored(with_edge: Site) -> None:
    assert seen_before_and_after(with_edge, SUCCEEDED, FAILED) == ["succeeded\n", "succeeded\n"]


def test_without_the_edge_cache_it_is_not_stored(site: Site) -> None:
    assert seen_before_and_after(site, SUCCEEDED, FAILED) == ["succeeded\n", "failed\n"]


def test_an_unknown_status_is_not_stored(with_edge: Site) -> None:
    assert seen_before_and_after(with_edge, None, SUCCEEDED) == ["503", "succeeded\n"]
    image = "/badge/acme/api"
    with_edge.says = None
    assert "unknown" in ask(with_edge, image)
    with_edge.says = SUCCEEDED
    with_edge.clock.advance(hours=2)
    assert "succeeded" in ask(with_edge, image)


def test_an_error_status_is_not_stored(with_edge: Site) -> None:
    assert seen_before_and_after(with_edge, Report.absent(START), SUCCEEDED) == ["404", "succeeded\n"]


def test_answers_for_a_token_are_not_stored(with_edge: Site) -> None:
    assert seen_before_and_after(with_edge, SUCCEEDED, FAILED, WEB + "?token=x") == ["succeeded\n", "failed\n"]


def test_a_stored_answer_differs_only_in_its_cache_status(with_edge: Site) -> None:
    path = "/badge/acme/web"
    first, again = (through_edge(with_edge, path) for _ in range(2))
    assert first.body == again.body
    assert first.headers["Cache-Status"] == "backup-status-badge; fwd=miss; stored"
    assert again.headers["Cache-Status"].startswith("backup-status-badge; hit; ttl=")
    differing = {name for name, value in first.headers.items() if again.headers[name] != value}
    assert differing <= {"Cache-Status", "Cache-Control"}
    assert first.headers.keys() == again.headers.keys()
