"""The settings file: which one is read, how its lines are parsed, and its faults with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from badge.healthcheck import bind_in
from badge.settings import BadSettings, Settings, changed, load, load_from
from badge.settings_file import find_file
from tests.servers import flask_badge


def written(folder: Path, *lines: str, name: str = "badge.env") -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return file


def settings_in(file: Path, **environment: str) -> Settings:
    return load_from(environment, find_file({}, [file]))


def faults_in(file: Path, **environment: str) -> list[str]:
    with pytest.raises(BadSettings) as raised:
        settings_in(file, **environment)
    return [str(fault) for fault in raised.value.faults]


def test_the_first_existing_file_is_read_unless_the_variable_names_another(tmp_path: Path) -> None:
    second, named = written(tmp_path, "BADGE_LABEL=second"), written(tmp_path, "BADGE_LABEL=named", name="other")
    places = [tmp_path / "missing", second, written(tmp_path, "BADGE_LABEL=third", name="third")]
    for environment, path in (({}, second), ({"BADGE_SETTINGS_FILE": str(named)}, named)):
        found = find_file(environment, places)
        assert found is not None
        assert (found.path, found.is_named) == (path, path == named)
    assert find_file({}, places[:1]) is None


def test_values_are_literal_and_comments_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    file = written(tmp_path, "# BADGE_WORKERS=9", "", 'BADGE_LABEL=a "b" $HOME # c = d', "  BADGE_WORKERS=3\r")
    assert (settings_in(file).label, settings_in(file).workers) == ('a "b" $HOME # c = d', 3)


def test_the_environment_wins_and_each_value_has_its_origin(tmp_path: Path) -> None:
    file = written(tmp_path, "BADGE_LABEL=file", "BADGE_WORKERS=3", "BADGE_THREADS=16")
    settings = settings_in(file, BADGE_LABEL="here", BADGE_WORKERS="")
    assert (settings.label, settings.workers) == ("here", 3)
    origins = [settings.origin_of(name) for name in ("label", "workers", "bind")]
    assert origins == ["environment", f"{file}:2", "default"]
    assert set(changed(settings)) == {f"BADGE_WORKERS=3 ({file}:2)", "BADGE_LABEL=here (environment)"}


def test_relative_paths_are_relative_to_the_file_s_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    lines = ["BADGE_DATA_DIR=data", "BADGE_UPSTREAM_URL=http://up", "BADGE_UPSTREAM_API_KEY_FILE=key"]
    settings = settings_in(written(tmp_path, *lines))
    assert settings.data_dir == tmp_path / "data"
    assert settings.upstream_api_key is not None
    assert settings.upstream_api_key.get_secret_value() == "s3cret"
    assert settings.origin_of("upstream_api_key") == f"{tmp_path}/badge.env:3"


def test_a_secret_in_the_environment_overrides_the_settings_file_in_either_form(tmp_path: Path) -> None:
    file = written(tmp_path, "BADGE_REDIS_URL_FILE=/nowhere")
    assert settings_in(file, BADGE_REDIS_URL="redis://here").origin_of("redis_url") == "environment"


def test_every_fault_is_reported_at_once_with_file_and_line(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "BADGE_WORKERS=many",
        "BADGE_THREADS 2",
        "BADGE_WORKER=2",
        "BADGE_LABEL=a",
        "BADGE_LABEL=b",
        "BADGE_REDIS_URL=redis://:hunter2@host:port",
        "BADGE_API_KEY=k",
        "BADGE_UPSTREAM_API_KEY=k",
    )
    faults = faults_in(file, BADGE_BIND="x")
    for fault in (
        f"{file}:2: write NAME=value, or begin the line with # for a comment",
        f"{file}:5: BADGE_LABEL is already set on line 4; keep one",
        f"{file}:3: BADGE_WORKER: is not a setting; did you mean BADGE_WORKERS?",
        f"{file}:7: BADGE_API_KEY: is read from the environment only",
        f"{file}:8: BADGE_UPSTREAM_API_KEY: is set without BADGE_UPSTREAM_URL",
        "BADGE_BIND: must be host:port, such as 127.0.0.1:8000, or unix:/path",
    ):
        assert fault in faults
    assert {fault.partition(": ")[0] for fault in faults} >= {f"{file}:1", f"{file}:6"}
    assert (len(faults), "hunter2" in str(faults)) == (8, False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('BADGE_PUBLIC_URL="https://badges.example.org"', "BADGE_PUBLIC_URL: write the value without quotes"),
        ("BADGE_DATA_DIR='/var/lib/badge'", "BADGE_DATA_DIR: write the value without quotes"),
        ("export BADGE_WORKERS=2", "write NAME=value without export"),
    ],
)
def test_the_syntax_of_a_shell_is_a_fault_that_says_what_to_write(tmp_path: Path, line: str, problem: str) -> None:
    file = written(tmp_path, line)
    assert faults_in(file) == [f"{file}:1: {problem}"]


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    assert faults_in(tmp_path) == [f"{tmp_path}: can't be read: Is a directory"]
    (tmp_path / "binary").write_bytes(b"\xff")
    assert faults_in(tmp_path / "binary") == [f"{tmp_path}/binary: can't be read: it is not UTF-8 text"]
    with pytest.raises(BadSettings, match=r"^BADGE_SETTINGS_FILE: /nowhere/x: can't be read: No such file"):
        load_from({}, find_file({"BADGE_SETTINGS_FILE": "/nowhere/x"}))


def test_no_file_is_read_if_an_environment_is_passed_in(tmp_path: Path) -> None:
    assert load({"BADGE_SETTINGS_FILE": str(written(tmp_path, "BADGE_LABEL=file"))}).label == "backup"


def test_the_health_check_uses_the_service_s_address(tmp_path: Path) -> None:
    environment = {"BADGE_SETTINGS_FILE": str(written(tmp_path, "BADGE_BIND=127.0.0.1:81"))}
    assert bind_in(environment) == "127.0.0.1:81"
    assert bind_in({**environment, "BADGE_BIND": "127.0.0.1:82"}) == "127.0.0.1:82"


def test_commands_read_the_file_and_say_so(tmp_path: Path) -> None:
    file = written(tmp_path, "BADGE_DATA_DIR=data")
    done = flask_badge("report", "acme/web", "succeeded", BADGE_SETTINGS_FILE=str(file))
    assert f"(catalogue {tmp_path}/data/catalogue.sqlite3)" in done.stdout
    shown = flask_badge("settings", BADGE_SETTINGS_FILE=str(file)).stdout
    assert f"* BADGE_DATA_DIR={tmp_path}/data  ({file}:1)" in shown.splitlines()
    assert "  BADGE_LABEL=backup  (default)" in shown.splitlines()
    assert (
        json.loads(flask_badge("settings", "--json", BADGE_SETTINGS_FILE=str(file)).stdout)["BADGE_LABEL"] == "backup"
    )
