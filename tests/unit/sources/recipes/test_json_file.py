"""Files written by cron: found by name and never by path, read completely or not at all, and dated by their mtime."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from badge.deadline import Deadline
from badge.events import UnknownStatusReceived
from badge.model import BackupStatus, Report, Subject
from badge.ports import SourceUnavailable
from badge.sources.recipes.json_file import JsonFileSource, OneFile, OnePerSubject
from badge.sources.recipes.recipe import Recipe
from badge.sources.recipes.template import Template
from badge.sources.subject_matcher import SubjectMatcher
from badge.subject_pattern import Pattern
from tests.doubles import START, ManualClock, RecordedEvents

WEB = Subject.legacy("acme", "web")
GOOD = '{"state": "ok"}'
RECIPE = Recipe.model_validate({"state": "state", "map": {"ok": "succeeded", "bad": "failed"}})


def source_of(location: OneFile | OnePerSubject, events: RecordedEvents | None = None) -> JsonFileSource:
    return JsonFileSource(
        name="files",
        place="files",
        location=location,
        recipe=RECIPE,
        matcher=SubjectMatcher(Pattern({}), {}, {}),
        clock=ManualClock(),
        events=events or RecordedEvents(),
        max_bytes=1024,
    )


def folder_source(folder: Path) -> JsonFileSource:
    return source_of(OnePerSubject(folder, Template("{account}+{subjectName}.json")))


def fetch(source: JsonFileSource, subject: Subject = WEB) -> Report:
    return source.fetch(subject, None, Deadline.after(1))


def kind_of_failure(source: JsonFileSource) -> tuple[str, bool]:
    with pytest.raises(SourceUnavailable) as raised:
        fetch(source)
    return raised.value.kind, raised.value.is_about_subject


def test_a_report_is_as_old_as_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(GOOD)
    written = (START - timedelta(hours=3)).timestamp()
    os.utime(file, (written, written))
    report = fetch(source_of(OneFile(file)))
    assert (report.status, report.observed_at) == (BackupStatus.SUCCEEDED, START - timedelta(hours=3))


def test_a_file_from_the_future_counts_as_written_now(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(GOOD)
    os.utime(file, (4e9, 4e9))
    assert fetch(source_of(OneFile(file))).observed_at == START


@pytest.mark.parametrize("text", ["", '{"state": "o', "Fatal: wrong password", "[NaN]"])
def test_a_half_written_file_is_not_an_answer(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert kind_of_failure(source_of(OneFile(tmp_path / "a.json"))) == ("badJson", True)


def test_a_missing_file_means_no_such_subject(tmp_path: Path) -> None:
    assert not fetch(source_of(OneFile(tmp_path / "a.json"))).exists
    assert not fetch(folder_source(tmp_path)).exists


def test_a_missing_folder_is_an_outage(tmp_path: Path) -> None:
    assert kind_of_failure(folder_source(tmp_path / "missing")) == ("fileUnreadable", False)


def test_an_unreadable_file_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    assert kind_of_failure(source_of(OneFile(tmp_path / "a.json")))[0] == "fileUnreadable"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_opening_something_that_is_not_a_file_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    source = source_of(OneFile(tmp_path / "a.json"))
    before = open_files()
    for _ in range(20):
        assert kind_of_failure(source)[0] == "fileUnreadable"
    assert open_files() == before


def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    assert kind_of_failure(source_of(OneFile(tmp_path / "a.json"))) == ("fileUnreadable", True)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(" " * 2000 + GOOD)
    assert kind_of_failure(source_of(OneFile(tmp_path / "a.json"))) == ("tooLarge", True)


def test_each_subject_has_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "acme+web.json").write_text(GOOD)
    (tmp_path / "org+project%2Frepo.json").write_text('{"state": "bad"}')
    source = folder_source(tmp_path)
    assert fetch(source).status is BackupStatus.SUCCEEDED
    slashed = Subject.parse("AzureDevOps", "org", "Repository", "project/repo")
    assert fetch(source, slashed).status is BackupStatus.FAILED


def test_no_two_subjects_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "a+b%2Bc.json").write_text(GOOD)
    source = folder_source(tmp_path)
    assert fetch(source, Subject.legacy("a", "b+c")).exists
    assert not fetch(source, Subject.legacy("a+b", "c")).exists


def test_a_temporary_file_that_is_still_being_written_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "acme+web.json.tmp").write_text(GOOD)
    assert not fetch(folder_source(tmp_path)).exists


ESCAPES = ["../secret", "..%2Fsecret", "/etc/passwd", "%2e%2e/secret", "a/../../secret", "secret\\..\\x"]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_escapes_from_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.json").write_text(GOOD)
    (tmp_path / "files").mkdir()
    # Such subjects are normally rejected much earlier; this test bypasses `Subject.parse`.
    source = source_of(OnePerSubject(tmp_path / "files", Template("{subjectName}.json")))
    assert not fetch(source, Subject("GitHub", "acme", "Repository", name)).exists


def test_a_state_that_is_not_in_the_map_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"state": "quantum"}')
    events = RecordedEvents()
    assert fetch(source_of(OneFile(tmp_path / "a.json"), events)).status is BackupStatus.UNKNOWN
    assert events.seen == [UnknownStatusReceived("files")]
