"""`badge …` as it is used in a shell and by cron: one-line errors, exit codes, help with examples."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import redis
from click.testing import CliRunner

from badge import __version__
from badge.app import build_parts
from badge.catalogue.migration import migrate
from badge.cli import badge
from badge.model import BackupStatus, Subject
from badge.settings import load
from badge.web.badges.private_tokens import PrivateTokens
from tests.command_line import run_badge
from tests.servers import (
    BIN,
    PROJECT,
    Service,
    badge_process,
    eventually,
    flask_badge,
    log_in,
    running_service,
    running_valkey,
)
from tests.store import Store

WEB = "GitHub/acme/Repository/web"
PICTURE = PROJECT / "tests" / "golden" / "failed.png"


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `badge …` in this process, which is much faster than starting another."""
    done = run_badge(*args, BADGE_DATA_DIR=str(folder))
    return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)


def catalogue_in(folder: Path) -> str:
    return f"catalogue {folder}/catalogue.sqlite3"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


def test_a_report_goes_to_the_local_catalogue(tmp_path: Path) -> None:
    done = run(tmp_path, "report", WEB, "succeeded")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{WEB}: succeeded ({catalogue_in(tmp_path)})\n", "")
    document = json.loads(run(tmp_path, "report", "acme/web", "failed", "--reason", "storage", "--json").stdout)
    assert (document["status"], document["reason"], document["applied"]) == ("failed", "storage", True)


def test_a_report_superseded_by_a_newer_run_says_so(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "failed")
    late = run(tmp_path, "report", WEB, "succeeded", "--at", "2026-01-01T00:00:00Z")
    assert (late.returncode, late.stdout) == (
        0,
        f"{WEB}: still failed, because a newer report is known ({catalogue_in(tmp_path)})\n",
    )


def test_a_verification_goes_to_the_local_catalogue(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "succeeded")
    done = run(tmp_path, "verified", "acme/web", "--how", "restored", "--at", "2026-11-20T05:00:00Z")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{WEB}: verified ({catalogue_in(tmp_path)})\n", "")
    assert "Latest verification: passed (restored), 2026-11-20T05:00:00Z." in run(tmp_path, "status", "acme/web").stdout
    document = json.loads(run(tmp_path, "verified", WEB, "--failed", "--json").stdout)
    assert (document["applied"], document["status"], document["verification"]) == (True, "succeeded", "failed")
    late = run(tmp_path, "verified", WEB, "--at", "2026-11-21T05:00:00Z")
    assert (late.returncode, late.stdout) == (
        0,
        f"{WEB}: still failed, because a newer verification is known ({catalogue_in(tmp_path)})\n",
    )
    assert json.loads(run(tmp_path, "status", WEB, "--json").stdout)["verification"] == "failed"
    hidden = json.loads(run(tmp_path, "verified", WEB, "--visibility", "private", "--json").stdout)
    assert (hidden["verification"], hidden["visibility"]) == ("passed", "private")
    refused = run(tmp_path, "verified", WEB, "--at", "2099-01-01T00:00:00Z")
    assert (refused.returncode, refused.stderr) == (2, "Error: the verification's time is in the future.\n")


def test_a_verification_of_a_deleted_subject_says_that_it_does_not_count(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "deleted")
    done = run(tmp_path, "verified", WEB)
    assert (done.returncode, done.stdout) == (
        0,
        f"{WEB}: unchanged, because the subject is deleted ({catalogue_in(tmp_path)})\n",
    )


def test_a_report_superseded_by_a_later_event_of_the_same_run_says_so(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "succeeded", "--started-at", "2026-01-01T01:00:00Z", "--at", "2026-01-01T02:00:00Z")
    times = ("--started-at", "2026-01-01T01:00:00Z", "--at", "2026-01-01T01:00:00Z")
    late = run(tmp_path, "report", WEB, "in-progress", *times)
    assert (late.returncode, late.stdout) == (
        0,
        f"{WEB}: still succeeded, because a newer report is known ({catalogue_in(tmp_path)})\n",
    )


def test_a_verification_from_before_the_deletion_of_a_subject_says_so(tmp_path: Path) -> None:
    for status in ("deleted", "succeeded"):
        run(tmp_path, "report", WEB, status)
    done = run(tmp_path, "verified", WEB, "--at", "2026-01-01T00:00:00Z")
    assert (done.returncode, done.stdout) == (
        0,
        f"{WEB}: unchanged, because the subject was deleted after this verification ({catalogue_in(tmp_path)})\n",
    )


def test_a_report_accepts_a_repository_s_url_and_any_spelling_of_a_status(tmp_path: Path) -> None:
    done = run(tmp_path, "report", "https://github.com/acme/web", "In Progress")
    assert (done.returncode, done.stdout) == (0, f"{WEB}: in progress ({catalogue_in(tmp_path)})\n")


def test_a_report_goes_to_a_remote_service(service: Service, tmp_path: Path) -> None:
    key = service.flask_badge("key", "create", "ci").strip()
    file = tmp_path / "key"
    file.write_text(key + "\n")
    done = run(tmp_path, "report", WEB, "in-progress", "--to", service.url, "--key-file", str(file))
    assert (done.returncode, done.stdout) == (0, f"{WEB}: in progress (service {service.url})\n")
    assert service.get("/badge/acme/web.txt").text == "inProgress\n"
    verified = run(tmp_path, "verified", WEB, "--failed", "--to", service.url, "--key-file", str(file))
    assert (verified.returncode, verified.stdout) == (0, f"{WEB}: verification failed (service {service.url})\n")
    assert service.get("/badge/acme/web.json").json()["verification"] == "failed"
    refused = run(tmp_path, "report", WEB, "failed", "--to", service.url, "--key", "wrong")
    assert refused.returncode == 1
    assert refused.stderr.strip() == "Error: The service answered 401: Send a valid API key as X-API-Key."


WRONG = [
    (["report", "web", "succeeded"], "use owner/repository"),
    (["report", WEB, "great"], "'great' is not one of"),
    (["report", WEB], "Missing argument"),
    (["report", WEB, "failed", "--at", "today"], "is not a time"),
    (["report", WEB, "failed", "--at", "2026-01-01T00:00:00"], "has no time zone"),
    (["report", WEB, "failed", "--url", "http://x"], "https"),
    (["report", WEB, "failed", "--to", "http://127.0.0.1:9"], "needs an API key"),
    (["report", WEB, "failed", "--to", "notaurl", "--key", "k"], "'--to': must be an absolute http:// or https:// URL"),
    (["report", WEB, "failed", "--to", "ftp://x", "--key", "k"], "'--to': must be an absolute http:// or https:// URL"),
    (["report", WEB, "failed", "--to", "http://u:p@x", "--key", "k"], "without user, query or fragment"),
    (
        ["report", WEB, "failed", "--to", "http://a b", "--key", "k"],
        "'--to': must be an absolute http:// or https:// URL",
    ),
    (
        ["report", WEB, "failed", "--to", "http://a..b", "--key", "k"],
        "'--to': must be an absolute http:// or https:// URL",
    ),
    (["report", WEB, "failed", "--to", "http://%zz", "--key", "k"], "http://%zz is not a valid URL; write one such as"),
    (["report", WEB, "failed", "--to", "http://127.0.0.1:9", "--key", "a\nb"], "one line of ASCII without spaces"),
    (["report", WEB, "failed", "--to", "http://127.0.0.1:9", "--key", "ключ"], "one line of ASCII without spaces"),
    (["report", WEB, "failed", "--to", "http://127.0.0.1:9", "--key-file", str(PICTURE)], "one line of ASCII"),
    (["report", WEB, "failed", "--nope"], "No such option"),
    (["nope"], "No such command"),
    (["draw", "failed", "-o", "x.gif"], "must end in .svg or .png"),
    (["draw", "great", "-o", "x.svg"], "'great' is not one of"),
    (["key", "create", "no spaces"], "letters"),
    (["key", "revoke", "nobody"], "no key called nobody"),
    (["key", "create", "x", "--for", "GitHub/*"], "for a whole platform, write GitHub/*/*"),
    (["token", "create", "x"], "Missing option '--for'"),
    (["token", "revoke", "nobody"], "no token called nobody"),
    (["key", "create", "x", "--expires-in", "soon"], "must be a number and a unit"),
    (["key", "create", "x", "--expires-in", "999999999d"], "must be at most 36500d"),
    (["key", "create", "x", "--expires-in", "36501d"], "must be at most 36500d"),
    (["key", "create", "x", "--expires-in", "0s"], "must be longer than 0s"),
    (["check", "create", WEB], "Missing option '--every'"),
    (["check", "create", WEB, "--every", "24"], "must be a number and a unit"),
    (["key", "create", "x", "--expires-in", "30"], "must be a number and a unit"),
    (["check", "create", WEB, "--every", "999999999d"], "must be at most 36500d"),
    (["check", "create", WEB, "--every", "5s", "--grace", "500d"], "365 days"),
    (["check", "create", WEB, "--every", "1d", "--slug", "No Slug"], "a slug has up to 100 characters from a-z"),
    (["check", "rotate", WEB], "has no check"),
    (["check", "delete", WEB], "has no check"),
    (["delete", WEB, "--yes"], f"the catalogue has no subject {WEB}"),
]


@pytest.mark.parametrize(("args", "words"), WRONG)
def test_wrong_usage_gives_one_line_and_exit_code_2(tmp_path: Path, args: list[str], words: str) -> None:
    done = run(tmp_path, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


POINTERS = [
    (["report", WEB, "great"], "Invalid value for 'STATUS': 'great' is not one of", "badge report"),
    (["report", WEB], "Missing argument 'STATUS'. Choose from: succeeded, failed", "badge report"),
    (["draw", "great", "-o", "x.svg"], "Invalid value for 'STATUS'", "badge draw"),
    (["key", "create"], "Missing argument 'NAME'", "badge key create"),
    (["sources", "try"], "Missing argument 'NAME'", "badge sources try"),
    (["key", "bogus"], "No such command 'bogus'", "badge key"),
    (["key", "--bogus"], "No such option", "badge key"),
    (["status", "acme/web", "--jso"], "Did you mean '--json'?", "badge status"),
    (["bogus"], "No such command 'bogus'", "badge"),
]


@pytest.mark.parametrize(("args", "words", "command"), POINTERS)
def test_an_error_points_at_the_help_of_its_own_command(
    tmp_path: Path, args: list[str], words: str, command: str
) -> None:
    done = run(tmp_path, *args)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert words in done.stderr
    assert done.stderr.endswith((f". See {command} --help.\n", f"? See {command} --help.\n"))


def test_a_failure_gives_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = run(tmp_path, "report", WEB, "failed", "--to", "http://127.0.0.1:9", "--key", "k")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(blocked, "report", WEB, "failed").returncode == 1


def every_command(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from every_command(below, *words, name)


@pytest.mark.parametrize("words", list(every_command(badge)), ids=" ".join)
def test_help_shows_examples(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(badge, [*words, "--help"], prog_name="badge")
    assert done.exit_code == 0
    assert "Examples:\n    badge" in done.stdout
    assert all(line.split()[1 : 1 + len(words)] == [*words] for line in examples_in(done.stdout))


def examples_in(help: str) -> list[str]:
    return re.findall(r"^    (badge .+)$", help.partition("Examples:")[2], re.MULTILINE)


def test_keys_are_created_listed_and_revoked(tmp_path: Path) -> None:
    scopes, patterns = ("--scope", "read", "--scope", "report"), ("--for", "GitHub/acme/*", "--for", "other/web")
    made = run(tmp_path, "key", "create", "ci", *scopes, *patterns, "--expires-in", "90d")
    assert made.stdout.startswith("bsb_")
    listed = json.loads(run(tmp_path, "key", "list", "--json").stdout)
    assert (listed[0]["name"], listed[0]["scopes"]) == ("ci", ["read", "report"])
    assert listed[0]["for"] == ["GitHub/acme/*", "other/web"]
    shown = run(tmp_path, "key", "list").stdout
    assert "read+report  for GitHub/acme/*, other/web; expires 20" in shown
    assert "never used" in shown
    assert made.stdout.strip() not in shown
    assert run(tmp_path, "key", "revoke", "ci").stdout == "ci: revoked\n"
    assert run(tmp_path, "key", "create", "long", "--expires-in", "36500d").returncode == 0


def test_tokens_are_created_listed_and_revoked(service: Service) -> None:
    service.flask_badge("report", "acme/hidden", "failed", "--visibility", "private")
    token = service.flask_badge("token", "create", "readme", "--for", "acme/hid*").strip()
    wanted = f"/badge/acme/hidden.txt?token={token}"
    assert service.get(wanted).text == "failed\n"
    assert service.get(f"/badge/acme/other.txt?token={token}").status_code == 404
    listed = json.loads(service.flask_badge("token", "list", "--json"))
    assert (listed[0]["name"], listed[0]["for"]) == ("readme", ["acme/hid*"])
    assert token not in service.flask_badge("token", "list")
    assert service.flask_badge("token", "revoke", "readme") == "readme: revoked\n"
    assert service.get(wanted).status_code == 404


def test_a_check_is_created_listed_rotated_and_deleted(tmp_path: Path) -> None:
    public = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_PUBLIC_URL": "https://badges.example.org"}
    made = flask_badge("check", "create", WEB, "--every", "24h", "--grace", "2h", **public)
    ping, badge = made.stdout.splitlines()
    assert re.fullmatch(r"https://badges\.example\.org/ping/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ping)
    assert badge == f"https://badges.example.org/badge/{WEB}"
    assert "not shown again" in made.stderr
    listed = json.loads(run(tmp_path, "check", "list", "--json").stdout)
    expected = {"subject": WEB, "status": "scheduled", "every": "1d", "grace": "2h", "slug": "web"}
    assert expected.items() <= listed.items()
    assert ping.rpartition("/")[2].startswith(listed["begins"])
    assert ping.rpartition("/")[2] not in run(tmp_path, "check", "list").stdout
    rotated = json.loads(flask_badge("check", "rotate", WEB, "--json", **public).stdout)
    assert (rotated["pingUrl"] != ping, rotated["badgeUrl"]) == (True, badge)
    assert run(tmp_path, "check", "create", WEB, "--every", "1d").returncode == 2
    assert run(tmp_path, "check", "delete", WEB).stdout == f"{WEB}: backups are no longer expected\n"
    assert run(tmp_path, "check", "list").stdout == ""


def test_a_slug_shared_by_two_checks_is_reported(tmp_path: Path) -> None:
    run(tmp_path, "check", "create", "acme/web", "--every", "1d")
    again = run(tmp_path, "check", "create", "other/web", "--every", "1d")
    assert (again.returncode, "also has the slug web" in again.stderr) == (0, True)


def test_a_ping_url_needs_an_address_that_jobs_can_reach(tmp_path: Path) -> None:
    made = flask_badge("check", "create", WEB, "--every", "1d", BADGE_DATA_DIR=str(tmp_path), BADGE_BIND="unix:/x")
    assert (made.returncode, "BADGE_PUBLIC_URL" in made.stderr) == (2, True)
    assert run(tmp_path, "check", "list").stdout == ""


def test_badges_are_drawn_into_files(tmp_path: Path) -> None:
    picture = tmp_path / "x.svg"
    assert run(tmp_path, "draw", "failed", "-o", str(picture), "--style", "plastic", "--label", "").returncode == 0
    assert b">failed</text>" in picture.read_bytes()
    png = tmp_path / "x.png"
    run(tmp_path, "draw", "in-progress", "-o", str(png), "--scale", "1", "--icon", "--logo", "cloud")
    assert png.read_bytes().startswith(b"\x89PNG")


def test_urls_and_snippets_are_printed() -> None:
    public = {"BADGE_PUBLIC_URL": "https://badges.example.org"}
    assert flask_badge("url", "acme/web", **public).stdout == f"https://badges.example.org/badge/{WEB}\n"
    snippet = flask_badge("url", "acme/web", "--short", "--format", "html", **public).stdout
    assert 'src="https://badges.example.org/badge/acme/web" alt="Backup status of acme/web"' in snippet
    local = flask_badge("url", "acme/web")
    assert (local.returncode, local.stdout) == (0, f"http://127.0.0.1:8000/badge/{WEB}\n")
    assert "set BADGE_PUBLIC_URL to make it work elsewhere" in local.stderr
    unknown = flask_badge("url", "acme/web", BADGE_BIND="unix:/run/badge.sock")
    assert (unknown.returncode, "BADGE_PUBLIC_URL" in unknown.stderr) == (2, True)


def test_a_private_badge_s_url_has_the_token_derived_from_the_service_s_key(tmp_path: Path) -> None:
    public = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_PUBLIC_URL": "https://badges.example.org"}
    address = flask_badge("url", "acme/web", "--private", **public).stdout.strip()
    tokens = PrivateTokens(lambda: (tmp_path / "session.key").read_text().strip())
    assert address == f"https://badges.example.org/badge/{WEB}?token={tokens.of(Subject.from_path(WEB))}"
    assert flask_badge("url", "acme/web", "--private", **public).stdout.strip() == address


@pytest.mark.parametrize("content", [b"", b"\xff" * 43], ids=["empty", "corrupt"])
def test_a_damaged_signing_key_is_reported_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "session.key").write_bytes(content)
    sentence = f"{tmp_path / 'session.key'} is damaged: delete it to get a new one"
    url = run(tmp_path, "url", "acme/web", "--private")
    assert (url.returncode, url.stdout, sentence in url.stderr) == (1, "", True)
    checked = run(tmp_path, "check-config")
    assert (checked.returncode, f"FAIL data      {sentence}" in checked.stdout) == (1, True)


def test_the_demo_has_every_status_but_unknown(tmp_path: Path) -> None:
    printed = [line.rpartition(": ") for line in run(tmp_path, "demo").stdout.splitlines()[:-1]]
    assert {word for *_, word in printed} == {"succeeded", "failed", "inProgress", "scheduled", "deleted"}
    # The printed names can be passed to other commands.
    for subject, _, word in printed:
        assert json.loads(run(tmp_path, "status", subject, "--json").stdout)["status"] == word


def test_running_the_demo_again_adds_nothing(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "failed")
    first, second = run(tmp_path, "demo").stdout.splitlines(), run(tmp_path, "demo").stdout.splitlines()
    assert first[:-1] == second[:-1]
    assert "Nothing was added" in second[-1]
    with sqlite3.connect(tmp_path / "catalogue.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (44,)


def test_a_misspelt_variable_is_reported_but_not_an_error(tmp_path: Path) -> None:
    here = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_LABLE": "x", "BADGE_PORT": "1"}
    done = flask_badge("report", WEB, "succeeded", **here)
    assert done.returncode == 0
    assert done.stderr == "Note: BADGE_LABLE is not a setting; did you mean BADGE_LABEL? BADGE_PORT is not a setting.\n"
    assert flask_badge("check-config", **here).stderr == ""


def test_the_reason_for_a_failure_and_the_page_of_its_run_are_shown(tmp_path: Path) -> None:
    page = "https://ci.example.org/runs/7"
    run(tmp_path, "report", WEB, "failed", "--reason", "storage", "--url", page)
    assert (
        "\nReason: a problem with the backup storage.\nPage of the run: " + page in run(tmp_path, "status", WEB).stdout
    )
    document = json.loads(run(tmp_path, "status", WEB, "--json").stdout)
    assert (document["reason"], document["url"]) == ("storage", page)


def test_removing_the_demo_keeps_subjects_that_have_a_check(tmp_path: Path) -> None:
    run(tmp_path, "demo")
    run(tmp_path, "report", "acme/own", "succeeded")
    run(tmp_path, "check", "create", "acme/api", "--every", "1d")
    done = run(tmp_path, "demo", "--remove")
    assert (done.returncode, done.stderr) == (0, "")
    assert "GitHub/acme/Repository/api: not removed, because it has a check\n" in done.stdout
    assert done.stdout.count(": removed\n") == 7
    assert run(tmp_path, "delete", "acme/own", "--yes").returncode == 0
    run(tmp_path, "check", "delete", "acme/api")
    assert run(tmp_path, "demo", "--remove").stdout == "GitHub/acme/Repository/api: removed\n"
    assert run(tmp_path, "demo", "--remove").stdout == "There is no sample data to remove.\n"


def test_removing_the_demo_keeps_subjects_with_other_runs(tmp_path: Path) -> None:
    run(tmp_path, "report", "acme/web", "failed")
    run(tmp_path, "demo")
    run(tmp_path, "report", "acme/billing", "succeeded")
    assert json.loads(run(tmp_path, "status", "acme/web", "--json").stdout)["status"] == "failed"
    removed = run(tmp_path, "demo", "--remove").stdout
    assert "acme/Repository/web" not in removed
    assert "GitHub/acme/Repository/billing: not removed, because it has other runs too\n" in removed
    for subject, status in (("acme/web", "failed"), ("acme/billing", "succeeded")):
        assert json.loads(run(tmp_path, "status", subject, "--json").stdout)["status"] == status


def test_the_version_is_that_of_the_package() -> None:
    assert badge_process("--version").stdout == f"badge, version {__version__}\n"


def test_a_subject_is_deleted_after_confirmation(tmp_path: Path) -> None:
    for hours_ago, status in ((2, "failed"), (1, "succeeded")):
        run(tmp_path, "report", WEB, status, "--started-at", f"{time.time() - 3600 * hours_ago:.0f}")
    unanswered = run(tmp_path, "delete", "acme/WEB")
    assert (unanswered.returncode, unanswered.stdout) == (2, "")
    assert f"Delete {WEB}, with 2 runs?" in unanswered.stderr
    assert unanswered.stderr.endswith("nothing was deleted; use --yes in scripts.\n")
    declined = flask_badge("delete", WEB, answer="n\n", BADGE_DATA_DIR=str(tmp_path))
    assert (declined.returncode, declined.stdout) == (1, f"{WEB}: not deleted\n")
    done = flask_badge("delete", WEB, answer="y\n", BADGE_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, f"{WEB}: deleted, with 2 runs\n")


def test_a_subject_with_a_check_is_deleted_only_after_the_check(tmp_path: Path) -> None:
    run(tmp_path, "check", "create", WEB, "--every", "1d")
    run(tmp_path, "report", WEB, "succeeded")
    refused = run(tmp_path, "delete", WEB, "--yes")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert f"run `badge check delete {WEB}` first" in refused.stderr
    run(tmp_path, "check", "delete", WEB)
    assert run(tmp_path, "delete", WEB, "--yes").stdout == f"{WEB}: deleted, with 1 run\n"


def test_a_badge_is_unknown_at_once_when_its_subject_is_deleted(service: Service) -> None:
    service.flask_badge("report", "acme/wbe", "succeeded")
    assert service.get("/badge/acme/wbe.txt").text == "succeeded\n"
    service.flask_badge("delete", "acme/wbe", "--yes")
    shown = service.get("/badge/acme/wbe.txt?v=2")
    assert (shown.status_code, shown.text) == (404, "unknown\n")
    assert "acme/Repository/wbe" not in service.get_logged_in("/dashboard").text


def test_a_login_link_is_printed_with_the_service_s_address_and_logs_in(service: Service) -> None:
    settings = {"BADGE_DATA_DIR": str(service.data_dir), "BADGE_BIND": service.url.removeprefix("http://")}
    done = flask_badge("login-link", **settings)
    link = done.stdout.strip()
    assert link.startswith(f"{service.url}/login?link=")
    assert done.stderr == "Open it within 10 minutes; it works once.\n"
    assert log_in(service.url, link.removeprefix(service.url))


def test_a_login_link_needs_an_address_and_logins_but_no_catalogue(tmp_path: Path) -> None:
    upstream = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_UPSTREAM_URL": "http://127.0.0.1:9"}
    by_socket = flask_badge("login-link", BADGE_BIND="unix:/run/badge.sock", **upstream)
    assert by_socket.stdout.startswith("/login?link=")
    assert "BADGE_PUBLIC_URL" in by_socket.stderr
    refused = flask_badge("login-link", BADGE_DASHBOARD="off", **upstream)
    assert (refused.returncode, "if BADGE_DASHBOARD is off" in refused.stderr) == (2, True)


def test_a_report_is_shown_at_once_even_if_redis_is_slow(tmp_path: Path) -> None:
    with running_valkey(tmp_path) as server:
        settings = {"BADGE_DATA_DIR": str(tmp_path), "BADGE_REDIS_URL": server.url}
        flask_badge("report", WEB, "failed", **settings)
        with closing(build_parts(load(settings))) as parts, closing(redis.Redis.from_url(server.url)) as client:
            assert parts.resolver.resolve(Subject(*WEB.split("/"))).status is BackupStatus.FAILED
            assert eventually(lambda: bool(client.keys("bdg:*:v*")))
            client.execute_command("CLIENT", "PAUSE", "600", "ALL")
            flask_badge("report", WEB, "succeeded", **settings)
            assert not client.keys("bdg:*:v*")


def test_the_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    done = flask_badge("settings", "--json", BADGE_REDIS_URL="redis://:hunter2@cache:1/0", BADGE_LABEL="x")
    assert json.loads(done.stdout)["BADGE_LABEL"] == "x"
    assert "hunter2" not in done.stdout


def test_check_config_finds_that_everything_works(service: Service) -> None:
    output = service.flask_badge("check-config")
    assert "FAIL" not in output
    assert "ok   cache     the embedded Valkey works" in output
    assert "note links     BADGE_PUBLIC_URL is not set" in output
    findings = [json.loads(line) for line in service.flask_badge("check-config", "--json").splitlines()]
    assert {finding["what"] for finding in findings} == {"settings", "data", "cache", "catalogue", "pictures", "links"}
    assert all(finding["fine"] for finding in findings)
    assert {finding["what"] for finding in findings if finding["level"] == "note"} == {"links"}


def test_check_config_counts_subjects_with_times_ahead_of_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    migrate(url)
    with closing(Store.on(url)) as store:
        store.clock.now = datetime(2099, 1, 1, tzinfo=UTC)
        store.receive(BackupStatus.SUCCEEDED)
    done = run(tmp_path, "check-config")
    assert done.returncode == 1
    assert "1 subject has times ahead of this machine's clock" in done.stdout


def test_status_shows_what_a_badge_shows_and_why(service: Service, tmp_path: Path) -> None:
    service.flask_badge("report", "acme/shown", "failed")
    document = json.loads(service.flask_badge("status", "acme/shown", "--json"))
    assert (document["status"], document["badgeShows"], document["origin"]) == ("failed", "failed", "upstream")
    assert "from the cache" in service.flask_badge("status", "acme/shown")
    service.flask_badge("report", "acme/secret", "failed", "--visibility", "private")
    assert "The subject is private" in service.flask_badge("status", "acme/secret")
    assert "has no such subject" in service.flask_badge("status", "acme/none")
    lost = flask_badge("status", "acme/web", BADGE_UPSTREAM_URL="http://127.0.0.1:9", BADGE_DATA_DIR=str(tmp_path))
    assert (lost.returncode, "no status is known" in lost.stdout) == (1, True)


def test_check_config_explains_invalid_settings(tmp_path: Path) -> None:
    done = flask_badge("check-config", BADGE_WORKERS="many", BADGE_BIND="x", BADGE_WORKER="1")
    assert done.returncode == 2
    assert done.stdout.count("FAIL settings") == 2
    assert "did you mean BADGE_WORKERS?" in done.stdout


def test_check_config_says_how_to_fix_each_fault(tmp_path: Path) -> None:
    done = flask_badge(
        "check-config",
        BADGE_DATA_DIR=str(tmp_path),
        BADGE_REDIS_URL="redis://127.0.0.1:9/0",
        BADGE_UPSTREAM_URL="http://127.0.0.1:9",
    )
    assert done.returncode == 1
    assert "FAIL cache     redis://127.0.0.1:9/0 can't be reached: nothing listens there" in done.stdout
    assert "FAIL upstream  http://127.0.0.1:9: connect; nothing listens there" in done.stdout


def test_explain_says_why_a_badge_shows_what_it_shows(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "failed")
    done = run(tmp_path, "explain", WEB)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        f"{WEB}: Not known, because the cache does not respond: either no service is running here"
    )
    assert json.loads(run(tmp_path, "explain", "acme/web", "--json").stdout)["source"] == "catalogue"


def test_renamed_commands_keep_their_old_names_which_help_does_not_list(tmp_path: Path) -> None:
    run(tmp_path, "report", WEB, "succeeded")
    assert run(tmp_path, "forget", WEB, "--yes").stdout == f"{WEB}: deleted, with 1 run\n"
    assert "ok   settings" in run(tmp_path, "doctor").stdout
    listed = [
        line.split()[0]
        for line in run(tmp_path, "--help").stdout.partition("Commands:")[2].splitlines()
        if line.strip()
    ]
    assert {"delete", "check-config"} <= set(listed)
    assert not {"forget", "doctor"} & set(listed)


def test_flask_runs_the_same_commands_as_the_script() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert declared["scripts"]["badge"] == declared["entry-points"]["flask.commands"]["badge"] == "badge.cli:badge"
    done = subprocess.run([BIN / "flask", "badge", "--help"], capture_output=True, text=True, check=True)
    assert "  badge report GitHub/acme/Repository/web succeeded" in done.stdout
