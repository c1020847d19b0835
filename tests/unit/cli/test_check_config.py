"""What `badge check-config` notes about configurations that work."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import run_badge
from tests.webhook_receiver import SECRET

SOURCE = """
[[source]]
name = "lab"
preset = "gitlab-schedule"
url = "http://127.0.0.1:9"
values = {{ schedule = "1" }}
auth.value = "file:{folder}/token"
match = {{ platform = "GitHub", account = "acme", type = "Repository" }}
"""


def notes(folder: Path, **settings: str) -> str:
    (folder / "token").write_text("s3cret")
    (folder / "sources.toml").write_text(SOURCE.format(folder=folder))
    files = {"BADGE_DATA_DIR": str(folder / "data"), "BADGE_SOURCES": str(folder / "sources.toml")}
    return run_badge("check-config", **files, BADGE_REDIS_URL="redis://127.0.0.1:9", **settings).output


def test_deployments_that_could_share_statuses_by_mistake_are_noted(tmp_path: Path) -> None:
    assert "the two would share the statuses of lab: set BADGE_PUBLIC_URL" in notes(tmp_path)
    assert "would share" not in notes(tmp_path, BADGE_PUBLIC_URL="https://badges.example.org")


def test_notifications_are_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text('[[channel]]\nname = "ops"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "env:HOOK"\n')
    assert "ok   notify    ops: valid" in notes(tmp_path, BADGE_NOTIFY=str(file), HOOK=SECRET)
    assert "FAIL settings  notify.toml: ops: secret: set the environment variable HOOK" in notes(
        tmp_path, BADGE_NOTIFY=str(file), HOOK=""
    )


def test_former_names_of_settings_are_noted(tmp_path: Path) -> None:
    assert "BADGE_HOT_PATH is a former name of BADGE_EDGE_CACHE" in notes(tmp_path, BADGE_HOT_PATH="200ms")
