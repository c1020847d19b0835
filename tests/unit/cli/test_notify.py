"""`badge notify`: check the file, send a test, list what was not delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from badge.catalogue.database import Database
from badge.catalogue.schema import outbox
from badge.notices import Condition, Message, Notice, NoticeKind
from tests.command_line import run_badge
from tests.doubles import START
from tests.migrated import migrate
from tests.watching import named
from tests.webhook_receiver import SECRET, Received, receiving

FILE = """
[[channel]]
name = "{name}"
kind = "webhook"
url = "{url}"
secret = "env:HOOK"
"""


def notify_file(folder: Path, url: str = "https://hooks.example.org", *names: str) -> dict[str, str]:
    file = folder / "notify.toml"
    file.write_text("".join(FILE.format(name=name, url=url) for name in names or ("ops",)))
    return {"BADGE_NOTIFY": str(file), "HOOK": SECRET, "BADGE_DATA_DIR": str(folder / "data")}


def test_check_lists_the_channels_of_a_valid_file(tmp_path: Path) -> None:
    done = run_badge("notify", "check", **notify_file(tmp_path))
    assert (done.exit_code, done.stdout) == (0, f"ok   {'ops':<20} webhook   is valid\n")


def test_check_lists_every_mistake(tmp_path: Path) -> None:
    settings = notify_file(tmp_path, "ftp://x")
    del settings["HOOK"]
    done = run_badge("notify", "check", **settings)
    assert done.exit_code == 2
    found = [line.removeprefix("Error: ").split(": ")[:3] for line in done.stderr.splitlines()]
    assert found == [["notify.toml", "ops", "url"], ["notify.toml", "ops", "secret"]]


def test_check_finds_a_url_that_apprise_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text('[[channel]]\nname = "mail"\nkind = "apprise"\nurl = "env:MAIL"\n')
    done = run_badge("notify", "check", BADGE_NOTIFY=str(file), MAIL="carrier-pigeon://hunter2")
    fault = "url: is not a URL that Apprise supports"
    assert (done.exit_code, done.stdout) == (2, f"FAIL {'mail':<20} apprise   {fault}\n")


@pytest.mark.parametrize("command", ["check", "test"])
def test_without_a_file_it_says_what_to_set(tmp_path: Path, command: str) -> None:
    done = run_badge("notify", command, BADGE_DATA_DIR=str(tmp_path))
    assert done.exit_code == 2
    assert "BADGE_NOTIFY is not set: set it to the path of a notify.toml" in done.stderr


def test_a_test_message_is_sent_to_the_chosen_channels(tmp_path: Path) -> None:
    with receiving() as received:
        settings = notify_file(tmp_path, received.url, "ops", "chat")
        done = run_badge("notify", "test", "ops", **settings)
    assert (done.exit_code, done.stdout) == (0, f"ok   {'ops':<20} webhook   delivered\n")
    [message] = received.messages
    assert message["type"] == "backup.test"


def test_a_test_message_that_is_not_accepted_is_a_failure(tmp_path: Path) -> None:
    with receiving(Received(status=500)) as received:
        done = run_badge("notify", "test", **notify_file(tmp_path, received.url))
    assert (done.exit_code, done.stdout) == (1, f"FAIL {'ops':<20} webhook   not delivered: http5xx\n")


def test_an_unknown_channel_is_a_mistake(tmp_path: Path) -> None:
    done = run_badge("notify", "test", "other", **notify_file(tmp_path))
    assert (done.exit_code, "There is no channel other; the channels are ops." in done.stderr) == (2, True)


def test_list_shows_waiting_and_abandoned_messages(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    migrate(url)
    notice = Notice(kind=NoticeKind.FAILED, subject=named("web"), before=None, after=Condition.FAILED)
    row = {
        "channel": "ops",
        "digest": "",
        "message_id": "id",
        "message": json.dumps(Message("id", START, NoticeKind.FAILED, [notice]).document()),
        "created_at": START,
        "next_at": START,
    }
    database = Database(url)
    with database.writing() as connection:
        connection.execute(insert(outbox).values(**row, attempts=0))
        connection.execute(insert(outbox).values(**row, attempts=9, failure="timeout", given_up_at=START))
        newer = row | {"message": '{"type": "backup.newKind"}'}
        connection.execute(insert(outbox).values(**newer, attempts=2, failure="unreadable"))
    database.close()
    settings = {"BADGE_DATA_DIR": str(tmp_path)}
    assert run_badge("notify", "list", **settings).stdout.splitlines() == [
        f"2026-11-23 12:00  {'ops':<20} waiting   Backup failed: GitHub/acme/Repository/web (0 attempts)",
        f"2026-11-23 12:00  {'ops':<20} abandoned Backup failed: GitHub/acme/Repository/web (9 attempts, timeout)",
        f"2026-11-23 12:00  {'ops':<20} waiting   Stored by a newer version of the service (2 attempts, unreadable)",
    ]
    lines = [json.loads(line) for line in run_badge("notify", "list", "--json", **settings).stdout.splitlines()]
    assert [(line["state"], line["failure"], line["message"] and line["message"]["type"]) for line in lines] == [
        ("waiting", None, "backup.failed"),
        ("abandoned", "timeout", "backup.failed"),
        ("waiting", "unreadable", None),
    ]


def test_without_a_catalogue_the_list_is_in_a_database_of_its_own(tmp_path: Path) -> None:
    done = run_badge("notify", "list", BADGE_DATA_DIR=str(tmp_path), BADGE_UPSTREAM_URL="https://backup.example.org")
    assert done.stdout == "No undelivered messages.\n"
    assert {file.name for file in tmp_path.iterdir()} >= {"notify.sqlite3"}
    assert not (tmp_path / "catalogue.sqlite3").exists()
