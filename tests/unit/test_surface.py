"""No promise of docs/reference/stability.md changes unnoticed."""

from __future__ import annotations

import pytest

from tests.surface import Surface, recorded, surface

REMOVED = """These lines are gone, although programs may depend on them. If that is intended, follow the deprecation
policy in docs/reference/stability.md, announce the change in CHANGELOG.md, and run `make surface`."""
REQUIRED = "(required)"
ADDED = """These lines are new, or no longer required. If they are meant to be promised, run `make surface` and commit
the result. A new line that ends in "(required)" breaks existing clients, so make it optional instead."""


@pytest.fixture(scope="module")
def current() -> Surface:
    return surface()


def differences(new: Surface, old: Surface) -> list[str]:
    """Return the lines that only the first one has."""
    return [f"{kind}: {line}" for kind, lines in new.items() for line in lines if line not in old.get(kind, [])]


def test_nothing_that_is_promised_disappears_unannounced(current: Surface) -> None:
    gone = [line for line in differences(recorded(), current) if not line.endswith(REQUIRED)]
    assert not gone, "\n".join([REMOVED, *gone])


def test_what_is_new_is_recorded(current: Surface) -> None:
    no_longer_required = [line for line in differences(recorded(), current) if line.endswith(REQUIRED)]
    new = differences(current, recorded()) + no_longer_required
    assert not new, "\n".join([ADDED, *new])


@pytest.mark.parametrize(
    "line",
    [
        "routes: GET /badge/*",
        "query parameters: GET /badge/{owner}/{repository} max_age",
        "query parameters: style=flat-square",
        "requests: POST /ops/status/report application/json .platform (required)",
        "responses: GET /badge/{owner}/{repository} 200 application/json .recentRuns[].status = failed",
        "metrics: badge_requests_total format status origin",
        "metrics: backup_last_size_bytes platform account type name",
        "settings: BADGE_REDIS_URL_FILE",
        "settings: BADGE_DASHBOARD=token",
        "settings: BADGE_HOT_PATH means BADGE_EDGE_CACHE",
        "sources.toml: source .match.account",
        "sources.toml: preset = gitlab-schedule",
        "notify.toml: rule .events[] = overdue",
        "commands: badge check create --every (required)",
        "commands: badge doctor means check-config",
    ],
)
def test_the_surface_has_a_line_for_each_kind_of_promise(line: str, current: Surface) -> None:
    assert line in differences(current, {})
