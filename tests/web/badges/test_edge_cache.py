"""Which answers the layer in front of Flask is given to hold: public ones that a source stands behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from badge.model import BackupStatus, Report
from tests.doubles import START
from tests.site import SUCCEEDED, Site

WEB = "/badge/acme/web.txt"
FAILED = replace(SUCCEEDED, status=BackupStatus.FAILED)


@pytest.fixture
def held() -> Site:
    return Site(edge_cache="500ms")


def ask(site: Site, path: str) -> str:
    answer = site.get(path, environ_overrides={"RAW_URI": path})
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def seen_before_and_after(site: Site, before: Report | None, after: Report | None, path: str = WEB) -> list[str]:
    """What is answered within half a second, while the source's word changes and is known to have changed."""
    site.says = before
    seen = [ask(site, path)]
    site.says = after
    site.clock.advance(hours=2)
    return [*seen, ask(site, path)]


def test_a_good_answer_is_held(held: Site) -> None:
    assert seen_before_and_after(held, SUCCEEDED, FAILED) == ["succeeded\n", "succeeded\n"]


def test_without_the_layer_it_is_not(site: Site) -> None:
    assert seen_before_and_after(site, SUCCEEDED, FAILED) == ["succeeded\n", "failed\n"]


def test_the_lack_of_an_answer_is_not_held(held: Site) -> None:
    assert seen_before_and_after(held, None, SUCCEEDED) == ["503", "succeeded\n"]
    image = "/badge/acme/api"
    held.says = None
    assert "unknown" in ask(held, image)
    held.says = SUCCEEDED
    held.clock.advance(hours=2)
    assert "succeeded" in ask(held, image)


def test_an_answer_with_an_error_s_code_is_not_held(held: Site) -> None:
    assert seen_before_and_after(held, Report.absent(START), SUCCEEDED) == ["404", "succeeded\n"]


def test_what_was_asked_for_with_a_token_is_not_held(held: Site) -> None:
    assert seen_before_and_after(held, SUCCEEDED, FAILED, WEB + "?token=x") == ["succeeded\n", "failed\n"]


def test_a_held_answer_is_the_same_one_but_for_its_own_word_about_the_cache(held: Site) -> None:
    path = "/badge/acme/web"
    first, again = (held.get(path, environ_overrides={"RAW_URI": path}) for _ in range(2))
    assert first.data == again.data
    assert first.headers["Cache-Status"] == "backup-status-badge; fwd=miss; stored"
    assert again.headers["Cache-Status"].startswith("backup-status-badge; hit; ttl=")
    differing = {name for name, value in first.headers if again.headers[name] != value}
    assert differing <= {"Cache-Status", "Cache-Control"}
    assert set(first.headers.keys()) == set(again.headers.keys())
