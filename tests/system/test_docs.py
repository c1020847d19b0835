"""The documentation and the configuration files: links, commands and examples are tried."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import click
import jsonschema_rs
import pytest
import requests
import yaml

from badge.cache.redis.bounded_connections import TLS_OPTIONS
from badge.cache.redis.connection import SCHEMES, RedisConnector, connect
from badge.cache.redis.pictures import RedisPictureStore
from badge.cli import badge
from badge.model import BackupStatus, CacheEntry, Report
from badge.settings import load
from badge.settings.names import known_variables
from tests.doubles import SharedCache
from tests.servers import BIN, PROJECT, eventually, free_port, needs, running_service, running_valkey
from tests.topologies import certificate_in

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "deploy").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, section in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not section or section in sections_of(there), f"{target}#{section}"


def sections_of(page: Path) -> set[str]:
    """Return the anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_in_the_pages_exists(page: Path) -> None:
    for words in re.findall(
        r"^    (?:\.venv/bin/|runuser -u \S+ -- )?badge ([^|>;&\n]+)", page.read_text(), re.MULTILINE
    ):
        command: click.Command = badge
        # A comment may follow, separated by spaces.
        rest = shlex.split(words.partition("   ")[0])
        while isinstance(command, click.Group):
            command = command.commands[rest.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words


def test_the_command_line_page_lists_every_command() -> None:
    page = (PROJECT / "docs" / "reference" / "command-line.md").read_text()
    listed = subprocess.run(
        [sys.executable, "-m", "badge", "--help"], capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(r"^  ([\w-]+)  ", listed.partition("Commands:")[2], re.MULTILINE)
    assert {"report", "check-config"} <= set(names)
    for name in names:
        assert f"`badge {name}" in page


def test_the_ten_line_upstream_feeds_a_service(tmp_path: Path) -> None:
    port = free_port()
    command = [str(BIN / "flask"), "--app", "docs/examples/upstream.py", "run", "--port", str(port)]
    upstream = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: is_listening(port), 20)
        with running_service(tmp_path, BADGE_UPSTREAM_URL=f"http://127.0.0.1:{port}") as service:
            found = [service.get(f"/badge/acme/{name}.txt") for name in ("web", "api", "none")]
            dashboard = service.get_logged_in("/dashboard")
            details = service.get_logged_in("/dashboard?subject=acme/api")
        assert [answer.text for answer in found[:2]] == ["succeeded\n", "failed\n"]
        assert found[2].status_code == 404
        assert dashboard.status_code == 200
        assert "the backups of another system" in dashboard.text
        assert "Last confirmed" in details.text
    finally:
        upstream.kill()
        upstream.wait()


def is_listening(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/ops/status", timeout=5).status_code == 404
    except requests.ConnectionError:
        return False


def test_the_curl_line_reports_a_backup(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "how-to" / "report-backups.md").read_text()
    found = re.search(r"https://badges.example.org(/ops\S+).+?--json '(.+?)'", page, re.DOTALL)
    assert found is not None
    path, body = found.groups()
    with running_service(tmp_path) as service:
        key = service.flask_badge("key", "create", "ci").strip()
        # What curl's --json sends.
        headers = {"X-API-Key": key, "Content-Type": "application/json", "Accept": "application/json"}
        answer = requests.post(service.url + path, data=body, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["applied"]) == (200, True)
        assert service.get("/badge/acme/web.txt").text == json.loads(body)["status"] + "\n"


def test_the_shell_lines_of_the_ping_page_do_what_it_says(tmp_path: Path) -> None:
    needs("curl", is_there=shutil.which("curl") is not None)
    page = (PROJECT / "docs" / "how-to" / "pings.md").read_text().splitlines()
    cron = next(line.partition("* * *  ")[2] for line in page if "my-backup; curl" in line)
    by_slug = next(line.strip() for line in page if "curl" in line and "/ping/KEY/" in line)
    with running_service(tmp_path) as service:
        uuid = service.flask_badge("check", "create", "acme/web", "--every", "24h").splitlines()[0].rpartition("/")[2]
        key = service.flask_badge("key", "create", "servers", "--scope", "ping").strip()

        def run(line: str, backup: str, shown: str) -> bool:
            for example, real in {
                "/usr/local/bin/my-backup": backup,
                "https://badges.example.org": service.url,
            }.items():
                line = line.replace(example, real)
            line = line.replace("UUID", uuid).replace("KEY", key)
            subprocess.run(["sh", "-c", line], check=True, timeout=60, stdout=subprocess.DEVNULL)
            return eventually(lambda: service.get("/badge/acme/web.txt").text == f"{shown}\n", 1.0)

        assert run(cron, "true", "succeeded")
        assert run(cron, "false", "failed")
        assert run(by_slug.partition("  ")[0], "", "succeeded")


def can_keep_pictures(store: RedisPictureStore) -> bool:
    return store.put("one", b"picture") and store.get("one") == b"picture"


def every_command_is_allowed(shared: SharedCache, now: datetime) -> bool:
    """Run every command that the service sends to its server; returns whether none failed."""
    cache, key = shared.cache, ("github", "acme", "repository", "web")
    began = cache.fetch_began(key)
    report = Report(status=BackupStatus.FAILED, observed_at=now)
    entry = CacheEntry(report=report, fetched_at=began, confirmed_at=now, fresh_until=now)
    lease = cache.claim(key).lease
    assert lease is not None
    cache.renew(lease)
    cache.release(lease)
    assert cache.put(key, entry)
    assert cache.get(key) == entry
    cache.invalidate(key)
    shared.pauses.pause("upstream", now + timedelta(minutes=1))
    assert shared.pauses.paused_until("upstream") is not None
    return cache.is_up() and not shared.events.seen


def test_the_redis_configuration_and_its_acl_are_enough(tmp_path: Path) -> None:
    config = PROJECT / "config" / "redis.conf"
    rule = re.search(r"^# user badge (.+)$", config.read_text(), re.MULTILINE)
    assert rule is not None
    now = datetime.now(UTC)
    options = config.read_text().splitlines()
    arguments = [
        word for line in options if line and line[0] != "#" for word in ("--" + line.replace('"', "")).split(" ")
    ]
    with running_valkey(tmp_path, *arguments) as server:
        admin = connect(server.url, timedelta(seconds=1), 2)
        admin.execute_command("ACL", "SETUSER", "badge", *rule[1].split())
        shared = SharedCache(server.url.replace("unix://", "unix://badge:password@"), lambda: now, seconds=1)
        assert every_command_is_allowed(shared, now)
        assert can_keep_pictures(RedisPictureStore(shared.commands))
        assert admin.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}


def test_redis_urls_are_accepted_with_every_documented_tls_option(tmp_path: Path) -> None:
    section = (PROJECT / "docs" / "reference" / "configuration.md").read_text().partition("## Redis URLs")[2]
    forms = re.findall(r"`((?:rediss?|unix)[+:][^`]+)`", section)
    assert {form.partition("://")[0] for form in forms} == SCHEMES
    own = certificate_in(tmp_path)
    for form in forms:
        settings = load({"BADGE_REDIS_URL": form.replace("/etc/ssl/cache-ca.pem", str(own.certificate))})
        assert settings.redis_url is not None
        RedisConnector(settings.redis_url.get_secret_value(), settings.redis_timeout, 1).check()
    assert set(re.findall(r"\bssl_\w+", section)) == TLS_OPTIONS


COMPOSE = PROJECT / "config" / "compose.yaml"


def test_the_compose_file_is_valid() -> None:
    # Uses only the package's schema; its command would validate with another library.
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema_rs.validate(schema, yaml.safe_load(COMPOSE.read_text()))


def test_the_compose_file_names_real_settings_and_files() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services["badge"]["environment"]) <= known_variables()
    assert (COMPOSE.parent / services["badge"]["build"] / "Dockerfile").exists()
    mounts = [mount.partition(":")[0] for service in services.values() for mount in service["volumes"]]
    assert [mount for mount in mounts if mount.startswith(".") and not (COMPOSE.parent / mount).is_file()] == []
    for service in services.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_the_compose_file_s_proxies_reach_the_service() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    replaced = re.search(r"s\|([^|]+)\|([^|]+)\|; s\|([^|]+)\|", services["nginx"]["command"][2])
    assert replaced is not None
    configuration = (PROJECT / "config" / "nginx.conf").read_text()
    assert f"server {replaced[1]};" in configuration
    assert configuration.count(replaced[3]) > 1
    port = re.search(r"BADGE_BIND=\S+:(\d+)", (PROJECT / "Dockerfile").read_text())
    assert port is not None
    assert replaced[2] == services["caddy"]["environment"]["BADGE_UPSTREAM"] == f"badge:{port[1]}"
