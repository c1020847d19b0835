"""Each preset with its samples, and the presets as a whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badge.model import BackupStatus
from badge.sources.recipes import presets
from badge.sources.recipes.presets import PresetSample
from badge.sources.recipes.samples import Sample
from tests.site import Site
from tests.words import WORDS

PROJECT = Path(__file__).parents[4]
FILES = {
    file.stem: tomllib.loads(file.read_text())
    for file in (PROJECT / "badge" / "sources" / "recipes" / "presets").glob("*.toml")
}
READ_ANEW = {"rules", "state", "map"}


def lineage(name: str) -> list[str]:
    """Return the preset, and those whose rules it inherits: their samples apply to it too."""
    base = FILES[name].get("extends")
    return [name] if base is None or READ_ANEW & FILES[name].keys() else [name, *lineage(base)]


TABLE = [(name, sample) for name in presets.names() for one in lineage(name) for sample in presets.preset(one).samples]


@pytest.mark.parametrize(("name", "sample"), TABLE, ids=[f"{name}: {sample.name}" for name, sample in TABLE])
def test_each_sample_gives_what_it_expects(name: str, sample: Sample) -> None:
    preset = presets.preset(name)
    assert list(sample.differences(sample.read_by(preset.recipe, preset.values))) == []


def test_the_presets_with_a_history_are_documented() -> None:
    page = (PROJECT / "docs" / "reference" / "sources-toml.md").read_text()
    documented = re.search(r"^\| `lists_runs` \|.*Already `true` in the presets (.*) \|$", page, re.MULTILINE)
    assert documented is not None
    listing = [name for name in presets.names() if presets.preset(name).recipe.get("lists_runs")]
    assert re.findall(r"`(.+?)`", documented[1]) == sorted(listing)


AFTER_SUCCESS, AFTER_FAILURE = "a run under way after a success", "a run under way after a failure"
# Systems that can't report the previous failure, and why; every other preset has to.
REPORTS_NO_FAILURE = {
    "restic": "a failed run leaves no snapshot",
    "borg": "a failed run leaves no archive",
    "gitlab-schedule": "the schedule names only its newest pipeline",
    "prometheus": "one number can hold only one status",
}
REPORTS_NO_SUCCESS_MEANWHILE = {"gitlab-schedule", "prometheus"}
MONITORED = [(name, sample) for name, sample in TABLE if sample.expect_succeeded]


def samples_of(name: str) -> dict[str, PresetSample]:
    return {sample.name: sample for one, sample in TABLE if one == name}


@pytest.mark.parametrize("name", presets.names())
def test_each_preset_says_what_a_monitor_gets_while_a_run_is_under_way(name: str) -> None:
    samples = samples_of(name)
    assert AFTER_SUCCESS in samples, "add a sample of this name, with expect_succeeded"
    wanted = 503 if name in REPORTS_NO_SUCCESS_MEANWHILE else 200
    assert samples[AFTER_SUCCESS].expect_succeeded == wanted
    assert (AFTER_FAILURE in samples) is (name not in REPORTS_NO_FAILURE)
    assert AFTER_FAILURE not in samples or samples[AFTER_FAILURE].expect_succeeded == 503


@pytest.mark.parametrize(("name", "sample"), MONITORED, ids=[f"{name}: {sample.name}" for name, sample in MONITORED])
def test_a_monitor_gets_what_the_sample_says(name: str, sample: PresetSample) -> None:
    preset = presets.preset(name)
    site = Site(says=sample.reading(preset.recipe, preset.values).report)
    assert site.get("/badge/acme/web.json?expect=succeeded").status_code == sample.expect_succeeded


def test_a_sample_with_another_result_is_noticed() -> None:
    preset = presets.preset("restic")
    sample = preset.samples[0].model_copy(update={"expect": {"status": "failed"}})
    assert list(sample.differences(sample.read_by(preset.recipe, {}))) == ["status is 'succeeded', expected 'failed'"]


WANTED = """healthchecks prometheus gitlab-schedule github-actions velero cloudnative-pg backrest proxmox-backup-server
kopia duplicati barman pgbackrest restic borg urbackup bareos azure-backup aws-backup prometheus-velero
prometheus-restic-exporter prometheus-gickup prometheus-backrest prometheus-cloudnative-pg
prometheus-cloudnative-pg-plugin prometheus-pushgateway"""


def test_all_documented_systems_have_a_preset() -> None:
    assert set(WANTED.split()) <= set(presets.names())


SNAPSHOT_ONLY = ["restic", "borg", "pgbackrest", "kopia", "prometheus-success-time"]
SNAPSHOT_ONLY += [name for name in FILES if FILES[name].get("extends") == "prometheus-success-time"]


@pytest.mark.parametrize("name", SNAPSHOT_ONLY)
def test_a_system_that_shows_only_successes_requires_an_age_limit(name: str) -> None:
    assert "stale_after" in presets.preset(name).requires


MEANT = [
    (name, body, word, outcome)
    for name in presets.names()
    for one in lineage(name)
    for body, means in WORDS.get(one, [])
    for outcome, words in means.items()
    for word in words
]

UTC_TIMES = {"times": {"timezone": "UTC"}}
# Only the outcomes `warning`, `partial` and `cancelled` get another status with these options. `TRANSLATED` maps each
# pair of statuses (without these options, with them) to its outcome.
OTHER_OPTIONS = {"warning_as": "failed", "partial_as": "succeeded", "cancelled_as": "unknown"}
TRANSLATED = {
    ("succeeded", "failed"): "warning",
    ("failed", "succeeded"): "partial",
    ("failed", "unknown"): "cancelled",
}


def outcome_of(recipe: Mapping[str, Any], values: Mapping[str, str], body: str) -> str:
    """Return the outcome of an answer, in the words of presets."""
    sample = Sample(name="a word", body=body, expect={})
    found = [
        sample.model_copy(update={"options": options}).read_by(recipe, values)
        for options in (UTC_TIMES, {**UTC_TIMES, **OTHER_OPTIONS})
    ]
    assert not found[0].get("unknownWord"), found
    if found[0].get("exists") is False:
        return "absent"
    by_default, otherwise = (str(document.get("status")) for document in found)
    return by_default if by_default == otherwise else TRANSLATED[by_default, otherwise]


@pytest.mark.parametrize(
    ("name", "body", "word", "outcome"), MEANT, ids=[f"{name}: {word or 'nothing'}" for name, _, word, _ in MEANT]
)
def test_each_state_of_a_system_has_the_outcome_in_the_table(name: str, body: str, word: str, outcome: str) -> None:
    preset = presets.preset(name)
    assert outcome_of(preset.recipe, preset.values, body.replace("WORD", word)) == outcome


@pytest.mark.parametrize("name", [name for name, file in FILES.items() if "map" in file])
def test_the_table_has_each_state_of_a_preset(name: str) -> None:
    assert FILES[name]["map"].keys() <= {word for one, _, word, _ in MEANT if one == name}


@pytest.mark.parametrize("name", [name for name in presets.names() if "state" in presets.preset(name).recipe])
def test_a_new_state_of_a_system_is_unknown_and_counted(name: str) -> None:
    preset = presets.preset(name)
    body = next(body for one, body, _, _ in MEANT if one == name)
    sample = Sample(name="a new word", body=body.replace("WORD", "hibernating"), expect={}, options=UTC_TIMES)
    found = sample.read_by(preset.recipe, preset.values)
    assert (found["status"], found["unknownWord"], found["exists"]) == ("unknown", True, True)


def test_samples_are_json_and_have_unique_names() -> None:
    for name in presets.names():
        samples = presets.preset(name).samples
        assert len({sample.name for sample in samples}) == len(samples)
        for sample in samples:
            json.loads(sample.body)


def test_no_preset_contains_an_address_or_a_secret() -> None:
    for own in FILES.values():
        assert "url" not in own
        assert not {"value", "password", "client_secret"} & own.get("auth", {}).keys() - {"body"}


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**4000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
JUNK = st.one_of(LEAVES, st.lists(LEAVES, max_size=2), st.dictionaries(st.text(max_size=3), LEAVES, max_size=2))


def with_junk(document: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Return the document with one value replaced."""
    if isinstance(document, dict) and document and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(document)))
        return {**document, key: with_junk(document[key], draw)}
    if isinstance(document, list) and document and draw(st.booleans()):
        index = draw(st.integers(0, len(document) - 1))
        return [*document[:index], with_junk(document[index], draw), *document[index + 1 :]]
    return draw(JUNK)


@given(st.data())
@settings(max_examples=300)
def test_any_answer_gives_a_report_or_a_failure(data: st.DataObject) -> None:
    name, sample = data.draw(st.sampled_from(TABLE))
    body = json.dumps(with_junk(json.loads(sample.body), data.draw))
    preset = presets.preset(name)
    found = sample.model_copy(update={"body": body}).read_by(preset.recipe, preset.values)
    assert "fails" in found or found["status"] in tuple(BackupStatus)
