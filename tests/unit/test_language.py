"""The words in other languages: complete, with the same places to fill, compiled from what is in the repository."""

import io
import string
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from badge.appearance import Look, Show, face_of
from badge.language import DOMAIN, FOLDER, Language, language_named
from badge.model import BackupStatus, Origin, Report, Resolution
from tests.doubles import START

TRANSLATED = [language for language in Language if language is not Language.ENGLISH]


def po_file(language: Language) -> Path:
    return FOLDER / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"


def places(pattern: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(pattern) if name)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_pattern_is_translated_with_all_its_places(language: Language) -> None:
    catalogue = read_po(io.BytesIO(po_file(language).read_bytes()))
    patterns = [message for message in catalogue if message.id]
    assert len(patterns) == 17
    for message in patterns:
        assert message.string, message.id
        assert places(str(message.string)) == places(str(message.id))


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_read_was_compiled_from_what_is_written(language: Language) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(po_file(language).read_bytes())))
    assert po_file(language).with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_the_catalogues_hold_the_patterns_that_the_code_marks(tmp_path: Path) -> None:
    pybabel, template = Path(sys.executable).with_name("pybabel"), tmp_path / "badge.pot"
    subprocess.run([pybabel, "-q", "extract", "-k", "marked", "-o", template, "badge"], check=True, timeout=60)
    marked = {message.id for message in read_po(io.BytesIO(template.read_bytes())) if message.id}
    for language in TRANSLATED:
        catalogue = read_po(io.BytesIO(po_file(language).read_bytes()))
        assert {message.id for message in catalogue if message.id} == marked


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("pt-br", "pt-BR"),
        ("pt_BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("zh", "zh-CN"),
        ("zh-TW", "en"),
        ("tlh", "en"),
        ("", "en"),
        ("*", "en"),
        ("../de", "en"),
    ],
)
def test_a_tag_names_the_nearest_language_there_is(tag: str, language: str) -> None:
    assert language_named(tag) == language


def test_a_word_that_no_catalogue_has_stays_english_and_nothing_stays_nothing() -> None:
    assert Language.GERMAN.say("Nightly") == "Nightly"
    assert Language.GERMAN.say("") == ""


@pytest.mark.parametrize(
    ("language", "message"),
    [
        (Language.ENGLISH, "succeeded 5h ago · as of 3h ago"),
        (Language.GERMAN, "erfolgreich vor 5 Std. · Stand vor 3 Std."),
        (Language.JAPANESE, "成功 · 5時間前 · 3時間前の情報"),
    ],
)
def test_words_are_put_in_each_language_s_order(language: Language, message: str) -> None:
    finished = START - timedelta(hours=5)
    report = Report(status=BackupStatus.SUCCEEDED, observed_at=START, finished_at=finished)
    kept = Resolution(report=report, origin=Origin.STALE, age=timedelta(hours=3), fresh_for=timedelta(0), now=START)
    assert face_of(kept, Look(language=language, show=Show.AGE)).message == message
