"""notify.toml: all faults reported together, with file and key."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from badge.notices import SELECTABLE, NoticeKind
from badge.settings import BadSettings, show_duration
from badge.watching.changes import ChangeRules
from badge.watching.notify_file import AppriseTable, DeliveryTable, NotifyFile, WatchTable, WebhookTable, load
from tests.pages import PROJECT
from tests.webhook_receiver import SECRET

ENVIRONMENT = {
    "HOOK": SECRET,
    "MAIL": "mailto://user:hunter2@example.org",
    "SHORT": "whsec_c2hvcnQ=",
    "TEXT": "whsec_!",
}
WEBHOOK = """
[[channel]]
name = "ops"
kind = "webhook"
url = "https://hooks.example.org/backups"
secret = "env:HOOK"
"""
GOOD = f"""{WEBHOOK}
[[channel]]
name = "mail"
kind = "apprise"
url = "env:MAIL"

[[rule]]
channels = ["ops"]

[[rule]]
channels = ["mail"]
subjects = ["GitHub/acme/*/*"]
events = ["failed", "recovered"]

[watch]
unknown_after = "2h"

[delivery]
timeout = "5s"
"""


def read(folder: Path, text: str) -> NotifyFile:
    file = folder / "notify.toml"
    file.write_text(text)
    return load(file, ENVIRONMENT)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadSettings) as raised:
        read(folder, text)
    return [str(fault) for fault in raised.value.faults]


def test_a_complete_file_is_read(tmp_path: Path) -> None:
    file = read(tmp_path, GOOD)
    webhook, mail = file.channels
    assert isinstance(webhook, WebhookTable)
    assert isinstance(mail, AppriseTable)
    assert "hunter2" not in repr(file)
    assert file.rules[0].kinds == frozenset(SELECTABLE)
    assert file.rules[1].kinds == {NoticeKind.FAILED, NoticeKind.RECOVERED}
    assert file.rules[1].subjects.texts == ["GitHub/acme/*/*"]
    assert file.change_rules == ChangeRules(unknown_after=timedelta(hours=2))
    assert file.delivery.timeout == timedelta(seconds=5)


def test_without_rules_every_channel_gets_everything(tmp_path: Path) -> None:
    [rule] = read(tmp_path, WEBHOOK).rules
    assert (rule.channels, rule.subjects.patterns, rule.kinds) == (["ops"], None, frozenset(SELECTABLE))


def test_the_defaults_of_the_file_are_those_of_the_rules() -> None:
    assert NotifyFile().change_rules == ChangeRules()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "notify.toml: must have at least one [[channel]] table"),
        (f"{WEBHOOK}\n[wacht]", "notify.toml: wacht is not a key of this file; did you mean watch?"),
        ("channel = 1", "notify.toml: channel: write each as a [[channel]] table"),
        (WEBHOOK + WEBHOOK, "notify.toml: ops: name: is used by two channels; each needs a name of its own"),
        (
            WEBHOOK.replace("webhook", "webhok"),
            "notify.toml: ops: kind: must be webhook or apprise; did you mean webhook?",
        ),
        (WEBHOOK + 'ca_fil = "x"', "notify.toml: ops: ca_fil: there is no such key; did you mean ca_file?"),
        (WEBHOOK.replace("https:", "ftp:"), "notify.toml: ops: url: must be an absolute http:// or https:// URL"),
        (
            WEBHOOK.replace("env:HOOK", "env:NONE"),
            "notify.toml: ops: secret: set the environment variable NONE; it is missing or empty",
        ),
        (
            WEBHOOK.replace("env:HOOK", SECRET),
            "notify.toml: ops: secret: must be env:NAME or file:/path; don't write the secret itself here",
        ),
        (
            WEBHOOK.replace("env:HOOK", "env:SHORT"),
            "notify.toml: ops: secret: must be whsec_ followed by at least 24 random bytes in base64",
        ),
        (
            WEBHOOK.replace("env:HOOK", "env:TEXT"),
            "notify.toml: ops: secret: must be whsec_ followed by at least 24 random bytes in base64",
        ),
        (
            f'{WEBHOOK}\n[[rule]]\nchannels = ["ops", "opps"]',
            "notify.toml: rule 1: channels[1]: there is no such channel; did you mean ops?",
        ),
        (f"{WEBHOOK}\n[[rule]]\nchannels = []", "notify.toml: rule 1: channels: must have at least one entry"),
        (
            f'{WEBHOOK}\n[[rule]]\nchannels = ["ops"]\nevents = ["faild"]',
            (
                "notify.toml: rule 1: events[0]: must be one of failed, recovered, overdue, unknown, deleted,"
                " verificationFailed, verificationTooOld, verified; did you mean failed?"
            ),
        ),
        (
            f'{WEBHOOK}\n[[rule]]\nchannels = ["ops"]\nsubjects = ["GitHub"]',
            (
                "notify.toml: rule 1: subjects[0]: use owner/repository, platform/account/type or"
                " platform/account/type/name"
            ),
        ),
        (
            f"{GOOD}".replace('channels = ["mail"]', 'channels = ["ops"]'),
            "notify.toml: mail: no rule sends anything to this channel; add it to a rule, or remove it",
        ),
        (f'{WEBHOOK}\n[watch]\nevery = "1ms"', "notify.toml: watch: every: must be a duration from 1s to 1h"),
        (f"{WEBHOOK}\n[watch]\nstorm = 0", "notify.toml: watch: storm: must be 1 or more"),
        (
            f"{WEBHOOK}\n[delivery]\ntimout = 1",
            "notify.toml: delivery: timout: there is no such key; did you mean timeout?",
        ),
        ("x", "notify.toml: is not valid TOML: Expected '=' after a key in a key/value pair (at end of document)"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_key(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("env:MAIL", "env:NONE").replace('"2h"', '"2 hours"').replace('"failed"', '"faild"')
    assert [fault.split(": ")[1:3] for fault in faults(tmp_path, broken)] == [
        ["mail", "url"],
        ["rule 2", "events[0]"],
        ["watch", "unknown_after"],
    ]


def test_a_missing_file_is_a_fault_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"BADGE_NOTIFY: .*No such file"):
        load(tmp_path / "none.toml")


WITHOUT_APPRISE = """
import sys
from pathlib import Path
sys.modules["apprise"] = None  # as if it were not installed
from badge.settings import BadSettings, show_duration
from badge.watching.notify_file import load
try:
    load(Path(sys.argv[1]), {"MAIL": "mailto://x"})
except BadSettings as bad:
    print(bad)
"""


def test_without_apprise_it_says_what_to_install(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text('[[channel]]\nname = "mail"\nkind = "apprise"\nurl = "env:MAIL"\n')
    command = [sys.executable, "-c", WITHOUT_APPRISE, str(file)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert "mail: kind: install Apprise first: " in output
    assert "requirements-notify.txt" in output


HOW_TO = PROJECT / "docs" / "how-to" / "be-told.md"
REFERENCE = PROJECT / "docs" / "reference" / "notifications.md"


def test_the_examples_in_the_documentation_are_valid(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("https://hooks.slack.com/services/T/B/x")
    blocks = re.findall(r"^    \[\[\w+\]\](?:\n    .+)+", HOW_TO.read_text(), re.MULTILINE)
    channels, rules = ([block for block in blocks if f"[[{kind}]]" in block] for kind in ("channel", "rule"))
    assert (len(channels), len(rules)) == (4, 2)
    text = re.sub(r'"file:[^"]+"', f'"file:{secret}"', "\n".join([*channels, *rules]))
    text = text.replace('channels = ["ops"]', 'channels = ["ops", "ntfy", "slack"]')
    file = tmp_path / "notify.toml"
    file.write_text(text)
    assert len(load(file, {"MAIL_URL": "mailto://x", "NTFY_URL": "ntfy://x", "HOOK_SECRET": SECRET}).channels) == 4


def test_the_example_file_is_valid(tmp_path: Path) -> None:
    file = PROJECT / "config" / "notify.toml.example"
    assert len(load(file, {"MAIL_URL": "mailto://x", "HOOK_SECRET": SECRET}).rules) == 2


@pytest.mark.parametrize("table", [WatchTable, DeliveryTable])
def test_the_reference_has_every_key_and_its_default(table: type[WatchTable | DeliveryTable]) -> None:
    page = REFERENCE.read_text()
    for name, key in table.model_fields.items():
        default = show_duration(key.default) if isinstance(key.default, timedelta) else key.default
        shown = "–" if default is None else f"`{default}`"  # noqa: RUF001 - a dash for an empty cell
        assert f"| `{name}` | {shown} |" in page


def test_the_reference_has_every_event() -> None:
    listed = REFERENCE.read_text().partition("## Events\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", listed, re.MULTILINE)) == set(SELECTABLE)
