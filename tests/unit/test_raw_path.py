"""The path prefix is removed from raw request targets byte for byte."""

from __future__ import annotations

import pytest

from badge.raw_path import without_prefix


@pytest.mark.parametrize(
    ("target", "own"),
    [
        ("/backups/badge/acme/web", "/badge/acme/web"),
        ("/backups/badge/GitLab/a%2Fb/Repository/c%20d", "/badge/GitLab/a%2Fb/Repository/c%20d"),
        ("/backups/badge/acme/web?next=/backups/", "/badge/acme/web?next=/backups/"),
        ("/backups/backups/x", "/backups/x"),
        ("/backups//badge/acme/web", "//badge/acme/web"),
        ("/backups/", "/"),
        ("/backups", "/"),
        ("/backups?subject=acme/web", "/?subject=acme/web"),
        ("http://example.org/backups/badge/acme/web?v=1", "/badge/acme/web?v=1"),
        ("HTTPS://u:p@[::1]:8/backups", "/"),
        ("/backupsx/badge/acme/web", None),
        ("/backups%2Fbadge/acme/web", None),
        ("/%62ackups/badge/acme/web", None),
        ("/Backups/badge/acme/web", None),
        ("//backups/badge/acme/web", None),
        ("/badge/acme/web", None),
        ("/", None),
        ("", None),
        ("*", None),
        ("http://backups/badge/acme/web", None),
        ("http://[bad/backups/badge/acme/web", "/badge/acme/web"),
    ],
)
def test_a_prefix_is_removed_once_and_byte_for_byte(target: str, own: str | None) -> None:
    assert without_prefix(target, "/backups") == own


def test_at_the_root_there_is_nothing_to_remove() -> None:
    assert without_prefix("/badge/acme/web", "") is None


def test_a_prefix_may_have_several_segments() -> None:
    assert without_prefix("/a/b/badge/acme/web", "/a/b") == "/badge/acme/web"
    assert without_prefix("/a/badge/acme/web", "/a/b") is None
