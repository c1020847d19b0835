"""Pasted URLs: each one names the repository that a person would expect."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badge.model import InvalidSubject, Subject
from badge.web.pages.repository_url import subject_named
from badge.web.snippets import Syntax, snippet
from tests.unit.test_subject import subjects

WEB = "GitHub/acme/Repository/web"
SHOP = "AzureDevOps/contoso/Repository/Web Shop/storefront"
WORKER = "GitLab/my-group/sub/Repository/worker"

PASTED = [
    ("acme/web", WEB),
    (" github/acme/repository/web ", WEB),
    ("https://github.com/acme/web", WEB),
    ("https://www.github.com/acme/web/", WEB),
    ("http://github.com/acme/web.git", WEB),
    ("github.com/acme/web", WEB),
    ("https://github.com/acme/web/tree/main/docs?tab=readme#top", WEB),
    ("git@github.com:acme/web.git", WEB),
    ("ssh://git@github.com/acme/web.git", WEB),
    ("https://gitlab.com/my-group/sub/worker", WORKER),
    ("https://gitlab.com/my-group/sub/worker/-/blob/main/README.md", WORKER),
    ("https://gitlab.example.org/my-group/sub/worker.git", WORKER),
    ("git@gitlab.com:my-group/sub/worker.git", WORKER),
    ("https://dev.azure.com/contoso/Web%20Shop/_git/storefront", SHOP),
    ("https://contoso@dev.azure.com/contoso/Web%20Shop/_git/storefront", SHOP),
    ("https://dev.azure.com/contoso/Web%20Shop/_git/storefront?path=/README.md&version=GBmain", SHOP),
    ("https://contoso.visualstudio.com/Web%20Shop/_git/storefront", SHOP),
    ("https://contoso.visualstudio.com/DefaultCollection/Web%20Shop/_git/storefront", SHOP),
    ("git@ssh.dev.azure.com:v3/contoso/Web%20Shop/storefront", SHOP),
    ("https://dev.azure.com/contoso/_git/storefront", "AzureDevOps/contoso/Repository/storefront/storefront"),
    ("https://badges.example.org/badge/acme/web.svg?style=plastic", WEB),
    ("https://badges.example.org/badge/GitLab/my-group%2Fsub/Repository/worker.png", WORKER),
    ("https://badges.example.org/dashboard/GitHub/acme/Repository/web", WEB),
    ("/badge/acme/web.png?style=plastic", WEB),
    ("https://badges.example.org/status/acme/web?token=secret", WEB),
    ("localhost:8802/status/GitHub/acme/Repository/web", WEB),
    ("/status/acme/web", WEB),
    ("/status/acme/site.png", "GitHub/acme/Repository/site.png"),
    ("/dashboard/acme/web/?dialog=open", WEB),
    ("badges.example.org/badge/acme/web.svg?style=plastic", WEB),
    ("localhost:8802/dashboard/GitHub/acme/Repository/web", WEB),
    ("http://[::1]:8000/dashboard/GitHub/acme/Repository/web", WEB),
    ("GitHub/badge/Repository/web", "GitHub/badge/Repository/web"),
    ("ssh://git@github.com:22/acme/web.git", WEB),
    ("ssh://git@ssh.github.com:443/acme/web.git", WEB),
    ("ssh://git@gitlab.example.com:2222/my-group/sub/worker.git", WORKER),
    ("ssh://git@altssh.gitlab.com:443/my-group/sub/worker.git", WORKER),
    ("ssh://git@ssh.dev.azure.com:22/v3/contoso/Web%20Shop/storefront", SHOP),
    ("ssh://contoso@contoso.visualstudio.com:22/Web%20Shop/_git/storefront", SHOP),
    ("contoso@contoso.visualstudio.com:22/Web%20Shop/_git/_ssh/storefront", SHOP),
    ("git@github.com:22/web.git", "GitHub/22/Repository/web"),
    ("git+ssh://git@github.com/acme/web.git#v1.0", WEB),
    ("git+ssh://git@github.com:acme/web.git", WEB),
    ("github.com:acme/web.git", WEB),
    ("acme/web.git", WEB),
    ("acme/web?tab=readme", WEB),
    ("acme/web#top", WEB),
    ("git clone https://github.com/acme/web.git", WEB),
    ("git clone git@github.com:acme/web.git web", WEB),
    ("<https://github.com/acme/web>", WEB),
    ("see (https://github.com/acme/web)", WEB),
]


@pytest.mark.parametrize(("typed", "meant"), PASTED)
def test_a_url_names_its_repository(typed: str, meant: str) -> None:
    assert str(subject_named(typed)) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "acme",
        "https://github.com/acme",
        "https://gitlab.com/worker",
        "https://dev.azure.com/contoso",
        "https://dev.azure.com/contoso/Web%20Shop",
        "https://example.org/acme/web",
        "https://[::1",
        "https://github.com/acme/%ff",
        "https://badges.example.org/badge/acme",
        "javascript:alert(1)",
        "ftp://github.com/acme/web",
        "see://acme",
        "work:acme/web.git",
        "ssh://git@github.com:22/web.git",
    ],
)
def test_input_that_names_no_repository_gets_a_message(typed: str) -> None:
    with pytest.raises(InvalidSubject):
        subject_named(typed)


@pytest.mark.parametrize("syntax", Syntax)
def test_every_snippet_names_its_repository(syntax: Syntax) -> None:
    subject = Subject.parse("AzureDevOps", "contoso", "Repository", "Web Shop/storefront")
    copied = snippet(subject, "https://badges.example.org", query={"style": "plastic"}).written_in(syntax)
    assert subject_named(copied) == subject


@given(st.text(max_size=60))
def test_any_text_names_something_or_is_refused(typed: str) -> None:
    with contextlib.suppress(InvalidSubject):
        named = subject_named(typed)
        assert Subject.from_path(named.path) == named


@given(subjects())
def test_the_path_of_any_subject_names_it(subject: Subject) -> None:
    assert subject_named(f"https://badges.example.org/badge/{subject.path}?v=2") == subject
    assert subject_named(subject.path) == subject  # as commands print it
