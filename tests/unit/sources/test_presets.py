"""Every preset against its samples, and the presets as a whole."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badge.model import BackupStatus
from badge.sources import presets
from badge.sources.recipe import Recipe
from badge.sources.samples import Sample

PROJECT = Path(__file__).parents[3]
TABLE = [(name, sample) for name in presets.names() for sample in presets.preset(name).samples]


@pytest.mark.parametrize(("name", "sample"), TABLE, ids=[f"{name}: {sample.name}" for name, sample in TABLE])
def test_each_sample_is_read_as_it_says(name: str, sample: Sample) -> None:
    preset = presets.preset(name)
    assert list(sample.misread(sample.read_by(preset.recipe, preset.values))) == []


def test_the_tables_can_fail() -> None:
    preset = presets.preset("restic")
    sample = preset.samples[0].model_copy(update={"expect": {"status": "failed"}})
    assert list(sample.misread(sample.read_by(preset.recipe, {}))) == ["status is 'succeeded', expected 'failed'"]


WANTED = """healthchecks prometheus gitlab-schedule github-actions velero cloudnative-pg backrest proxmox-backup-server
kopia duplicati barman pgbackrest restic borg urbackup bareos azure-backup aws-backup prometheus-velero
prometheus-restic-exporter prometheus-gickup prometheus-backrest prometheus-cloudnative-pg prometheus-pushgateway"""


def test_all_systems_of_the_documentation_are_there() -> None:
    assert set(WANTED.split()) <= set(presets.names())


SNAPSHOT_ONLY = ["restic", "borg", "pgbackrest", "kopia", "prometheus-success-time", "prometheus-restic-exporter"]


@pytest.mark.parametrize("name", SNAPSHOT_ONLY)
def test_a_system_that_shows_successes_alone_needs_an_age_limit(name: str) -> None:
    assert "stale_after" in presets.preset(name).requires


# The words that the systems themselves document.
WORDS = {
    "healthchecks": "new up grace down paused",
    "gitlab-schedule": """created waiting_for_resource preparing pending running success failed canceled skipped manual
        scheduled""",
    "velero": """New Queued ReadyToStart InProgress WaitingForPluginOperations
        WaitingForPluginOperationsPartiallyFailed Finalizing FinalizingPartiallyFailed Completed PartiallyFailed Failed
        FailedValidation Deleting""",
    "cloudnative-pg": "pending started running finalizing completed failed walArchivingFailing",
    "backrest": """STATUS_UNKNOWN STATUS_INPROGRESS STATUS_SUCCESS STATUS_WARNING STATUS_ERROR STATUS_SYSTEM_CANCELLED
        STATUS_USER_CANCELLED""",
    "bareos": "T W E f A I e D R L a i l C B F S M m c d j p q s t",
    "aws-backup": "CREATED PENDING RUNNING ABORTING COMPLETED PARTIAL ABORTED FAILED EXPIRED",
    "barman": "EMPTY STARTED SYNCING WAITING_FOR_WALS DONE FAILED",
}


@pytest.mark.parametrize(("name", "words"), WORDS.items())
def test_every_word_that_a_system_documents_means_something(name: str, words: str) -> None:
    recipe = Recipe.model_validate(presets.preset(name).recipe)
    by_rule = {word for word in words.split() if any(f"'{word}'" in rule.when.text for rule in recipe.rules)}
    assert set(words.split()) == (recipe.map.keys() & set(words.split())) | by_rule


def test_samples_are_json_and_their_names_are_sentences_of_their_own() -> None:
    for name in presets.names():
        samples = presets.preset(name).samples
        assert len({sample.name for sample in samples}) == len(samples)
        for sample in samples:
            json.loads(sample.body)


def test_no_preset_holds_an_address_or_a_secret() -> None:
    for file in (PROJECT / "badge" / "sources" / "presets").glob("*.toml"):
        own = tomllib.loads(file.read_text())
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
    """The document with something in it replaced."""
    if isinstance(document, dict) and document and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(document)))
        return {**document, key: with_junk(document[key], draw)}
    if isinstance(document, list) and document and draw(st.booleans()):
        index = draw(st.integers(0, len(document) - 1))
        return [*document[:index], with_junk(document[index], draw), *document[index + 1 :]]
    return draw(JUNK)


@given(st.data())
@settings(max_examples=300)
def test_whatever_a_system_answers_is_a_report_or_the_lack_of_one(data: st.DataObject) -> None:
    name, sample = data.draw(st.sampled_from(TABLE))
    body = json.dumps(with_junk(json.loads(sample.body), data.draw))
    preset = presets.preset(name)
    found = sample.model_copy(update={"body": body}).read_by(preset.recipe, preset.values)
    assert "fails" in found or found["status"] in tuple(BackupStatus)
