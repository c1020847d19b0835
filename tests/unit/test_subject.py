"""Paths and subjects: which paths are valid, and which spellings mean the same subject."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from badge.model import BIDI_CONTROLS, BackupStatus, InvalidSubject, Subject, status_named

FORBIDDEN = {"Cc", "Cs"}
CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=sorted(BIDI_CONTROLS))
PARTS = st.text(CHARACTERS, min_size=1, max_size=40).map(lambda text: unicodedata.normalize("NFC", text))


def is_plain(text: str) -> bool:
    return all(part not in ("", ".", "..") for part in text.split("/"))


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    parts = [draw(PARTS) for _ in range(4)]
    assume(all(is_plain(part) for part in parts))
    return Subject.parse(*parts)


@given(subjects())
def test_a_subject_s_path_parses_to_the_same_subject(subject: Subject) -> None:
    assert Subject.from_path(subject.path) == subject


@given(subjects())
def test_parsing_twice_changes_nothing(subject: Subject) -> None:
    assert Subject.parse(subject.platform, subject.account, subject.type, subject.name) == subject


@given(st.text(max_size=60))
def test_any_path_is_a_subject_or_is_rejected(path: str) -> None:
    try:
        subject = Subject.from_path(path)
    except InvalidSubject:
        return
    assert Subject.from_path(subject.path) == subject


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_control_character_gets_into_a_subject(account: str, name: str) -> None:
    try:
        subject = Subject.parse("GitHub", account, "Repository", name)
    except InvalidSubject:
        return
    text = subject.account + subject.name
    assert not any(unicodedata.category(char) in FORBIDDEN or char in BIDI_CONTROLS for char in text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("acme/web", ("GitHub", "acme", "Repository", "web")),
        ("acme/web/", ("GitHub", "acme", "Repository", "web")),
        ("GitHub/acme/Repository/web", ("GitHub", "acme", "Repository", "web")),
        ("github/acme/REPOSITORY/Web", ("GitHub", "acme", "Repository", "Web")),
        (
            "AzureDevOps/my-org/Repository/my-project/demo-repo",
            ("AzureDevOps", "my-org", "Repository", "my-project/demo-repo"),
        ),
        ("AzureDevOps/my-org/Project/Web%20Shop", ("AzureDevOps", "my-org", "Project", "Web Shop")),
        ("GitLab/my-group%2Fsub/Repository/web", ("GitLab", "my-group/sub", "Repository", "web")),
        ("Gitea/me/Wiki/notes", ("Gitea", "me", "Wiki", "notes")),
        ("acme/a%252Fb", ("GitHub", "acme", "Repository", "a%2Fb")),
        ("acme/cafe%CC%81", ("GitHub", "acme", "Repository", "café")),
        ("acme/a+b;c=1", ("GitHub", "acme", "Repository", "a+b;c=1")),
        ("acme/...", ("GitHub", "acme", "Repository", "...")),
    ],
)
def test_valid_paths_are_accepted(path: str, expected: tuple[str, str, str, str]) -> None:
    assert Subject.from_path(path) == Subject(*expected)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "acme",
        "GitHub/acme/web",
        "/acme/web",
        "acme//web",
        "acme/web//",
        "acme/..",
        "acme/%2e%2e",
        "acme/.",
        "GitHub/acme/Repository/a/../b",
        "GitHub/acme%2F..%2Fx/Repository/web",
        "GitHub/acme/Repository/",
        "acme/a%00b",
        "acme/a%0d%0ab",
        "acme/a%7F",
        "acme/%E2%80%AEgnp",
        "acme/%E2%81%A6x",
        "acme/%FF",
        "acme/%ED%A0%80",
        "p" * 65 + "/acme/Repository/web",
        "GitHub/" + "a" * 256 + "/Repository/web",
        "GitHub/acme/" + "t" * 65 + "/web",
        "GitHub/acme/Repository/" + "n" * 1025,
    ],
)
def test_invalid_paths_are_rejected(path: str) -> None:
    with pytest.raises(InvalidSubject):
        Subject.from_path(path)


@pytest.mark.parametrize("name", ["n" * 1024, "é" * 1024, "名" * 682, "😀" * 512])
def test_the_longest_parts_are_accepted(name: str) -> None:
    assert Subject.parse("p" * 64, "a" * 255, "t" * 64, name).name == name


@pytest.mark.parametrize("name", ["名" * 683, "😀" * 513])
def test_a_name_may_have_at_most_2_kib_of_utf_8(name: str) -> None:
    with pytest.raises(InvalidSubject, match=r"name is longer than 2,048 bytes of UTF-8"):
        Subject.parse("GitHub", "acme", "Repository", name)


def test_all_names_together_have_to_fit_into_a_url() -> None:
    with pytest.raises(InvalidSubject, match=r"name together are longer than 7,500 bytes in a URL"):
        Subject.parse("GitHub", "名" * 255, "Repository", "名" * 682)


def test_a_lone_surrogate_which_json_can_contain_is_rejected() -> None:
    with pytest.raises(InvalidSubject):
        Subject.parse("GitHub", "acme", "Repository", "a\ud800")


def test_case_is_ignored_only_if_platform_and_source_both_ignore_it() -> None:
    shouted, quiet = Subject.legacy("ACME", "Web"), Subject.legacy("acme", "web")
    assert shouted.key(fold_case=True) == quiet.key(fold_case=True)
    assert shouted.key(fold_case=False) != quiet.key(fold_case=False)
    elsewhere = Subject.parse("Gitea", "ACME", "Wiki", "Web")
    assert elsewhere.key(fold_case=True) != Subject.parse("gitea", "acme", "wiki", "web").key(fold_case=True)


def test_platform_and_type_are_always_case_insensitive() -> None:
    one, other = Subject.parse("Gitea", "me", "Wiki", "x"), Subject.parse("GITEA", "me", "wiki", "x")
    assert one.key(fold_case=False) == other.key(fold_case=False)


@pytest.mark.parametrize(
    ("subject", "short"),
    [
        (Subject.legacy("acme", "web"), "acme/web"),
        (Subject.legacy("acme", "we b"), "acme/we%20b"),
        (Subject.parse("GitHub", "acme", "Repository", "a/b"), None),
        (Subject.parse("GitLab", "acme", "Repository", "web"), None),
        (Subject.parse("GitHub", "acme", "Project", "web"), None),
    ],
)
def test_only_plain_github_repositories_have_a_legacy_path(subject: Subject, short: str | None) -> None:
    assert subject.legacy_path == short
    if short:
        assert Subject.from_path(short) == subject


SPELLINGS = [(status.value, status) for status in BackupStatus] + [
    (spelling, BackupStatus.IN_PROGRESS) for spelling in ("in-progress", "in_progress", "in progress", "running")
]


@pytest.mark.parametrize(("spelling", "status"), SPELLINGS)
def test_a_status_may_be_written_in_several_ways_and_in_any_case(spelling: str, status: BackupStatus) -> None:
    assert {status_named(spelling), status_named(spelling.upper()), status_named(f" {spelling} ")} == {status}


@pytest.mark.parametrize("word", ["", "great", "in--progress", "success"])
def test_other_words_are_not_a_status(word: str) -> None:
    assert status_named(word) is None
