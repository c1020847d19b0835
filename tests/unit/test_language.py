"""Translations are complete, keep their placeholders, and are compiled from the repository's catalogues."""

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
def test_every_pattern_is_translated_with_all_its_placeholders(language: Language) -> None:
    catalogue = read_po(io.BytesIO(po_file(language).read_bytes()))
    patterns = [message for message in catalogue if message.id]
    assert len(patterns) == 27
    for message in patterns:
        assert message.string, message.id
        assert places(str(message.string)) == places(str(message.id))


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_catalogues_are_up_to_date(language: Language) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(po_file(language).read_bytes())))
    assert po_file(language).with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_the_catalogues_contain_exactly_the_marked_patterns(tmp_path: Path) -> None:
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
def test_a_tag_selects_the_nearest_available_language(tag: str, language: str) -> None:
    assert language_named(tag) == language


def test_an_untranslated_pattern_stays_english_and_an_empty_one_stays_empty() -> None:
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
def test_messages_follow_each_language_s_word_order(language: Language, message: str) -> None:
    finished = START - timedelta(hours=5)
    report = Report(status=BackupStatus.SUCCEEDED, observed_at=START, finished_at=finished)
    kept = Resolution(report=report, origin=Origin.STALE, age=timedelta(hours=3), fresh_for=timedelta(0), now=START)
    assert face_of(kept, Look(language=language, show=Show.AGE)).message == message
