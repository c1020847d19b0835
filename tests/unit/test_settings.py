"""Settings: all faults are reported at once, secrets are read from files and never shown, the docs match."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from badge import __version__
from badge.settings import (
    RESTART_ONLY,
    SECRETS,
    BadSettings,
    load,
    load_from,
    parse_duration,
    show_duration,
    shown,
    unknown_variables,
    variable_for,
)
from badge.settings.database_url import ENCODE
from badge.settings.names import FORMER_VALUES, FORMER_VARIABLES
from badge.settings.reference import example_file, table
from badge.settings_file import find_file

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "config" / "badge.env.example"
NO_LONGER = "version 0.2 will no longer accept the old name"


def faults_of(**environment: str) -> list[str]:
    with pytest.raises(BadSettings) as raised:
        load(environment)
    return [str(fault) for fault in raised.value.faults]


def test_the_defaults_are_a_working_configuration() -> None:
    settings = load({})
    assert (settings.bind, settings.redis_url, settings.upstream_url) == ("127.0.0.1:8000", None, None)


def test_all_faults_are_reported_at_once_with_their_variables() -> None:
    faults = faults_of(
        BADGE_WORKERS="many",
        BADGE_BIND="8000",
        BADGE_REDIS_URL="http://cache",
        BADGE_FRESH_FINISHED="soon",
        BADGE_MAX_STATUS_AGE="5m",
        BADGE_PUBLIC_URL="badges.example.org",
    )
    assert len(faults) == 6
    assert "BADGE_WORKERS: must be a whole number from 1 to 64" in faults
    assert "BADGE_MAX_STATUS_AGE: must be a duration from 1h to 7d" in faults


@pytest.mark.parametrize("url", ["redis://:hunter2@[::1", "redis://:hunter2@host:port", "ftp://:hunter2@host"])
def test_a_fault_never_shows_the_value(url: str) -> None:
    assert "hunter2" not in " ".join(faults_of(BADGE_REDIS_URL=url))


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    settings = load({"BADGE_UPSTREAM_URL": "http://up.example", "BADGE_UPSTREAM_API_KEY_FILE": str(file)})
    assert settings.upstream_api_key is not None
    assert settings.upstream_api_key.get_secret_value() == "s3cret"


def test_a_secret_set_twice_or_from_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert "keep one" in faults_of(BADGE_REDIS_URL="redis://a", BADGE_REDIS_URL_FILE=missing)[0]
    assert "No such file" in faults_of(BADGE_REDIS_URL_FILE=missing)[0]


def test_an_upstream_api_key_without_an_upstream_is_a_fault() -> None:
    assert faults_of(BADGE_UPSTREAM_API_KEY="k") == ["BADGE_UPSTREAM_API_KEY: is set without BADGE_UPSTREAM_URL"]


WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None  # as if it were not installed
from badge.settings import BadSettings, load
try:
    load({"BADGE_CATALOGUE_URL": "postgresql://badge:hunter2@db/badge", "BADGE_WORKERS": "many"})
except BadSettings as bad:
    print(bad)
"""


def test_postgresql_without_its_driver_is_a_fault_that_says_what_to_install() -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVER]
    lines = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 2
    assert ".venv/bin/pip install --no-deps --require-hashes -r requirements-postgresql.txt" in lines[1]
    assert "hunter2" not in lines[1]
    assert (PROJECT / "requirements-postgresql.txt").exists()


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 64}.example"])
def test_an_impossible_host_name_is_a_fault(host: str) -> None:
    assert faults_of(BADGE_UPSTREAM_URL=f"http://{host}") == [
        "BADGE_UPSTREAM_URL: must be an absolute http:// or https:// URL"
    ]


@pytest.mark.parametrize("url", ["mysql://db/badge", "postgresql+asyncpg://db/badge", "sqlite", "sqlite+psycopg:///x"])
def test_other_databases_and_drivers_are_a_fault(url: str) -> None:
    assert (
        "BADGE_CATALOGUE_URL: must be sqlite:///path or postgresql+psycopg://" in faults_of(BADGE_CATALOGUE_URL=url)[0]
    )


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("postgresql+psycopg://db/badge?sslmod=require", "remove sslmod, which PostgreSQL does not know"),
        (
            "postgresql+psycopg://db/badge?prepare_threshold=5",
            "remove prepare_threshold, which PostgreSQL does not know",
        ),
        ("postgresql+psycopg://u:p@ss?word=x@db/badge", ENCODE),
        ("postgresql+psycopg://db:port/badge", ENCODE),
        ("postgresql+psycopg://db:99999/badge", "must have a port from 1 to 65535"),
        ("sqlite:////tmp/c.sqlite3?mode=ro", "must be sqlite:///path without options"),
        ("sqlite://", "must name a file, as in sqlite:///path"),
        ("sqlite:///:memory:", "must name a file, as in sqlite:///path"),
    ],
)
def test_a_database_url_that_cannot_work_is_a_fault_in_one_line(url: str, fault: str) -> None:
    assert faults_of(BADGE_CATALOGUE_URL=url) == [f"BADGE_CATALOGUE_URL: {fault}"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://badge@/badge?host=/run/postgresql&port=6432",
        "postgresql+psycopg://u:p%40%2F@one:5432/badge?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=3",
        "postgresql+psycopg://u@/badge?host=one:5432&host=two:5432&target_session_attrs=read-write",
        "sqlite:////var/lib/badge/catalogue.sqlite3",
    ],
)
def test_a_database_url_with_the_driver_s_options_is_accepted(url: str) -> None:
    assert load({"BADGE_CATALOGUE_URL": url}).catalogue_location == url


def test_without_a_public_url_the_local_address_is_used_unless_it_is_a_socket() -> None:
    assert load({"BADGE_BIND": "0.0.0.0:80"}).address == "http://127.0.0.1:80"
    assert load({"BADGE_BIND": "unix:/x"}).address is None
    assert load({"BADGE_BIND": "unix:/x", "BADGE_PUBLIC_URL": "https://b.example"}).address == "https://b.example"


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://b.example", "https://b.example", ""),
        ("https://b.example/", "https://b.example", ""),
        ("https://b.example:8443/backups/", "https://b.example:8443", "/backups"),
        ("http://b.example/a/B_c-d.e~f", "http://b.example", "/a/B_c-d.e~f"),
        ("https://backups/backups", "https://backups", "/backups"),
    ],
)
def test_the_path_of_the_public_url_is_the_prefix(url: str, origin: str, prefix: str) -> None:
    settings = load({"BADGE_PUBLIC_URL": url})
    assert (settings.public_origin, settings.address, settings.path_prefix) == (origin, origin, prefix)


def test_without_a_public_url_there_is_no_prefix() -> None:
    assert (load({}).public_origin, load({}).path_prefix) == (None, "")


@pytest.mark.parametrize("path", ["/a//b", "/a/../b", "/.", "/a b", "/a%2Fb", "/ä", "/a;b", "/a+b", "/" + "x" * 100])
def test_the_public_url_s_path_has_only_characters_that_no_proxy_rewrites(path: str) -> None:
    [fault] = faults_of(BADGE_PUBLIC_URL=f"https://b.example{path}")
    assert fault.startswith("BADGE_PUBLIC_URL: ")
    assert "x" * 100 not in fault


@pytest.mark.parametrize("name", ["livez", "readyz", "healthz", "metrics", "badge", "summary"])
def test_the_public_url_s_path_is_not_one_that_answers_without_the_prefix(name: str) -> None:
    [fault] = faults_of(BADGE_PUBLIC_URL=f"https://b.example/{name}/x")
    assert fault == (
        f"BADGE_PUBLIC_URL: must have a different path: /{name} is reserved, "
        "because the service also answers it without a prefix"
    )


@pytest.mark.parametrize("path", ["/badges", "/summary-badges", "/x/badge"])
def test_the_public_url_s_path_may_resemble_a_reserved_one(path: str) -> None:
    assert load({"BADGE_PUBLIC_URL": f"https://b.example{path}"}).path_prefix == path


def test_shown_settings_hide_passwords_and_keys() -> None:
    values = shown(
        load(
            {
                "BADGE_REDIS_URL": "rediss://user:hunter2@cache:6380/1?password=hunter2",
                "BADGE_UPSTREAM_URL": "https://up.example/api",
                "BADGE_UPSTREAM_API_KEY": "hunter2://hunter2",
                "BADGE_CATALOGUE_URL": "postgresql+psycopg://badge:hunter2@db/badge",
            }
        )
    )
    assert "hunter2" not in str(values)
    assert values["BADGE_REDIS_URL"] == "rediss://<secret>@cache:6380/1"


@pytest.mark.parametrize(("text", "word"), [("off", "off"), ("false", "off"), ("on", "on"), ("true", "on")])
def test_a_switch_is_shown_as_on_or_off_however_it_was_written(text: str, word: str) -> None:
    assert shown(load({"BADGE_PRELOAD": text}))["BADGE_PRELOAD"] == word


def test_a_misspelt_variable_is_reported_with_the_nearest_setting() -> None:
    assert unknown_variables({"BADGE_WORKER": "2"}) == ["BADGE_WORKER is not a setting; did you mean BADGE_WORKERS?"]
    assert unknown_variables({"BADGE_WORKERS": "2", "BADGE_REDIS_URL_FILE": "x"}) == []


def test_a_renamed_setting_is_still_read_from_its_old_variable() -> None:
    former = {"BADGE_HOT_PATH": "250ms", "BADGE_FRESH_UNWAITED": "7s"}
    assert load(former).edge_cache == timedelta(milliseconds=250)
    assert load(former).fresh_provisional == timedelta(seconds=7)
    assert load({**former, "BADGE_EDGE_CACHE": "400ms"}).edge_cache == timedelta(milliseconds=400)
    assert unknown_variables(former) == []


def test_each_former_name_in_use_causes_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "badge.env"
    file.write_text("BADGE_DASHBOARD=local\n")
    settings = load_from({"BADGE_HOT_PATH": "250ms"}, find_file({}, [file]))
    assert settings.dashboard == "link"
    assert sorted(settings.warnings) == [
        f"BADGE_DASHBOARD=local has been renamed to BADGE_DASHBOARD=link; {NO_LONGER} ({file}:1)",
        f"BADGE_HOT_PATH has been renamed to BADGE_EDGE_CACHE; {NO_LONGER} (environment)",
    ]
    assert load({"BADGE_EDGE_CACHE": "250ms", "BADGE_DASHBOARD": "link"}).warnings == []


def test_former_names_are_removed_in_the_version_that_their_warning_names() -> None:
    names = [*FORMER_VARIABLES.values(), *(one for values in FORMER_VALUES.values() for one in values.values())]
    current = [int(part) for part in __version__.split(".")[:2]]
    outdated = [one.name for one in names if [int(part) for part in one.removed_in.split(".")] <= current]
    assert outdated == []


@pytest.mark.parametrize("text", ["250ms", "90s", "15m", "26h", "7d", "0s"])
def test_a_shown_duration_reads_back_as_the_same(text: str) -> None:
    duration = parse_duration(text)
    assert isinstance(duration, timedelta)
    assert parse_duration(show_duration(duration)) == duration


def test_the_example_file_matches_the_code() -> None:
    assert EXAMPLE.read_text() == example_file()


def test_the_configuration_page_matches_the_code() -> None:
    page = (PROJECT / "docs" / "reference" / "configuration.md").read_text()
    assert table() in page
    for name in SECRETS:
        assert f"`{variable_for(name)}_FILE`" in page


def test_the_deployment_page_names_the_settings_that_a_reload_cannot_change() -> None:
    page = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    for name in RESTART_ONLY:
        assert f"`{variable_for(name)}`" in page


def test_some_settings_can_keep_their_previous_values_and_origins() -> None:
    settings = load({"BADGE_WORKERS": "3", "BADGE_LABEL": "new"}).keeping(["workers"], load({}))
    assert (settings.workers, settings.origin_of("workers")) == (2, "default")
    assert (settings.label, settings.origin_of("label")) == ("new", "environment")


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("10.0.0.0:80", "http://10.0.0.0:80"),
        ("[::]:8000", "http://[::1]:8000"),
    ],
)
def test_without_a_public_url_the_address_is_one_that_can_be_opened(bind: str, address: str) -> None:
    assert load({"BADGE_BIND": bind}).address == address
