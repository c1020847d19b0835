"""Under a path prefix, the URLs that commands print begin with it, and those that people paste may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import run_badge
from tests.migrated import migrate

URL = "https://example.org/backups"
WEB = "GitHub/acme/Repository/web"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    migrate(f"sqlite:///{tmp_path / 'catalogue.sqlite3'}")
    return {"BADGE_DATA_DIR": str(tmp_path), "BADGE_PUBLIC_URL": URL}


def test_printed_urls_begin_with_the_prefix(settings: dict[str, str]) -> None:
    created = json.loads(run_badge("check", "create", "acme/web", "--every", "24h", "--json", **settings).stdout)
    assert created["pingUrl"].startswith(f"{URL}/ping/")
    assert created["badgeUrl"] == f"{URL}/badge/{WEB}"
    assert run_badge("login-link", **settings).stdout.startswith(f"{URL}/login?link=")
    assert run_badge("url", "acme/web", **settings).stdout == f"{URL}/badge/{WEB}\n"
    markdown = run_badge("url", "acme/web", "--format", "markdown", **settings).stdout
    assert markdown == f"[![Backup status of acme/web]({URL}/badge/{WEB})]({URL}/status/{WEB})\n"


@pytest.mark.parametrize("pasted", [f"{URL}/badge/acme/web.svg", f"{URL}/status/{WEB}", f"/backups/dashboard/{WEB}"])
def test_a_subject_may_be_a_pasted_url_with_the_prefix(settings: dict[str, str], pasted: str) -> None:
    assert run_badge("url", pasted, **settings).stdout == f"{URL}/badge/{WEB}\n"


def test_an_invalid_setting_is_reported_once_for_a_pasted_url() -> None:
    done = run_badge("url", f"{URL}/badge/acme/web", BADGE_WORKERS="many", BADGE_PUBLIC_URL=URL)
    assert (done.exit_code, done.output.count("BADGE_WORKERS")) == (2, 1)


def test_check_config_names_the_prefix(settings: dict[str, str]) -> None:
    assert "ok   links     paths begin with /backups" in run_badge("check-config", **settings).output


def test_the_demo_says_where_to_look(settings: dict[str, str]) -> None:
    output = run_badge("demo", **settings, BADGE_DASHBOARD="open").output
    assert output.endswith("Look at /backups/dashboard.\n")
