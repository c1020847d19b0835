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


def test_faults_of_settings_and_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    sources, notify = tmp_path / "sources.toml", tmp_path / "notify.toml"
    sources.write_text("[[sauce]]\n")
    notify.write_text("[[chanel]]\n")
    files = {"BADGE_SOURCES": str(sources), "BADGE_NOTIFY": str(notify)}
    done = run_badge("check-config", **files, BADGE_THREADS="0", BADGE_WORKERS="many")
    faults = [line for line in done.output.splitlines() if line.startswith("FAIL settings  ")]
    for start in ("BADGE_THREADS: ", "BADGE_WORKERS: ", "sources.toml: sauce ", "notify.toml: chanel "):
        assert any(line.startswith(f"FAIL settings  {start}") for line in faults), done.output
    assert done.exit_code == 2


def test_the_faults_of_a_file_are_not_reported_if_its_setting_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text("[[sauce]]\n")
    settings = {"BADGE_SOURCES": str(tmp_path / "sources.toml"), "BADGE_UPSTREAM_URL": "http://127.0.0.1:9"}
    output = run_badge("check-config", **settings).output
    assert "FAIL settings  BADGE_SOURCES: can't be combined with BADGE_UPSTREAM_URL" in output
    assert "sauce" not in output


def test_former_names_of_settings_are_noted(tmp_path: Path) -> None:
    assert "BADGE_HOT_PATH has been renamed to BADGE_EDGE_CACHE" in notes(tmp_path, BADGE_HOT_PATH="200ms")
