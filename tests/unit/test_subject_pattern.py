"""Patterns for API keys and private tokens; those in sources.toml are tested along with that file."""

from __future__ import annotations

import pytest

from badge.model import InvalidSubject, Subject
from badge.subject_pattern import MOST_PATTERNS, PathPattern, Selection

MATCHES = [
    ("GitHub/acme/*", "GitHub/acme/Repository/web", True),
    ("GitHub/acme/*", "GitHub/ACME/Project/web", True),
    ("GitHub/acme/*", "GitHub/acme-2/Repository/web", False),
    ("GitHub/acme/*", "GitLab/acme/Repository/web", False),
    ("github/*/repository/web", "GitHub/acme/Repository/web", True),
    ("AzureDevOps/org/Repository/*", "AzureDevOps/org/Repository/project/web", True),
    ("AzureDevOps/org/Repository/project/*", "AzureDevOps/org/Repository/project/web/ui", True),
    ("AzureDevOps/org/Repository/project/*", "AzureDevOps/org/Repository/projects", False),
    ("GitLab/group%2F*/Repository", "GitLab/group%2Fsub/Repository/web", True),
    ("GitLab/group/Repository", "GitLab/group%2Fsub/Repository/web", False),
    ("acme/web", "GitHub/acme/Repository/web", True),
    ("acme/*", "GitHub/acme/Repository/web", True),
    ("acme/*", "GitHub/acme/Project/web", False),
    ("acme/we[!b]", "GitHub/acme/Repository/web", False),
    ("acme/w?b", "GitHub/acme/Repository/web", True),
    ("Linear/Acme/*", "Linear/acme/Workspace/web", False),
    ("GitLab/group*/Repository", "GitLab/group%2Fsub/Repository/web", True),
    # Another subject: a long s, which `re.IGNORECASE` takes for an "s".
    ("GitHub/sentry/*", "GitHub/%C5%BFentry/Repository/web", False),
    ("GitHub/%C3%89t%C3%A9/[A-Z]*", "GitHub/%C3%A9T%C3%89/Repository/web", True),
]


@pytest.mark.parametrize(("pattern", "path", "does_match"), MATCHES)
def test_a_pattern_matches_by_segment(pattern: str, path: str, *, does_match: bool) -> None:
    assert PathPattern.parse(pattern).matches(Subject.from_path(path)) is does_match


@pytest.mark.parametrize("bad", ["", "*", "GitHub", "GitHub/*", "acme//web", "acme/..", "acme/a%0Ab", "acme/%ff"])
def test_a_pattern_that_could_not_match_as_meant_is_refused(bad: str) -> None:
    with pytest.raises(InvalidSubject):
        PathPattern.parse(bad)


def test_a_selection_without_patterns_covers_everything() -> None:
    web = Subject.legacy("acme", "web")
    assert Selection.of([]).covers(web)
    assert not Selection([PathPattern.parse("acme/api")]).covers(web)
    assert Selection([PathPattern.parse("acme/api"), PathPattern.parse("acme/w*")]).covers(web)
    with pytest.raises(InvalidSubject):
        Selection.of([PathPattern.parse("acme/api")] * (MOST_PATTERNS + 1))


@pytest.mark.parametrize("path", ["acme/web", "GitLab/a%2Fb/Repository/c/d", "acme/%2A%3F%5Ba%5D!", "acme/%25 %C3%A9"])
def test_a_pattern_can_select_one_subject_whatever_it_is_called(path: str) -> None:
    subject = Subject.from_path(path)
    pattern = PathPattern.only(subject)
    assert pattern.matches(subject)
    assert PathPattern.parse(pattern.text) == pattern
    assert not pattern.matches(Subject.parse(subject.platform, subject.account, subject.type, subject.name + "a"))
    assert not pattern.matches(Subject.legacy("acme", "ab?a!"))
