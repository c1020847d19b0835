"""Sources share cache entries only if they would give the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from badge.app import build_parts
from badge.model import Subject
from badge.ports import CacheKey
from badge.settings import load
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load as load_sources
from badge.sources.place import place_of
from badge.sources.secrets import Secret
from tests.doubles import ManualClock, RecordedEvents

WEB = Subject.legacy("acme", "web")
UPSTREAM = {"BADGE_UPSTREAM_URL": "http://one", "BADGE_UPSTREAM_API_KEY": "key-1"}
LAB = """
[[source]]
name = "lab"
preset = "gitlab-schedule"
url = "https://gitlab.example.org"
values = { schedule = "1" }
auth.value = "env:KEY"
match = { platform = "GitHub", account = "acme", type = "Repository" }
[source.subjects]
"acme/api" = { schedule = "2" }
"""


def key_with(**changes: str) -> CacheKey:
    return build_parts(load({**UPSTREAM, **changes})).resolver.key(WEB)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BADGE_UPSTREAM_URL", "http://two"),
        ("BADGE_UPSTREAM_API_KEY", "key-2"),
        ("BADGE_UPSTREAM_METHOD", "post"),
        ("BADGE_PUBLIC_URL", "https://badges.example.org"),
    ],
)
def test_deployments_with_different_upstreams_share_nothing(name: str, value: str) -> None:
    assert key_with(**{name: value}) != key_with()


def test_replicas_of_a_deployment_share_everything(tmp_path: Path) -> None:
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    one = key_with(BADGE_DATA_DIR=here, BADGE_BIND="127.0.0.1:1", BADGE_WORKERS="1")
    assert one == key_with(BADGE_DATA_DIR=there, BADGE_BIND="127.0.0.1:2", BADGE_WORKERS="2")


def lab_key(folder: Path, text: str = LAB, secret: str = "s3cret", subject: Subject = WEB) -> CacheKey:
    (folder / "sources.toml").write_text(text)
    configured = load_sources(folder / "sources.toml", {"KEY": secret})
    return build_routing(configured, None, ManualClock(), RecordedEvents()).sources[0].cache_key(subject)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gitlab.example.org", "gitlab.example.com"),
        ('schedule = "1"', 'schedule = "3"'),
        ('name = "lab"', 'name = "lab2"'),
        ("auth.value", 'visibility = "private"\nauth.value'),
        ("auth.value", 'stale_after = "26h"\nauth.value'),
    ],
)
def test_a_setting_that_changes_a_source_s_answers_changes_its_keys(tmp_path: Path, old: str, new: str) -> None:
    assert lab_key(tmp_path, LAB.replace(old, new)) != lab_key(tmp_path)


def test_a_source_with_different_credentials_has_different_keys(tmp_path: Path) -> None:
    assert lab_key(tmp_path, secret="other") != lab_key(tmp_path)


def test_a_subject_s_own_values_are_part_of_its_key_only(tmp_path: Path) -> None:
    api, changed = Subject.legacy("acme", "api"), LAB.replace('schedule = "2"', 'schedule = "4"')
    assert lab_key(tmp_path, changed, subject=api) != lab_key(tmp_path, subject=api)
    assert lab_key(tmp_path, changed) == lab_key(tmp_path)


def test_rotating_a_secret_in_its_file_does_not_change_the_keys(tmp_path: Path) -> None:
    file = tmp_path / "token"
    places = []
    for token in ("first", "second"):
        file.write_text(token)
        places.append(place_of("lab", who={"token": Secret.parse(f"file:{file}", {})}))
    assert places[0] == places[1]


def test_deployments_with_different_api_keys_at_the_same_path_share_nothing(tmp_path: Path) -> None:
    file = tmp_path / "api_key"
    native = f"""
        [[source]]
        name = "hub"
        kind = "native"
        url = "https://hub.example.org"
        api_key = "file:{file}"
        """
    keys = []
    for api_key in ("one", "two"):
        file.write_text(api_key)
        keys.append(lab_key(tmp_path, native))
    assert keys[0] != keys[1]


def test_no_secret_is_in_a_key(tmp_path: Path) -> None:
    assert "s3cret" not in str(lab_key(tmp_path))
